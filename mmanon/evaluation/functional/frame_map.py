"""Average precision of actions detected in frames, as in PASCAL VOC since 2010.

Shape letters: D detections, G boxes of the ground truth, B boxes of either, C classes,
R thresholds of the IoU, P pairs of a detection and a box of the ground truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmanon.structures.boxes import box_ious

__all__ = [
    'IOU_RANGE',
    'FrameBoxes',
    'average_precision',
    'average_precisions',
    'best_matches',
    'frame_average_precisions',
    'mean_over_classes',
    'pairs_within_groups',
]

IOU_RANGE = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""The thresholds 0.5, 0.55, …, 0.95 of "mAP at 0.5:0.95", which is their mean."""


@dataclass(frozen=True)
class FrameBoxes:
    """Labelled boxes of many frames: detections, or the ground truth.

    Attributes:
        frames: Numbers of the frames, integers (B,).
        labels: Integers in [0, C), (B,).
        boxes: x1, y1, x2, y2, (B, 4), in the same unit for detections and ground truth.
        scores: Confidences, (B,). Default to zeros.

    Raises:
        ValueError: If lengths differ, or a box or a score is not finite.
    """

    frames: np.ndarray
    labels: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray = None  # type: ignore[assignment]  # until it is made

    def __post_init__(self) -> None:
        boxes = np.asarray(self.boxes, np.float64).reshape(-1, 4)
        scores = np.zeros(len(boxes)) if self.scores is None else self.scores
        fields = dict(
            frames=np.asarray(self.frames, np.int64),
            labels=np.asarray(self.labels, np.int64),
            scores=np.asarray(scores, np.float64),
        )
        for name, values in fields.items():
            if values.shape != (len(boxes),):
                raise ValueError(
                    f'{name} must be ({len(boxes)},), one for each box, '
                    f'got {values.shape}'
                )
            object.__setattr__(self, name, values)
        object.__setattr__(self, 'boxes', boxes)
        wrong = ~np.isfinite(boxes).all(1) | ~np.isfinite(self.scores)
        if wrong.any():
            at = int(wrong.argmax())
            raise ValueError(
                f'frame {self.frames[at]}: box {boxes[at].tolist()} with score '
                f'{self.scores[at]} is not finite'
            )

    def __len__(self) -> int:
        return len(self.boxes)


def frame_average_precisions(
    detections: FrameBoxes,
    truth: FrameBoxes,
    num_classes: int,
    iou_thrs: Sequence[float] = (0.5,),
) -> np.ndarray:
    """Compute the average precision of each class over all frames.

    As in PASCAL VOC, the detections of a class in all frames are sorted by descending
    score. Each is compared with the box of its class and frame that it overlaps most.
    It is correct if the IoU reaches the threshold and no detection with a higher score
    has this box. A second detection of a box is wrong and is not compared with the next
    best box. Detections with equal scores keep their order.

    Args:
        detections: D detections.
        truth: G boxes of the ground truth.
        num_classes: C, the number of classes.
        iou_thrs: The R thresholds, in (0, 1].

    Returns:
        (R, C) in [0, 1]; NaN for classes without ground truth.

    Raises:
        ValueError: If a label is not in [0, C) or a threshold not in (0, 1].

    Example:
        >>> truth = FrameBoxes([7], [0], [[0, 0, 10, 10]])
        >>> found = FrameBoxes([7], [0], [[0, 0, 10, 8]], [0.9])
        >>> frame_average_precisions(found, truth, 1, iou_thrs=(0.5, 0.9)).tolist()
        [[1.0], [0.0]]
    """
    for boxes in (detections, truth):
        check_labels(boxes.labels, num_classes)
    first, second = pairs_within_groups(
        detections.frames * num_classes + detections.labels,
        truth.frames * num_classes + truth.labels,
    )
    ious = box_ious(detections.boxes[first], truth.boxes[second])
    best, best_iou = best_matches(first, second, ious, len(detections))
    return average_precisions(
        detections.labels,
        detections.scores,
        best,
        best_iou,
        np.bincount(truth.labels, minlength=num_classes),
        iou_thrs,
    )


def mean_over_classes(precisions: np.ndarray) -> np.ndarray:
    """Compute the mean average precision over the classes with ground truth.

    Args:
        precisions: (R, C), NaN for classes without ground truth.

    Returns:
        (R,); NaN if no class has ground truth.
    """
    known = ~np.isnan(precisions)
    total = np.where(known, precisions, 0).sum(1)
    return np.divide(
        total, known.sum(1), out=np.full(len(total), np.nan), where=known.any(1)
    )


