"""Cut a crop out of a picture, and resample one to the picture's pixels, in NumPy.

:mod:`mmanon.models.layers.face_crops` does the same in PyTorch for training; a test
compares the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mmanon.utils.resampling import block_mean, gaussian_blur, sample_affine

if TYPE_CHECKING:
    from .places import Place

__all__ = ['cut_out', 'spread']

_LARGEST = 1024  # larger windows, in pixels, are shrunk first to save memory


def cut_out(image: np.ndarray, place: Place, size: int) -> np.ndarray:
    """Cut the crop of a place.

    Args:
        image (np.ndarray): (H, W, 3) RGB, uint8 or uint16.
        place (Place): The place.
        size (int): S, side of the crop in pixels.

    Returns:
        np.ndarray: (3, S, S) float32 in [-1, 1].
    """
    cut = _cut_out_leaning if place.tilt else _cut_out
    return cut(image, place, size)


def spread(face: np.ndarray, place: Place) -> np.ndarray:
    """Resample a drawn face to the pixels of its place's region.

    Args:
        face (np.ndarray): (3, S, S), or (3, 1, 1) for one colour.
        place (Place): The place.

    Returns:
        np.ndarray: (3, h, w) float32; one colour is returned unchanged.
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
    # The smaller product comes first.
    across = face.reshape(-1, size) @ columns.T
    return np.matmul(rows, across.reshape(3, size, -1))


def _cut_out(image: np.ndarray, place: Place, size: int) -> np.ndarray:
    """A crop, (3, S, S) float32 in [-1, 1], as ``crop_faces`` cuts it.

    A large window is first shrunk by a whole factor.
    """
    # One more pixel on each side, because the outermost samples lie between two pixels.
    x1, y1 = (max(0, low - 1) for low in place.source[:2])
    x2, y2 = (high + 1 for high in place.source[2:])
    part = image[y1:y2, x1:x2]
    shrink = -(-max(part.shape[:2]) // _LARGEST)
    if shrink > 1:
        missing = -np.array(part.shape[1::-1]) % shrink
        part = block_mean(_padded(part, np.zeros_like(missing), missing), shrink)
    low, high = ((side - [x1, y1]) / shrink for side in np.split(place.square, 2))
    # Beyond the picture's border, the nearest pixel is repeated.
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
    # The weights of a sample sum to 1, so the range can be changed at the end.
    down = rows @ part.reshape(len(part), -1).astype(np.float32)
    planes = down.reshape(size, -1, 3).transpose(2, 0, 1).reshape(3 * size, -1)
    face = (planes @ columns.T).reshape(3, size, size)
    face /= np.float32(peak)
    face -= 1
    return face


def _cut_out_leaning(image: np.ndarray, place: Place, size: int) -> np.ndarray:
    """A crop as for :func:`_cut_out`, from a rotated square."""
    x1, y1, x2, y2 = place.source
    part = image[y1:y2, x1:x2].astype(np.float32) / (np.iinfo(image.dtype).max / 2) - 1
    # Sampling reads single pixels: blur first, so that each represents a sample's area.
    span = (place.square[2] - place.square[0]) / size
    if span > 1:
        part = gaussian_blur(part, 0.4 * span)
    turn = _inverted(_turn(place, size, (x1, y1)))
    return sample_affine(part, turn, (size, size)).transpose(2, 0, 1)


def _padded(pixels: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Repeat the border's pixels; ``before`` and ``after`` are (x, y) numbers."""
    if not before.any() and not after.any():
        return pixels
    (left, top), (right, bottom) = before, after
    return np.pad(pixels, ((top, bottom), (left, right), (0, 0)), mode='edge')


def _turn(place: Place, size: int, corner: Sequence[int]) -> np.ndarray:
    """The map, (2, 3), from pixels counted from a corner to samples of a crop."""
    centre = (place.square[:2] + place.square[2:]) / 2 - corner - 0.5
    scale = size / (place.square[2] - place.square[0])
    cos, sin = scale * np.cos(place.tilt), scale * np.sin(place.tilt)
    turn = np.array([[cos, sin], [-sin, cos]])
    return np.column_stack([turn, (size - 1) / 2 - turn @ centre])


def _inverted(turn: np.ndarray) -> np.ndarray:
    """The inverse map, (2, 3)."""
    back = np.linalg.inv(turn[:, :2])
    return np.column_stack([back, -back @ turn[:, 2]])


def _sampling_weights(low: float, high: float, size: int, count: int) -> np.ndarray:
    """Weights (S, count) of a row's pixels in samples that divide a side evenly.

    They are bilinear, and widened to an area filter if a sample spans more than a
    pixel.
    """
    step = (high - low) / size
    return _triangle(low + (np.arange(size) + 0.5) * step, step, count)


def _unsampling_weights(
    start: int, stop: int, low: float, high: float, size: int
) -> np.ndarray:
    """Weights (pixels, S) of a crop's samples in the pixels of its region."""
    step = (high - low) / size
    # In the last half sample at the crop's edge, the last sample is used.
    place = ((np.arange(start, stop) + 0.5 - low) / step).clip(0.5, size - 0.5)
    return _triangle(place, 1 / step, size)


def _triangle(centre: np.ndarray, reach: float, count: int) -> np.ndarray:
    """Weights (..., count) of evenly spread samples around centres, summing to 1."""
    away = np.abs(np.arange(count) + 0.5 - centre[:, None])
    weight = np.maximum(1 - away / max(reach, 1), 0)
    return (weight / weight.sum(1, keepdims=True)).astype(np.float32)
