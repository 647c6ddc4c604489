"""Functions of boxes, arrays whose last axis is x1, y1, x2, y2 in any unit.

The width is x2 - x1, without "+ 1". A box with x2 < x1 or y2 < y1 is empty.
"""

from __future__ import annotations

import numpy as np

__all__ = ['box_areas', 'box_ious', 'enclosing_box', 'outside_frame', 'shared_areas']


def box_areas(boxes: np.ndarray) -> np.ndarray:
    """Areas (...) of boxes (..., 4)."""
    return (boxes[..., 2:] - boxes[..., :2]).clip(0).prod(-1)


def shared_areas(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Areas of the intersections of boxes, pair by pair.

    Args:
        boxes: (..., 4).
        others: A shape that broadcasts with ``boxes``.

    Returns:
        (...), at least 0.
    """
    low = np.maximum(boxes[..., :2], others[..., :2])
    high = np.minimum(boxes[..., 2:], others[..., 2:])
    return (high - low).clip(0).prod(-1)


def box_ious(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes, pair by pair.

    Args:
        boxes: (..., 4).
        others: A shape that broadcasts with ``boxes``.

    Returns:
        (...) in [0, 1]; 0 where both boxes are empty.

    Example:
        >>> boxes = np.array([[0.0, 0, 2, 2], [0, 0, 2, 1]])
        >>> box_ious(boxes[:, None], boxes).tolist()  # of each with each
        [[1.0, 0.5], [0.5, 1.0]]
    """
    shared = shared_areas(boxes, others)
    union = box_areas(boxes) + box_areas(others) - shared
    nothing = np.zeros(shared.shape, np.result_type(shared, np.float32))
    return np.divide(shared, union, out=nothing, where=union > 0)


def enclosing_box(boxes: np.ndarray) -> np.ndarray:
    """The smallest box (4,) that encloses boxes (k, 4), k at least 1."""
    return np.concatenate([boxes[:, :2].min(0), boxes[:, 2:].max(0)])


def outside_frame(boxes: np.ndarray) -> np.ndarray:
    """Find boxes that violate 0 <= x1 < x2 <= 1 or 0 <= y1 < y2 <= 1, or have a NaN.

    Args:
        boxes: (k, 4) in fractions of the frame.

    Returns:
        bool (k,), true for such boxes.
    """
    inside = ((boxes >= 0) & (boxes <= 1)).all(1)
    return np.logical_not(inside & (boxes[:, 2:] > boxes[:, :2]).all(1))
