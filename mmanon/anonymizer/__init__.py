"""Finds faces in images, videos and cameras, follows them, and draws something else."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mmanon._moved import renamed

if TYPE_CHECKING:
    from .inferencer import AnonymizationResult, AnonymizerInferencer
    from .options import (
        DetectionOptions,
        EncodingOptions,
        MaskingOptions,
        PeopleOptions,
        group_options,
    )

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
    # When it is asked for: the commands answer `--help` before FFmpeg is loaded.
    if name in __all__:
        module = 'options' if 'ptions' in name else 'inferencer'
        return getattr(import_module(f'.{module}', __name__), name)
    return renamed(__name__, name)
