"""Detects changes of a whole picture at low resolution, without boxes."""

from __future__ import annotations

import numpy as np
from PIL import Image

from mmanon.utils.resampling import area_mean

__all__ = ['cell_change', 'changed_box', 'fitted_to', 'shows_another']

_GRID = 24  # pictures are compared in a grid of 24 x 24 cells
# Minimum correlation of the cells; for a picture that was encoded again it is at least
# 0.98.
_FOLLOWS = 0.7
_FLAT = 3.0  # standard deviation in grey levels below which a picture counts as flat
_AROUND = 1.0  # the surroundings of a face are ignored, by this multiple of its sides


def fitted_to(image: np.ndarray, shape: tuple[int, ...], later: bool) -> np.ndarray:
    """Fit an original to the size of its output, if there is a reason for another size.

    The output may have square pixels where the original has none, which stretches one
    side. If a video changes its size, the output shows later frames in the middle of
    the first size.

    Args:
        image (np.ndarray): The original, uint8 (H, W, 3) RGB.
        shape (tuple[int, ...]): The shape of the output.
        later (bool): Whether this is not the first frame.

    Returns:
        np.ndarray: A picture of that shape, or the original if there is no such reason.
    """
    (height, width), (high, wide) = image.shape[:2], shape[:2]
    if (height, width) == (high, wide):
        return image
    stretched = (height == high or width == wide) and wide <= 3 * width
    if not (stretched and high <= 3 * height or later):
        return image
    scale = min(wide / width, high / height)
    size = (wide, high)
    if not stretched:
        size = (min(wide, round(width * scale)), min(high, round(height * scale)))
    small = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)
    whole = Image.new('RGB', (wide, high))
    whole.paste(small, ((wide - size[0]) // 2, (high - size[1]) // 2))
    return np.asarray(whole)


def cell_change(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """The mean change of each cell of a picture, in grey levels.

    Args:
        old, new (np.ndarray): uint8 (H, W, 3) RGB.

    Returns:
        np.ndarray: float32 (h, w), h and w at most 24.
    """
    height, width = (min(_GRID, side) for side in old.shape[:2])
    change = np.abs(old.astype(np.int16) - new).mean(2, dtype=np.float32)
    return area_mean(change, (width, height))


def changed_box(
    change: np.ndarray, shape: tuple[int, ...], least: float
) -> np.ndarray | None:
    """The rectangle around all cells that have changed.

    Args:
        change (np.ndarray): The result of :func:`cell_change`.
        shape (tuple[int, ...]): The shape of the picture.
        least (float): Minimum change of a cell, in grey levels.

    Returns:
        np.ndarray or None: x1, y1, x2, y2 in pixels; None if nothing has changed.
    """
    rows, columns = np.nonzero(change > least)
    if not len(rows):
        return None
    high, wide = shape[0] / change.shape[0], shape[1] / change.shape[1]
    low = columns.min() * wide, rows.min() * high
    return np.array([*low, (columns.max() + 1) * wide, (rows.max() + 1) * high])


def shows_another(old: np.ndarray, new: np.ndarray, faces: np.ndarray) -> bool:
    """Whether a picture shows something else than before, apart from its faces.

    Args:
        old, new (np.ndarray): uint8 (H, W, 3) RGB.
        faces (np.ndarray): (K, 4) boxes in fractions of the picture; their surroundings
            may be covered as well.
    """
    before, after = _cells(old), _cells(new)
    kept = np.ones(before.shape, bool)
    size = np.tile(before.shape[::-1], 2)
    boxes: list[np.ndarray] = list(faces.astype(np.float64))
    for box in boxes:
        sides = np.tile(box[2:] - box[:2], 2) * [-1, -1, 1, 1]
        x1, y1, x2, y2 = np.round((box + _AROUND * sides) * size).astype(int).clip(0)
        kept[y1:y2, x1:x2] = False
    before, after = before[kept], after[kept]
    if before.size < kept.size / 4 or before.std() < _FLAT:
        return False
    if after.std() < _FLAT:
        return True
    table: np.ndarray = np.corrcoef(before, after)
    return bool(table[0, 1] < _FOLLOWS)


def _cells(image: np.ndarray) -> np.ndarray:
    height, width = (min(_GRID, side) for side in image.shape[:2])
    return area_mean(image.mean(2, dtype=np.float32), (width, height))
