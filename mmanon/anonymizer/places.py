"""Where a face is covered: the square of its crop, and the part that is replaced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mmanon.structures.crop_geometry import widest_feather

__all__ = [
    'Place',
    'Region',
    'ellipse_in',
    'ellipse_place',
    'square_place',
    'widest_fade',
]

Region = tuple[int, int, int, int]
"""x1, y1, x2, y2 in whole pixels within a picture."""

# Sine of the angle up to which a head is as wide and high as its box; and the ratio of
# a head's length to its width.
_UPRIGHT, _LONG = 0.3, 1.3


class Place(NamedTuple):
    """Where a face is covered.

    Attributes:
        square (np.ndarray): The square of its crop, x1, y1, x2, y2 in pixels.
        region (Region): The rectangle that contains all changed pixels.
        source (Region): The rectangle that contains all pixels of the crop.
        track (int): The number of the face's track; -1 if it has none.
        box (np.ndarray): The box that must be covered, x1, y1, x2, y2 in pixels.
        tilt (float): Rotation of the square about its centre, in radians, clockwise.
        axes (np.ndarray, optional): Half the width and half the height, in pixels, of
            an ellipse around the centre of the box, outside of which nothing is
            changed.
        lean (float): Rotation of the ellipse in radians, clockwise.
        drawn (bool): Whether the modifier draws; otherwise the default cover does.
    """

    square: np.ndarray
    region: Region
    source: Region
    track: int
    box: np.ndarray
    tilt: float = 0.0
    axes: np.ndarray | None = None
    lean: float = 0.0
    drawn: bool = True

    @property
    def is_seen(self) -> bool:
        """Whether any part of it lies in the picture."""
        return self.region[0] < self.region[2] and self.region[1] < self.region[3]

    def with_ellipse(self, tilt: float, mask_scale: float) -> Place:
        """The same place, but only an ellipse in its region is replaced.

        Args:
            tilt (float): Angle of the head in radians, clockwise.
            mask_scale (float): Size of the ellipse as a multiple of the face box.
        """
        axes, lean = ellipse_in((self.box[2:] - self.box[:2]) / 2, tilt)
        half = (self.square[2:] - self.square[:2]) / 2
        return self._replace(axes=np.minimum(axes * mask_scale, half), lean=lean)

    def fade(self, feather: float, mask_scale: float) -> np.ndarray:
        """The weight of the drawn face in each pixel.

        Args:
            feather (float): Width of the blended edge, as a fraction of the square's
                side.
            mask_scale (float): Size of the ellipse as a multiple of the face box.

        Returns:
            np.ndarray: The weights of the region's pixels, (h, w) float32 in [0, 1].
        """
        side = float((self.square[2:] - self.square[:2]).max())
        if self.axes is None:
            x, y = self._steps(self.square, np.full(2, side / 2), self.tilt)
            # From 0 in the centre to 1 at the edge.
            away, fade = np.maximum(np.abs(x), np.abs(y)), 2 * feather
        else:
            x, y = self._steps(self.box, self.axes, self.lean)
            away = np.sqrt(x**2 + y**2)
            # The blended edge does not reach into the ellipse of the face box.
            fade = min(feather * side / float(self.axes.min()), 1 - 1 / mask_scale)
        if not fade:
            return (away < 1).astype(np.float32)
        return ((1 - away) / fade).clip(0, 1)

    def depth(self) -> np.ndarray:
        """How deep each pixel lies in this place; of two places, the deeper one shows.

        A pixel in the face's own box is deeper than any pixel around other boxes,
        because another crop may show this face unchanged there. In two boxes, it is
        deeper in the smaller one.

        Returns:
            np.ndarray: The depth of the region's pixels, (h, w) float32.
        """
        half = (self.square[2:] - self.square[:2]) / 2
        x, y = self._steps(self.square, half, self.tilt)
        depth = 1 - np.maximum(np.abs(x), np.abs(y))
        half = (self.box[2:] - self.box[:2]) / 2
        x, y = self._steps(self.box, half, 0.0)
        inside = (np.abs(x) <= 1) & (np.abs(y) <= 1)
        return np.where(inside, np.float32(2 + 1 / max(half.max(), 1)), depth)

    def _steps(
        self, around: np.ndarray, half: np.ndarray, lean: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates of pixels from the centre of a box, as multiples of its axes."""
        x1, y1, x2, y2 = self.region
        x = (np.arange(x1, x2) + 0.5 - around[[0, 2]].mean()).astype(np.float32)
        y = (np.arange(y1, y2) + 0.5 - around[[1, 3]].mean()).astype(np.float32)
        y = y[:, None]
        if lean:
            cos, sin = np.float32(np.cos(lean)), np.float32(np.sin(lean))
            x, y = cos * x + sin * y, cos * y - sin * x
        return x / np.float32(half[0]), y / np.float32(half[1])


