"""How to rotate a stored picture so that it is upright."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ['Orientation']


@dataclass(frozen=True)
class Orientation:
    """One of the eight orientations of a stored picture.

    Attributes:
        transposed (bool): Whether rows and columns are swapped, as the first step.
        mirrored (bool): Whether left and right are then swapped.
        upended (bool): Whether top and bottom are swapped last.
    """

    transposed: bool = False
    mirrored: bool = False
    upended: bool = False

    @classmethod
    def of_matrix(cls, matrix: Sequence[int]) -> Orientation:
        """The orientation nearest to a display matrix of FFmpeg (nine numbers)."""
        a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
        if abs(b) + abs(c) > abs(a) + abs(d):
            return cls(True, mirrored=c < 0, upended=b < 0)
        return cls(False, mirrored=a < 0, upended=d < 0)

    @classmethod
    def of_exif(cls, value: int) -> Orientation:
        """The orientation of an EXIF number, 1 to 8; upright for any other number."""
        turned = value in (5, 6, 7, 8)
        return cls(
            turned, mirrored=value in (2, 3, 6, 7), upended=value in (3, 4, 7, 8)
        )

    def turned(self, image: np.ndarray) -> np.ndarray:
        """An upright view of a stored picture, (H, W, ...); pixels are not copied."""
        if self.transposed:
            image = image.swapaxes(0, 1)
        if self.mirrored:
            image = image[:, ::-1]
        if self.upended:
            image = image[::-1]
        return image

    def upright(self, image: np.ndarray) -> np.ndarray:
        """Turn a stored picture, (H, W, ...), upright."""
        return np.ascontiguousarray(self.turned(image))

    def stored(self, image: np.ndarray) -> np.ndarray:
        """Turn an upright picture, (H, W, ...), back to its stored orientation."""
        if self.upended:
            image = image[::-1]
        if self.mirrored:
            image = image[:, ::-1]
        if self.transposed:
            image = image.swapaxes(0, 1)
        return np.ascontiguousarray(image)
