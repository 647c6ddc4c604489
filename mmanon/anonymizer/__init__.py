"""Finds faces in images, videos and cameras, follows them, and draws something else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .inferencer import AnonymizerInferencer, Outcome

__all__ = ['AnonymizerInferencer', 'Outcome']


def __getattr__(name: str) -> Any:
    # When it is asked for: the commands answer `--help` before FFmpeg is loaded.
    if name in __all__:
        from . import inferencer

        return getattr(inferencer, name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
