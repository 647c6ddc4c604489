"""Find faces in images, videos and cameras, follow them, and cover them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mmanon._moved import renamed

if TYPE_CHECKING:
    from .inferencer import AnonymizerInferencer
    from .options import (
        DetectionOptions,
        EncodingOptions,
        MaskingOptions,
        PeopleOptions,
        group_options,
    )
    from .result import AnonymizationResult

# Imported on first use, so that the commands answer `--help` before FFmpeg is loaded.
_MODULES = {
    'AnonymizationResult': 'result',
    'AnonymizerInferencer': 'inferencer',
    'DetectionOptions': 'options',
    'EncodingOptions': 'options',
    'MaskingOptions': 'options',
    'PeopleOptions': 'options',
    'group_options': 'options',
}

__all__ = [
    'AnonymizationResult',
    'AnonymizerInferencer',
    'DetectionOptions',
    'EncodingOptions',
    'MaskingOptions',
    'PeopleOptions',
    'group_options',
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f'.{_MODULES[name]}', __name__), name)
    return renamed(__name__, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
