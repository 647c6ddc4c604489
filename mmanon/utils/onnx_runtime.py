"""ONNX Runtime without telemetry."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from typing import Any

from .devices import Place, cuda_number, is_cuda

__all__ = ['import_onnxruntime', 'open_session']

_CPU, _CUDA = 'CPUExecutionProvider', 'CUDAExecutionProvider'


def import_onnxruntime() -> ModuleType:
    """Import ONNX Runtime with its telemetry off.

    Since version 1.32, ONNX Runtime collects events, with a device id and the path of
    the interpreter, in the user's cache folder, unless an environment variable forbids
    it before the import.

    Raises:
        ImportError: When it is not installed.
    """
    os.environ['ORT_DISABLE_TELEMETRY'] = '1'
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    return onnxruntime


def open_session(
    model: str | Path | bytes, device: str = 'cpu', options: Any = None
) -> tuple[Any, Place]:
    """Load a model with ONNX Runtime.

    If its CUDA provider is not available, ONNX Runtime logs that and uses the CPU; this
    function detects and reports it.

    Args:
        model (str, Path or bytes): The file, or its content.
        device (str): As for :func:`.devices.check_device`.
        options (SessionOptions, optional): ONNX Runtime's options.

    Returns:
        tuple[InferenceSession, Place]: The session, and where it actually runs.

    Raises:
        ImportError: When ONNX Runtime is not installed.
        Exception: ONNX Runtime's error, when the model cannot be loaded.
    """
    onnxruntime = import_onnxruntime()
    engine = 'ONNX Runtime'
    missing = None
    if is_cuda(device):
        session, missing = _on_cuda(onnxruntime, model, cuda_number(device), options)
        if session is not None:
            return session, Place(f'cuda:{cuda_number(device)}', engine)
    elif device != 'cpu':
        missing = f'mmanon does not run ONNX Runtime on {device}'
    session = onnxruntime.InferenceSession(model, options, providers=[_CPU])
    return session, Place('cpu', engine, missing)


def _on_cuda(
    onnxruntime: ModuleType, model: str | Path | bytes, number: int, options: Any
) -> tuple[Any, str | None]:
    """A session on a GPU, or None and the reason."""
    if _CUDA not in onnxruntime.get_available_providers():
        return None, (
            f'ONNX Runtime {onnxruntime.__version__} is a build without CUDA (pip '
            'install onnxruntime-gpu instead of onnxruntime)'
        )
    if hasattr(onnxruntime, 'preload_dlls'):
        # CUDA and cuDNN may be installed only as pip packages, as PyTorch does it.
        onnxruntime.preload_dlls()
    chosen = {
        'device_id': number,
        # Without TF32, the faces are the same as on the CPU. The heuristic avoids a
        # search of several seconds for each new size of picture.
        'use_tf32': 0,
        'cudnn_conv_algo_search': 'HEURISTIC',
    }
    try:
        session = onnxruntime.InferenceSession(
            model, options, providers=[(_CUDA, chosen), _CPU]
        )
    # If the model itself is wrong, the session on the CPU reports it.
    except Exception as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        return None, f'ONNX Runtime cannot use the GPU: {said}'
    if session.get_providers()[0] != _CUDA:
        return None, (
            f'ONNX Runtime {onnxruntime.__version__} could not load its CUDA provider: '
            'its log above names the missing library'
        )
    # An error on the GPU must be reported, and not silently move the work to the CPU.
    session.disable_fallback()
    return session, None