def square_place(
    box: np.ndarray,
    size: Sequence[int],
    margin: float,
    track: int = -1,
    tilt: float = 0.0,
    face: np.ndarray | None = None,
    feather: float = 0.0,
) -> Place:
    """A place whose whole crop is replaced.

    Args:
        box (np.ndarray): The box to cover, x1, y1, x2, y2 in pixels.
        size (Sequence[int]): Width and height of the picture.
        margin (float): The box is enlarged on each side by this fraction of its longer
            side.
        track (int), tilt (float): As for :class:`Place`.
        face (np.ndarray, optional): Another box from which the crop is made. The crop
            is enlarged if ``box`` would not lie inside of its blended edge.
        feather (float): Width of the blended edge, as a fraction of the square's side.
    """
    crop = box if face is None else face
    centre = (crop[:2] + crop[2:]) / 2
    half = (crop[2:] - crop[:2]).max() * (0.5 + margin)
    if face is not None:
        corners = np.array([[box[x], box[y]] for x in (0, 2) for y in (1, 3)]) - centre
        cos, sin = np.cos(tilt), np.sin(tilt)
        turned = np.abs(corners @ np.array([[cos, -sin], [sin, cos]]))
        half = max(half, turned.max() / (1 - 2 * feather))
    square = np.concatenate([centre - half, centre + half])
    reach = np.repeat(half * (abs(np.cos(tilt)) + abs(np.sin(tilt))), 2)
    region = _within(centre, reach, size)
    return Place(square, region, region, track, box, tilt)


def ellipse_place(
    place: Place, size: Sequence[int], tilt: float, mask_scale: float
) -> Place:
    """The same place, but only an ellipse around the face box is replaced.

    Args:
        place (Place): A result of :func:`square_place`.
        size (Sequence[int]): Width and height of the picture.
        tilt (float): Angle of the head in radians, clockwise.
        mask_scale (float): Size of the ellipse as a multiple of the face box.
    """
    place = place.with_ellipse(tilt, mask_scale)
    assert place.axes is not None
    cos, sin = np.cos(place.lean), np.sin(place.lean)
    reach = np.hypot(*(place.axes[:, None] * [[cos, sin], [sin, cos]]))
    centre = (place.box[:2] + place.box[2:]) / 2
    return place._replace(region=_within(centre, reach, size))


def ellipse_in(half: np.ndarray, tilt: float) -> tuple[np.ndarray, float]:
    """The ellipse of a head, from the box around it.

    Args:
        half (np.ndarray): Half the width and half the height of the box, in pixels.
        tilt (float): Angle of the head in radians, clockwise.

    Returns:
        tuple[np.ndarray, float]: Half the ellipse's width and half its height, across
        and along the head, and its rotation in radians. To each side, it extends at
        least as far as the box.
    """
    if abs(np.sin(tilt)) < _UPRIGHT and np.cos(tilt) > 0:
        return half, tilt
    # The box of a leaning head does not give its length: use the usual ratio.
    cos, sin = np.cos(tilt) ** 2, np.sin(tilt) ** 2
    across = max(
        half[0] / np.sqrt(cos + _LONG**2 * sin),
        half[1] / np.sqrt(_LONG**2 * cos + sin),
    )
    return np.array([across, _LONG * across]), tilt


def widest_fade(margin: float, shape: str, align: bool) -> float:
    """The widest feather with which no part of a face box shows.

    For an ellipse, this is no limit (0.5): its blended edge always ends where the face
    begins.

    Args:
        margin (float): The margin of the crop.
        shape (str), align (bool): As for :class:`.compositor.FaceCompositor`.
    """
    if shape == 'ellipse':
        return 0.5
    if not align:
        return widest_feather(margin)
    # The distance from the circle around the face box to the circle inside of the crop.
    return (1 - 2**0.5 / (1 + 2 * margin)) / 2


def _within(centre: np.ndarray, reach: np.ndarray, size: Sequence[int]) -> Region:
    """The pixels of a picture within a distance; none if x1 >= x2 or y1 >= y2."""
    x1, y1 = np.floor(centre - reach).astype(int).clip(0).tolist()
    x2, y2 = np.minimum(np.ceil(centre + reach), size).astype(int).tolist()
    return x1, y1, x2, y2