def average_precision(right: np.ndarray, num_truth: int) -> float:
    """Compute the area under the precision-recall curve, interpolated at all points.

    The precision at a recall is the largest precision at this or a higher recall
    (PASCAL VOC 2010 and later).

    Args:
        right: Whether each detection is correct, by descending score, booleans (D,). At
            most ``num_truth`` are.
        num_truth: G, at least 1.

    Returns:
        In [0, 1]; 0 without detections.

    Example:
        >>> average_precision(np.array([True, False, True]), 2)  # 1/2 * (1 + 2/3)
        0.8333333333333333
    """
    right = np.asarray(right, bool)
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    reached = np.maximum.accumulate(precision[::-1])[::-1]
    # Recall rises by 1 / G with each correct detection.
    return float(reached[right].sum() / num_truth)


def average_precisions(
    labels: np.ndarray,
    scores: np.ndarray,
    best: np.ndarray,
    best_iou: np.ndarray,
    num_truth: np.ndarray,
    iou_thrs: Sequence[float],
) -> np.ndarray:
    """Compute the average precision of each class from the best match of detections.

    Args:
        labels: Classes of the detections in [0, C), (D,).
        scores: (D,).
        best: Index of the ground truth that a detection overlaps most, negative for
            none, (D,).
        best_iou: IoU with it, (D,) in [0, 1].
        num_truth: Number of ground truth items of each class, (C,).
        iou_thrs: The R thresholds, in (0, 1].

    Returns:
        (R, C) in [0, 1]; NaN for classes without ground truth.

    Raises:
        ValueError: If a threshold is not in (0, 1].
    """
    for thr in iou_thrs:
        if not 0 < thr <= 1:
            raise ValueError(f'an IoU threshold must be in (0, 1], got {thr}')
    order = np.argsort(-scores, kind='stable')
    labels, best, best_iou = labels[order], best[order], best_iou[order]
    members = {c: np.flatnonzero(labels == c) for c in np.flatnonzero(num_truth)}
    precisions = np.full((len(iou_thrs), len(num_truth)), np.nan)
    for row, thr in enumerate(iou_thrs):
        close = np.flatnonzero((best >= 0) & (best_iou >= thr))
        surest = np.unique(best[close], return_index=True)[1]
        right = np.zeros(len(order), bool)
        right[close[surest]] = True
        for c, those in members.items():
            precisions[row, c] = average_precision(right[those], num_truth[c])
    return precisions


def best_matches(
    first: np.ndarray, second: np.ndarray, ious: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Find the ground truth that each detection overlaps most.

    Args:
        first: Index of the detection of each pair, (P,).
        second: Index of the ground truth of each pair, (P,).
        ious: Their IoU, (P,). Of equal IoUs, up to rounding errors, the lower index of
            the ground truth counts.
        count: D, the number of detections.

    Returns:
        The index of the ground truth, (D,), -1 for a detection in no pair; and the IoU,
        (D,), 0 for these.
    """
    ious = ious.round(12)
    order = np.lexsort((second, -ious, first))
    found, at = np.unique(first[order], return_index=True)
    best, best_iou = np.full(count, -1), np.zeros(count)
    best[found] = second[order[at]]
    best_iou[found] = ious[order[at]]
    return best, best_iou


def pairs_within_groups(
    groups: np.ndarray, others: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return all pairs of members of two lists that are in the same group.

    Args:
        groups: The group of each member of the first list, integers (D,).
        others: The group of each member of the second list, integers (G,).

    Returns:
        Indices in both lists, (P,) each, the first in ascending order.

    Example:
        >>> first, second = pairs_within_groups(np.array([5, 9]), np.array([9, 5, 9]))
        >>> first.tolist(), second.tolist()
        ([0, 1, 1], [1, 0, 2])
    """
    order = np.argsort(others, kind='stable')
    begin = np.searchsorted(others[order], groups, 'left')
    count = np.searchsorted(others[order], groups, 'right') - begin
    first = np.repeat(np.arange(len(groups)), count)
    within = np.arange(len(first)) - np.repeat(np.cumsum(count) - count, count)
    return first, order[np.repeat(begin, count) + within]


def check_labels(labels: np.ndarray, num_classes: int) -> None:
    """Check that labels are in [0, C).

    Raises:
        ValueError: If one is not; the message names the first.
    """
    wrong = (labels < 0) | (labels >= num_classes)
    if wrong.any():
        raise ValueError(
            f'label {labels[wrong][0]} is not one of the {num_classes} classes 0 … '
            f'{num_classes - 1}'
        )
