"""Non-maximum suppression: which of overlapping boxes to keep (x1, y1, x2, y2)."""

from __future__ import annotations

import numpy as np

from mmanon.structures.boxes import box_areas, box_ious, shared_areas

__all__ = ['drop_parts', 'suppress']


def suppress(boxes: np.ndarray, scores: np.ndarray, overlap: float) -> np.ndarray:
    """Keep the box with the highest score of those that overlap (greedy NMS).

    Args:
        boxes: (k, 4).
        scores: (k,).
        overlap: IoU in [0, 1] above which the box with the lower score is dropped.

    Returns:
        Indices of the boxes to keep, highest score first.
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
    """Find boxes that repeat a box of ``whole`` or lie mostly inside of one.

    In a face that is too large for it, a detector finds faces in parts of the face.

    Args:
        boxes: (k, 4).
        whole: (n, 4), boxes from a smaller copy of the picture, in which no face is too
            large.
        overlap: IoU in [0, 1] above which a box repeats another.
        part: Fraction of a box's area above which it lies mostly inside of another.

    Returns:
        bool (k,), false for such boxes.
    """
    pairs = boxes[:, None], whole
    inside = shared_areas(*pairs) > part * box_areas(boxes)[:, None]
    return np.logical_not((inside | (box_ious(*pairs) > overlap)).any(1))
