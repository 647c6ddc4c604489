"""Build the compositor from the options."""

from __future__ import annotations

from dataclasses import replace

from mmanon.structures.crop_geometry import CropGeometry

from .backends.base import build_backend
from .compositor import FaceCompositor, widest_fade
from .options import MaskingOptions

__all__ = ['build_compositor']


def build_compositor(masking: MaskingOptions, device: str = 'cpu') -> FaceCompositor:
    """Build the compositor that options describe.

    Args:
        masking (MaskingOptions): The options.
        device (str): Where the modifier runs.

    Raises:
        FileNotFoundError, ImportError, ValueError: As for
            :func:`.backends.base.build_backend` and :class:`.FaceCompositor`.
    """
    backend, geometry = build_backend(
        masking.modifier,
        masking.weights,
        masking.crop_size,
        masking.margin,
        masking.feather,
        device,
        masking.seed,
    )
    shape = masking.shape
    if shape is None:
        shape = 'square' if getattr(backend, 'learned', False) else 'ellipse'
    if masking.feather is None:
        geometry = _spare_the_face(geometry, shape, masking.align)
    return FaceCompositor(
        backend,
        geometry,
        shape,
        masking.align,
        masking.mask_scale,
        masking.key_per,
    )


def _spare_the_face(geometry: CropGeometry, shape: str, align: bool) -> CropGeometry:
    """Narrow the blended edge until it lies outside of the face box."""
    widest = widest_fade(geometry.margin, shape, align)
    return replace(geometry, feather=min(geometry.feather, max(widest, 0)))
