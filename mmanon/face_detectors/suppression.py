"""Which of boxes that overlap stay; boxes are x1, y1, x2, y2."""

from __future__ import annotations

import numpy as np

from mmanon.structures.boxes import box_areas, box_ious, shared_areas

__all__ = ['drop_parts', 'suppress']


def suppress(boxes: np.ndarray, scores: np.ndarray, overlap: float) -> np.ndarray:
    """Of boxes that overlap the one of the highest score stays (greedy NMS).

    Args:
        boxes: (k, 4).
        scores: (k,).
        overlap: IoU in [0, 1] above which the box of the lower score goes.

    Returns:
        Indices of those that stay, highest score first.
    """
    left = np.argsort(-np.asarray(scores), kind='stable')
    kept = []
    while len(left):
        first, left = left[0], left[1:]
        kept.append(first)
        left = left[box_ious(boxes[first], boxes[left]) <= overlap]
    return np.asarray(kept, int)


def drop_parts(
    boxes: np.ndarray, whole: np.ndarray, overlap: float, part: float = 0.6
) -> np.ndarray:
    """Leave out boxes that repeat others, or lie mostly in one of them.

    Where a face is too large for a detector it finds faces in parts of it.

    Args:
        boxes: (k, 4).
        whole: (n, 4), boxes that were found where no face is too large.
        overlap: IoU in [0, 1] above which a box repeats one of them.
        part: Part of a box's area above which it lies mostly in one.

    Returns:
        bool (k,), those that stay.
    """
    pairs = boxes[:, None], whole
    inside = shared_areas(*pairs) > part * box_areas(boxes)[:, None]
    return np.logical_not((inside | (box_ious(*pairs) > overlap)).any(1))
