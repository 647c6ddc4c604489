"""The part of a frame that a modifier sees.

:mod:`mmanon.models.layers.face_crops` cuts crops in PyTorch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ['GAME_GEOMETRY', 'CropGeometry', 'check_geometry', 'widest_feather']


@dataclass(frozen=True)
class CropGeometry:
    """How a face is cut out and put back.

    A learned modifier needs the geometry of its training.

    Attributes:
        crop_size (int): S, side of a face crop in pixels.
        margin (float): A face box is enlarged on each side by this fraction of its
            longer side.
        feather (float): Width of the blended edge, as a fraction of the crop's side.

    Raises:
        ValueError: When a value has the wrong type, the crop size is below 1, or the
            margin is negative or not finite.
    """

    crop_size: int = 128
    margin: float = 0.3
    feather: float = 0.08

    def __post_init__(self) -> None:
        _check_kinds(self.crop_size, self.margin, self.feather)
        if not (math.isfinite(self.margin) and self.margin >= 0):
            raise ValueError(
                f'margin must be a number, at least 0, got {self.margin}: a smaller '
                'margin would let part of the face show'
            )


def check_geometry(crop_size: int, margin: float, feather: float) -> None:
    """Check the values of a :class:`CropGeometry`, including the feather.

    Raises:
        ValueError: When a value has the wrong type or is out of range, or the feather
            would show part of the face box.
    """
    _check_kinds(crop_size, margin, feather)
    # `not (...)` also rejects NaN.
    if not (margin >= 0 and 0 <= feather <= widest_feather(margin)):
        raise ValueError(
            f'feather={feather} with margin={margin} would let part of a face show '
            f'through: it must be in [0, {widest_feather(max(margin, 0)):.3f}]'
        )


def widest_feather(margin: float) -> float:
    """The widest feather, as a fraction of a crop's side, outside of the face box."""
    return margin / (1 + 2 * margin)


def _check_kinds(crop_size: object, margin: object, feather: object) -> None:
    # Not in a loop, so that mypy narrows the types.
    if isinstance(crop_size, bool) or not isinstance(crop_size, int) or crop_size < 1:
        raise ValueError(
            f'crop_size must be a whole number of pixels, at least 1, got {crop_size!r}'
        )
    for name, value in (('margin', margin), ('feather', feather)):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f'{name} must be a number, got {value!r}')


GAME_GEOMETRY = CropGeometry(crop_size=256, margin=0.6, feather=0.1)
"""The default of the game, if a config does not set it."""
