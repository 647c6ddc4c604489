"""ONNX Runtime, which keeps to itself."""

from __future__ import annotations

import os
from types import ModuleType

__all__ = ['import_onnxruntime']


def import_onnxruntime() -> ModuleType:
    """Import ONNX Runtime with its telemetry off.

    From 1.32 on it collects events, with a device id and the path of the interpreter,
    in the user's cache folder, unless it is told not to before it is imported.

    Raises:
        ImportError: When it is not installed.
    """
    os.environ['ORT_DISABLE_TELEMETRY'] = '1'
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    return onnxruntime
