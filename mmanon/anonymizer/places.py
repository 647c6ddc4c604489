"""Where a face is drawn over: the square of its crop, and what of it is replaced."""

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

# Sine of the angle up to which a head is as wide and as high as its box; and how many
# times as long as wide heads are.
_UPRIGHT, _LONG = 0.3, 1.3


class Place(NamedTuple):
    """Where a face is drawn over.

    Attributes:
        square (np.ndarray): That of its crop, x1, y1, x2, y2 in pixels.
        region (Region): The pixels around what is changed.
        source (Region): The pixels of which the crop is made.
        track (int): The number of the face's track; -1 outside all tracks.
        box (np.ndarray): The box that has to be masked, x1, y1, x2, y2 in pixels.
        tilt (float): By how many radians the square leans about its middle, clockwise.
        axes (np.ndarray, optional): Half the width and half the height of an ellipse
            about the middle of the box, in pixels, outside of which nothing is changed.
        lean (float): By how many radians the ellipse leans.
        drawn (bool): Whether the modifier draws, and not the cover in its place.
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
        """Whether any of it lies in the picture."""
        return self.region[0] < self.region[2] and self.region[1] < self.region[3]

    def with_ellipse(self, tilt: float, mask_scale: float) -> Place:
        """The same place, in whose region no more than an ellipse is replaced.

        Args:
            tilt (float): Radians by which the head leans, clockwise.
            mask_scale (float): Size of the ellipse in parts of the face box's.
        """
        axes, lean = ellipse_in((self.box[2:] - self.box[:2]) / 2, tilt)
        half = (self.square[2:] - self.square[:2]) / 2
        return self._replace(axes=np.minimum(axes * mask_scale, half), lean=lean)

    def fade(self, feather: float, mask_scale: float) -> np.ndarray:
        """How much of each pixel is replaced.

        Args:
            feather (float): Width of the fading edge, a part of the square's side.
            mask_scale (float): Size of the ellipse in parts of the face box's.

        Returns:
            np.ndarray: Of the region's pixels, (h, w) float32 in [0, 1].
        """
        side = float((self.square[2:] - self.square[:2]).max())
        if self.axes is None:
            x, y = self._steps(self.square, np.full(2, side / 2), self.tilt)
            # From 0 in the middle to 1 at the edge.
            away, fade = np.maximum(np.abs(x), np.abs(y)), 2 * feather
        else:
            x, y = self._steps(self.box, self.axes, self.lean)
            away = np.sqrt(x**2 + y**2)
            # What lies in the face box stays outside the edge that fades.
            fade = min(feather * side / float(self.axes.min()), 1 - 1 / mask_scale)
        if not fade:
            return (away < 1).astype(np.float32)
        return ((1 - away) / fade).clip(0, 1)

    def depth(self) -> np.ndarray:
        """Which of two places a pixel belongs to that lies in both: the deeper one.

        A pixel of a face's own box is deeper than all around other boxes: what another
        crop shows there may be this face as it was. In two boxes, the smaller one's.

        Returns:
            np.ndarray: Of the region's pixels, (h, w) float32.
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
        """Pixels from the middle of a box, along axes, in parts of those."""
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
        box (np.ndarray): x1, y1, x2, y2 in pixels, to be masked.
        size (Sequence[int]): Width and height of the picture.
        margin (float): By how much of its longer side a box is enlarged on each side.
        track (int), tilt (float): As of :class:`Place`.
        face (np.ndarray, optional): The box of which the crop is made, where it is
            another one. Where the crop would then not hold the box to be masked within
            its fading edge, it is as much larger.
        feather (float): Width of that edge.
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
    """The same place with an ellipse around the face box that is replaced alone.

    Args:
        place (Place): Of :func:`square_place`.
        size (Sequence[int]): Width and height of the picture.
        tilt (float): Radians by which the head leans, clockwise.
        mask_scale (float): Width and height of the ellipse in parts of the face box's.
    """
    place = place.with_ellipse(tilt, mask_scale)
    assert place.axes is not None
    cos, sin = np.cos(place.lean), np.sin(place.lean)
    reach = np.hypot(*(place.axes[:, None] * [[cos, sin], [sin, cos]]))
    centre = (place.box[:2] + place.box[2:]) / 2
    return place._replace(region=_within(centre, reach, size))


def ellipse_in(half: np.ndarray, tilt: float) -> tuple[np.ndarray, float]:
    """The ellipse of a head in the box around it.

    Args:
        half (np.ndarray): Half the width and half the height of the box, in pixels.
        tilt (float): Radians by which the head leans, clockwise.

    Returns:
        tuple[np.ndarray, float]: Half the ellipse's width and half its height, across
        and along the head, and the radians by which it leans. It reaches as far to each
        side as the box, or farther.
    """
    if abs(np.sin(tilt)) < _UPRIGHT and np.cos(tilt) > 0:
        return half, tilt
    # Of one that leans the box does not tell how long it is: as long as heads are.
    cos, sin = np.cos(tilt) ** 2, np.sin(tilt) ** 2
    across = max(
        half[0] / np.sqrt(cos + _LONG**2 * sin),
        half[1] / np.sqrt(_LONG**2 * cos + sin),
    )
    return np.array([across, _LONG * across]), tilt


def widest_fade(margin: float, shape: str, align: bool) -> float:
    """The widest feather with which no part of a face box shows through.

    An ellipse needs no such limit: its fade ends where the face begins, whatever the
    feather.

    Args:
        margin (float): Of the crop.
        shape (str), align (bool): As of :class:`.compositor.FaceCompositor`.
    """
    if shape == 'ellipse':
        return 0.5
    if not align:
        return widest_feather(margin)
    # Between the circle in the crop, however it leans, and the one around the face box.
    return (1 - 2**0.5 / (1 + 2 * margin)) / 2


def _within(centre: np.ndarray, reach: np.ndarray, size: Sequence[int]) -> Region:
    """The whole pixels of a picture within a reach; none where x1 >= x2 or y1 >= y2."""
    x1, y1 = np.floor(centre - reach).astype(int).clip(0).tolist()
    x2, y2 = np.minimum(np.ceil(centre + reach), size).astype(int).tolist()
    return x1, y1, x2, y2
