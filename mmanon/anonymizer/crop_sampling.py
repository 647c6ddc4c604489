"""Cuts a crop out of a picture, and spreads one over it, in NumPy.

As :mod:`mmanon.models.layers.face_crops` does for training; a test holds the two
together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mmanon.utils.resampling import block_mean, gaussian_blur, sample_affine

if TYPE_CHECKING:
    from .places import Place

__all__ = ['cut_out', 'spread']

_LARGEST = 1024  # pixels a side; a crop has far fewer, and larger windows cost memory


def cut_out(image: np.ndarray, place: Place, size: int) -> np.ndarray:
    """Cut what a modifier is shown of a place.

    Args:
        image (np.ndarray): (H, W, 3) RGB, uint8 or uint16.
        place (Place): Which.
        size (int): S.

    Returns:
        np.ndarray: (3, S, S) float32 in [-1, 1].
    """
    cut = _cut_out_leaning if place.tilt else _cut_out
    return cut(image, place, size)


def spread(face: np.ndarray, place: Place) -> np.ndarray:
    """The drawn face, in the pixels of its place's region.

    Args:
        face (np.ndarray): (3, S, S); of one pixel, it is the same everywhere.
        place (Place): Where it belongs.

    Returns:
        np.ndarray: (3, h, w) float32, or the one pixel.
    """
    x1, y1, x2, y2 = place.region
    size = face.shape[-1]
    if size == 1:
        return face
    if place.tilt:
        turn = _turn(place, size, (x1, y1))
        turned = sample_affine(face.transpose(1, 2, 0), turn, (x2 - x1, y2 - y1))
        return turned.transpose(2, 0, 1)
    columns, rows = (
        _unsampling_weights(start, stop, low, high, size)
        for start, stop, low, high in zip(
            (x1, y1), (x2, y2), place.square[:2], place.square[2:], strict=True
        )
    )
    # The smaller product first: a row of three planes at a time.
    across = face.reshape(-1, size) @ columns.T
    return np.matmul(rows, across.reshape(3, size, -1))


def _cut_out(image: np.ndarray, place: Place, size: int) -> np.ndarray:
    """A crop, (3, S, S) float32 in [-1, 1], as ``crop_faces`` cuts it.

    A large window is made smaller by a whole factor first.
    """
    # One pixel more on each side: the outermost samples lie between two.
    x1, y1 = (max(0, low - 1) for low in place.source[:2])
    x2, y2 = (high + 1 for high in place.source[2:])
    part = image[y1:y2, x1:x2]
    shrink = -(-max(part.shape[:2]) // _LARGEST)
    if shrink > 1:
        missing = -np.array(part.shape[1::-1]) % shrink
        part = block_mean(_padded(part, np.zeros_like(missing), missing), shrink)
    low, high = ((side - [x1, y1]) / shrink for side in np.split(place.square, 2))
    # Beyond the picture's border the nearest pixel is repeated.
    before = np.maximum(0, np.ceil(1 - low)).astype(int)
    after = np.maximum(0, np.ceil(high + 1) - part.shape[1::-1]).astype(int)
    part = _padded(part, before, after)
    peak = np.iinfo(image.dtype).max / 2
    columns, rows = (
        _sampling_weights(start + more, stop + more, size, count)
        for start, stop, more, count in zip(
            low, high, before, part.shape[1::-1], strict=True
        )
    )
    # The weights of a sample sum to 1, so that the range may be set at the end.
    down = rows @ part.reshape(len(part), -1).astype(np.float32)
    planes = down.reshape(size, -1, 3).transpose(2, 0, 1).reshape(3 * size, -1)
    face = (planes @ columns.T).reshape(3, size, size)
    face /= np.float32(peak)
    face -= 1
    return face


def _cut_out_leaning(image: np.ndarray, place: Place, size: int) -> np.ndarray:
    """A crop as of :func:`_cut_out`, of a square that leans."""
    x1, y1, x2, y2 = place.source
    part = image[y1:y2, x1:x2].astype(np.float32) / (np.iinfo(image.dtype).max / 2) - 1
    # What is sampled is single pixels: have each stand for all that a sample spans.
    span = (place.square[2] - place.square[0]) / size
    if span > 1:
        part = gaussian_blur(part, 0.4 * span)
    turn = _inverted(_turn(place, size, (x1, y1)))
    return sample_affine(part, turn, (size, size)).transpose(2, 0, 1)


def _padded(pixels: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Repeat the border's pixels so many times, (across, down) on each side."""
    if not before.any() and not after.any():
        return pixels
    (left, top), (right, bottom) = before, after
    return np.pad(pixels, ((top, bottom), (left, right), (0, 0)), mode='edge')


def _turn(place: Place, size: int, corner: Sequence[int]) -> np.ndarray:
    """The map, (2, 3), of pixels counted from a corner to samples of a leaning crop."""
    centre = (place.square[:2] + place.square[2:]) / 2 - corner - 0.5
    scale = size / (place.square[2] - place.square[0])
    cos, sin = scale * np.cos(place.tilt), scale * np.sin(place.tilt)
    turn = np.array([[cos, sin], [-sin, cos]])
    return np.column_stack([turn, (size - 1) / 2 - turn @ centre])


def _inverted(turn: np.ndarray) -> np.ndarray:
    """The map back."""
    back = np.linalg.inv(turn[:, :2])
    return np.column_stack([back, -back @ turn[:, 2]])


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
