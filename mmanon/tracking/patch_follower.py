"""Find a face again by its appearance, in frames in which no detector finds it.

The method is the normalized cross-correlation of a small grey patch with the
surroundings of the face's last position. We considered packages: OpenCV has several
trackers, but comes in four distributions that overwrite each other. scikit-image's
``match_template`` needs SciPy and cannot ignore pixels outside the picture, into which
a face may partly move.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmanon.utils.resampling import area_mean

__all__ = ['Patch', 'cut_patch', 'find_patch']

_SAMPLES = 16  # along the longer side of a patch
_REACH = 6  # samples by which a face may be away from its expected position
_VISIBLE = 0.35  # minimum part of a patch that lies in the picture
_FLAT = 2.0  # minimum standard deviation in grey levels: flat patches fit anywhere


@dataclass(frozen=True)
class Patch:
    """The appearance and place of a face.

    Attributes:
        box (np.ndarray): x1, y1, x2, y2 in pixels.
        pixels (np.ndarray): Grey, (h, w) float32; NaN outside the picture.
    """

    box: np.ndarray
    pixels: np.ndarray


def cut_patch(picture: np.ndarray, box: np.ndarray) -> Patch | None:
    """Remember what a face looks like.

    Args:
        picture (np.ndarray): Grey, uint8 (H, W).
        box (np.ndarray): x1, y1, x2, y2 in pixels; it may extend beyond the picture.

    Returns:
        Patch or None: None if less than 35 % of the face is in the picture, or its
        pixels hardly differ.
    """
    step = max(float((box[2:] - box[:2]).max()) / _SAMPLES, 1.0)
    size = np.maximum(np.rint((box[2:] - box[:2]) / step), 1).astype(int)
    pixels = _sampled(picture, box[:2], step, (int(size[0]), int(size[1])))
    known = np.isfinite(pixels)
    if known.mean() < _VISIBLE or pixels[known].std() < _FLAT:
        return None
    return Patch(np.asarray(box, float), pixels)


def find_patch(
    picture: np.ndarray, patch: Patch, near: np.ndarray
) -> tuple[np.ndarray, float]:
    """Search for a face around its expected position.

    Args:
        picture (np.ndarray): Grey, uint8 (H, W).
        patch (Patch): The appearance of the face.
        near (np.ndarray): The expected box, x1, y1, x2, y2 in pixels.

    Returns:
        tuple[np.ndarray, float]: The box with the best fit, of the patch's size, and
        the correlation of its visible part, in [-1, 1]; 0 if too little is visible.
    """
    rows, columns = patch.pixels.shape
    side = patch.box[2:] - patch.box[:2]
    step = max(float(side.max()) / _SAMPLES, 1.0)
    corner = (near[:2] + near[2:] - side) / 2
    around = _sampled(
        picture,
        corner - _REACH * step,
        step,
        (columns + 2 * _REACH, rows + 2 * _REACH),
    )
    fits = _correlations(around, patch.pixels)
    # Among equally good positions, choose the nearest one to the expected position.
    away = np.hypot(*np.meshgrid(*[np.arange(-_REACH, _REACH + 1)] * 2))
    down, across = np.unravel_index((fits - 1e-3 * away).argmax(), fits.shape)
    low = corner + (np.array([across, down]) - _REACH) * step
    return np.concatenate([low, low + side]), float(fits[down, across])


def _sampled(
    picture: np.ndarray, corner: np.ndarray, step: float, size: tuple[int, int]
) -> np.ndarray:
    """Means of squares of ``step`` by ``step`` pixels, (h, w); NaN outside."""
    # Whole pixels are precise enough and need no interpolation.
    x1, y1 = np.rint(corner).astype(int).tolist()
    x2, y2 = x1 + round(step * size[0]), y1 + round(step * size[1])
    height, width = picture.shape
    part = picture[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0)]
    if not part.size:
        return np.full(size[::-1], np.nan, np.float32)
    inside = x1 >= 0 and y1 >= 0 and x2 <= width and y2 <= height
    skip = max(1, int(step / 2))
    if inside:
        return area_mean(part[::skip, ::skip], size)
    whole = np.full((y2 - y1, x2 - x1), np.nan, np.float32)
    whole[
        max(-y1, 0) : max(-y1, 0) + part.shape[0],
        max(-x1, 0) : max(-x1, 0) + part.shape[1],
    ] = part
    whole = whole[::skip, ::skip]
    known = np.isfinite(whole)
    share = area_mean(known.astype(np.float32), size)
    total = area_mean(np.where(known, whole, 0), size)
    with np.errstate(invalid='ignore', divide='ignore'):
        return np.where(share > 0.5, total / share, np.nan).astype(np.float32)


def _correlations(around: np.ndarray, patch: np.ndarray) -> np.ndarray:
    """Correlation of a patch with each window of its surroundings."""
    windows = np.lib.stride_tricks.sliding_window_view(around, patch.shape)
    shape, count = windows.shape[:2], patch.size
    windows = windows.reshape(-1, count)
    flat = patch.reshape(1, -1)
    if np.isfinite(around).all() and np.isfinite(patch).all():
        middle = windows - windows.mean(1, keepdims=True)
        own = (flat - flat.mean()).ravel()
        below = np.linalg.norm(middle, axis=1) * np.linalg.norm(own)
        enough = np.linalg.norm(middle, axis=1) >= _FLAT * count**0.5
        fits = np.divide(middle @ own, below, out=np.zeros_like(below), where=enough)
        return fits.reshape(shape)
    known = np.isfinite(windows) & np.isfinite(flat)
    number = known.sum(1)
    one = np.where(known, windows, 0)
    other = np.where(known, flat, 0)
    counted = np.maximum(number, 1)[:, None]
    one = np.where(known, one - one.sum(1, keepdims=True) / counted, 0)
    other = np.where(known, other - other.sum(1, keepdims=True) / counted, 0)
    lengths = np.linalg.norm(one, axis=1), np.linalg.norm(other, axis=1)
    enough = (number >= _VISIBLE * count) & (
        np.minimum(*lengths) >= _FLAT * np.sqrt(number)
    )
    below = lengths[0] * lengths[1]
    fits = np.divide(
        (one * other).sum(1), below, out=np.zeros_like(below), where=enough
    )
    return fits.reshape(shape)
