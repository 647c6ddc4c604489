"""Redraws the faces of pictures in their place.

Faces are cut out and put back as :mod:`mmanon.models.face_crops` does it for training,
here in NumPy: without gradients, for one face at a time, and without PyTorch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from mmanon.models.crop_geometry import CropGeometry, widest_feather

from .face_drawers import FaceDrawer
from .face_tracks import Cover

__all__ = ['FaceRedrawer', 'Region', 'cover_whole']

Region = tuple[int, int, int, int]
"""x1, y1, x2, y2 in whole pixels within a picture."""

_LARGEST = 1024  # pixels a side; a crop has far fewer, and larger windows cost memory


def cover_whole(image: np.ndarray) -> None:
    """Paint a picture mid-grey, in place."""
    image[:] = np.iinfo(image.dtype).max // 2


class _Place(NamedTuple):
    """Where a face is redrawn: the square of its crop, and what of it is visible."""

    square: np.ndarray
    region: Region
    track: int


class FaceRedrawer:
    """Cuts faces out, has them drawn anew, and puts them back.

    Args:
        drawer (FaceDrawer, optional): What draws; mid-grey by default.
        geometry (CropGeometry): What it is shown.
        shape (str): ``'square'`` replaces the whole crop, ``'ellipse'`` its inner
            circle. Defaults to ``'square'``.

    Attributes:
        covered (int): Faces so far that a learned modifier would have let through, and
            that got a solid mask.

    Raises:
        ValueError: When the shape is another, or would let part of a face box show.
    """

    def __init__(
        self,
        drawer: FaceDrawer | None,
        geometry: CropGeometry,
        shape: str = 'square',
    ) -> None:
        if shape not in ('square', 'ellipse'):
            raise ValueError(f"shape must be 'square' or 'ellipse', got {shape!r}")
        widest = widest_feather(geometry.margin)
        if shape == 'ellipse':
            # Between the circle in the crop and the one around the square face box.
            widest = (1 - 2**0.5 / (1 + 2 * geometry.margin)) / 2
        if not 0 <= geometry.feather <= widest:
            raise ValueError(
                f'with margin={geometry.margin} and shape={shape!r} a feather of '
                f'{geometry.feather} would let part of a face show through: it must '
                f'be in [0, {max(widest, 0):.3f}]'
                + (', with a margin of at least 0.21' if widest < 0 else '')
            )
        self.drawer, self.geometry, self.shape = drawer, geometry, shape
        self.covered = 0

    def places(self, size: Sequence[int], covers: Sequence[Cover]) -> list[_Place]:
        """Where the covers that meet a picture are redrawn.

        Args:
            size (Sequence[int]): Width and height of the picture.
            covers (Sequence[Cover]): Where.

        Returns:
            list: One for each cover that meets the picture; ``region`` of each is what
            changes.
        """
        places = []
        for cover in covers:
            low, high = cover.box[:2], cover.box[2:]
            half = (high - low).max() * (0.5 + self.geometry.margin)
            centre = (low + high) / 2
            square = np.concatenate([centre - half, centre + half])
            x1, y1 = np.floor(square[:2]).astype(int).clip(0).tolist()
            x2, y2 = np.minimum(np.ceil(square[2:]), size).astype(int).tolist()
            if x1 < x2 and y1 < y2:
                places.append(_Place(square, (x1, y1, x2, y2), cover.track))
        return places

    def redraw(self, image: np.ndarray, covers: Sequence[Cover]) -> list[Region]:
        """Redraw the faces of a picture in place.

        Args:
            image (np.ndarray): (H, W, 3) RGB, uint8 or uint16, upright.
            covers (Sequence[Cover]): Where.

        Returns:
            list[Region]: The changed pixels, one for each cover that meets the picture.
        """
        places = self.places(image.shape[1::-1], covers)
        self.redraw_at([(image, places)])
        return [one.region for one in places]

    def redraw_at(self, pictures: Sequence[tuple[np.ndarray, list[_Place]]]) -> None:
        """Redraw the faces of several pictures in place, all at once.

        Args:
            pictures (Sequence): Pictures as in :meth:`redraw`, each with places of
                :meth:`places`.
        """
        faces = [(image, place) for image, places in pictures for place in places]
        if not faces:
            return
        drawn: np.ndarray | list = [np.zeros((1, 1, 3), np.float32)] * len(faces)
        if self.drawer is not None:
            # All are cut out before any is put back: what M sees is the original.
            size = self.geometry.crop_size
            crops = np.stack([_cut_out(*one, size) for one in faces])
            drawn, covered = self.drawer.draw(crops, [one.track for _, one in faces])
            drawn = drawn.transpose(0, 2, 3, 1)
            self.covered += int(covered.sum())
        for (image, place), face in zip(faces, drawn, strict=True):
            self._put_back(image, place, face)

    def _put_back(self, image: np.ndarray, place: _Place, face: np.ndarray) -> None:
        x1, y1, x2, y2 = place.region
        if len(face) > 1:
            columns, rows = (
                _unsampling_weights(start, stop, low, high, len(face))
                for start, stop, low, high in zip(
                    (x1, y1), (x2, y2), place.square[:2], place.square[2:], strict=True
                )
            )
            face = _resample(face, rows, columns)
        peak = np.iinfo(image.dtype).max / 2
        part = image[y1:y2, x1:x2].astype(np.float32)
        part += self._fade(place)[..., None] * ((face + 1) * peak - part)
        image[y1:y2, x1:x2] = part.round().clip(0, 2 * peak).astype(image.dtype)

    def _fade(self, place: _Place) -> np.ndarray:
        """How much of each pixel is replaced, (h, w) float32 in [0, 1]."""
        square, (x1, y1, x2, y2) = place.square, place.region
        # From -1 at one edge of the square to 1 at the other.
        side = square[2:] - square[:2]
        x = 2 * (np.arange(x1, x2) + 0.5 - square[0]) / side[0] - 1
        y = 2 * (np.arange(y1, y2) + 0.5 - square[1]) / side[1] - 1
        x, y = x.astype(np.float32), y.astype(np.float32)[:, None]
        if self.shape == 'ellipse':
            away = np.sqrt(x**2 + y**2)
        else:
            away = np.maximum(np.abs(x), np.abs(y))
        depth = (1 - away) / 2
        if not self.geometry.feather:
            return (depth > 0).astype(np.float32)
        return (depth / self.geometry.feather).clip(0, 1)


def _cut_out(image: np.ndarray, place: _Place, size: int) -> np.ndarray:
    """A crop, (3, S, S) float32 in [-1, 1], as ``crop_faces`` cuts it.

    A large window is made smaller by a whole factor first.
    """
    # One pixel more on each side: the outermost samples lie between two.
    x1, y1 = (max(0, low - 1) for low in place.region[:2])
    x2, y2 = (high + 1 for high in place.region[2:])
    part = image[y1:y2, x1:x2]
    y2, x2 = y1 + part.shape[0], x1 + part.shape[1]
    shrink = -(-max(part.shape[:2]) // _LARGEST)
    if shrink > 1:
        less = [max(1, side // shrink) for side in part.shape[1::-1]]
        part = cv2.resize(part, less, interpolation=cv2.INTER_AREA)
    scale = np.array(part.shape[1::-1]) / [x2 - x1, y2 - y1]
    low, high = ((side - [x1, y1]) * scale for side in np.split(place.square, 2))
    # Beyond the picture's border the nearest pixel is repeated.
    before = np.maximum(0, np.ceil(1 - low)).astype(int)
    after = np.maximum(0, np.ceil(high + 1) - part.shape[1::-1]).astype(int)
    part = cv2.copyMakeBorder(
        part, before[1], after[1], before[0], after[0], cv2.BORDER_REPLICATE
    )
    peak = np.iinfo(image.dtype).max / 2
    columns, rows = (
        _sampling_weights(start + more, stop + more, size, count)
        for start, stop, more, count in zip(
            low, high, before, part.shape[1::-1], strict=True
        )
    )
    pixels = part.astype(np.float32) / np.float32(peak) - 1
    return _resample(pixels, rows, columns).transpose(2, 0, 1)


def _resample(pixels: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Weigh the rows and the columns of (h, w, 3) to (H, W, 3), float32."""
    down = (rows @ pixels.reshape(len(pixels), -1)).reshape(len(rows), -1, 3)
    return np.matmul(columns, down)


def _sampling_weights(low: float, high: float, size: int, count: int) -> np.ndarray:
    """Weights (S, count) of a row's pixels in samples spread evenly over a side.

    Bilinear, widened to an area filter where a sample spans more than a pixel.
    """
    step = (high - low) / size
    return _triangle(low + (np.arange(size) + 0.5) * step, step, count)


def _unsampling_weights(
    start: int, stop: int, low: float, high: float, size: int
) -> np.ndarray:
    """Weights (pixels, S) of a crop's samples in the pixels of its region."""
    step = (high - low) / size
    # Half a sample beyond the crop's edge the last sample holds.
    place = ((np.arange(start, stop) + 0.5 - low) / step).clip(0.5, size - 0.5)
    return _triangle(place, 1 / step, size)


def _triangle(centre: np.ndarray, reach: float, count: int) -> np.ndarray:
    """Weights (..., count) of evenly spread samples around centres, summing to 1."""
    away = np.abs(np.arange(count) + 0.5 - centre[:, None])
    weight = np.maximum(1 - away / max(reach, 1), 0)
    return (weight / weight.sum(1, keepdims=True)).astype(np.float32)
