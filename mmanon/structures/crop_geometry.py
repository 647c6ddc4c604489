"""What of a frame a modifier is shown. No PyTorch here: see :mod:`.face_crops`."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ['CropGeometry', 'widest_feather']


@dataclass(frozen=True)
class CropGeometry:
    """How a face is cut out and put back; a learned modifier's as it was trained.

    Attributes:
        crop_size (int): S, side of a face crop in pixels.
        margin (float): By how much of its longer side a face box is enlarged on each
            side.
        feather (float): Width of the fading edge, as a fraction of the crop's side.
    """

    crop_size: int = 128
    margin: float = 0.3
    feather: float = 0.08


def widest_feather(margin: float) -> float:
    """The widest feather, as a fraction of a crop's side, that spares the face box."""
    return margin / (1 + 2 * margin)
