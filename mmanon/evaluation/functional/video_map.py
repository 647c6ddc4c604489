"""Action tubes: how detections in frames are linked, and their average precision.

Shape letters: L frames of a tube, B boxes, C classes, R thresholds of the IoU.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mmanon.structures.boxes import box_ious
from mmanon.structures.tubes import Tube

from .frame_map import (
    FrameBoxes,
    average_precisions,
    best_matches,
    check_labels,
    pairs_within_groups,
)

__all__ = ['link_tubes', 'trim_tube', 'video_average_precisions']


def link_tubes(
    detections: FrameBoxes,
    video: str = '',
    iou_thr: float = 0.1,
    max_gap: int = 5,
    iou_weight: float = 1.0,
    top_k: int = 10,
    min_length: int = 1,
) -> list[Tube]:
    """Link the detections in the frames of a video to action tubes, class by class.

    This is the online algorithm of Singh et al., *Online Real-Time Multiple
    Spatiotemporal Action Localisation and Prediction*, ICCV 2017. In each frame, the
    tubes of a class, sorted by descending mean score, each take one of the ``top_k``
    boxes with the highest scores that overlaps their last box by at least ``iou_thr``.
    A tube without a box for too long ends, and each remaining box starts a tube. The
    score of a tube is the mean score of its boxes. Detections should be the output of a
    detector after non-maximum suppression.

    If several boxes match, Singh et al. take the one with the highest score, which
    swaps people close to each other whenever their scores cross. Here it is the one
    with the largest linking score of Gkioxari & Malik, *Finding Action Tubes*, CVPR
    2015: the score plus ``iou_weight`` times the overlap. With ``iou_weight=0`` it is
    the rule of Singh et al.

    Args:
        detections: Detections of one video; ``frames`` are the numbers of its frames.
        video: Name of the video.
        iou_thr: Smallest overlap of a box with the last box of a tube, in [0, 1].
        max_gap: A tube ends when its last box is more than this number of frames old;
            with consecutive frames, after ``max_gap`` frames without a box.
        iou_weight: Weight of the overlap against the score, at least 0.
        top_k: Number of boxes of a class that count in a frame.
        min_length: Tubes with fewer boxes are dropped.

    Returns:
        The tubes, sorted by class and then by their beginning. They have boxes only in
        frames with detections: see :func:`~mmanon.structures.tubes.fill_tube` for the
        frames between.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> boxes = FrameBoxes([3, 4], [0, 0], [[0, 0, 8, 8], [1, 0, 9, 8]], [0.8, 0.6])
        >>> [tube] = link_tubes(boxes, 'dive')
        >>> tube.frames.tolist(), round(tube.score, 2)
        ([3, 4], 0.7)
    """
    if not 0 <= iou_thr <= 1:
        raise ValueError(f'iou_thr must be in [0, 1], got {iou_thr}')
    for name, value, least in [
        ('max_gap', max_gap, 1),
        ('iou_weight', iou_weight, 0),
        ('top_k', top_k, 1),
        ('min_length', min_length, 1),
    ]:
        if value < least:
            raise ValueError(f'{name} must be at least {least}, got {value}')
    linker = _Linker(detections, iou_thr, max_gap, iou_weight)
    for chosen in _frames_of_the_surest(detections, top_k):
        linker.add(chosen)
    order = np.lexsort((detections.frames, linker.tube_of))
    order = order[linker.tube_of[order] >= 0]
    begins = np.flatnonzero(np.diff(linker.tube_of[order])) + 1
    tubes = [
        Tube(
            video,
            int(detections.labels[members[0]]),
            detections.frames[members],
            detections.boxes[members],
            float(detections.scores[members].mean()),
            detections.scores[members],
        )
        for members in np.split(order, begins)
        if len(members) >= min_length
    ]
    return sorted(tubes, key=lambda tube: tube.label)


def _frames_of_the_surest(detections: FrameBoxes, top_k: int) -> list[np.ndarray]:
    """Return for each frame the indices of each class's ``top_k`` highest scores."""
    frames, labels = detections.frames, detections.labels
    order = np.lexsort((-detections.scores, labels, frames))
    new = np.diff(frames[order], prepend=-1) != 0
    new |= np.diff(labels[order], prepend=-1) != 0
    new[:1] = True
    place = np.arange(len(order))
    order = order[place - np.maximum.accumulate(np.where(new, place, 0)) < top_k]
    return np.split(order, np.flatnonzero(np.diff(frames[order])) + 1)


class _Linker:
    """The growing tubes of a video, of all classes.

    Attributes:
        tube_of: Number of the tube of each detection, -1 for none, (B,). Tubes are
            numbered in the order in which they begin.
    """

    def __init__(
        self, detections: FrameBoxes, iou_thr: float, max_gap: int, iou_weight: float
    ) -> None:
        self.detections = detections
        self.iou_thr = iou_thr
        self.max_gap = max_gap
        self.iou_weight = iou_weight
        self.tube_of = np.full(len(detections), -1)
        self.count = 0
        # The tubes that can still grow; and for each tube its last detection, the sum
        # of its scores, and the number of its boxes.
        self.live = np.zeros(0, np.int64)
        self.last = np.zeros(len(detections), np.int64)
        self.sums = np.zeros(len(detections))
        self.lengths = np.zeros(len(detections), np.int64)

    def add(self, chosen: np.ndarray) -> None:
        """Add the detections of the next frame."""
        every = self.detections
        if not len(chosen):
            return
        back = every.frames[chosen[0]] - every.frames[self.last[self.live]]
        self.live = self.live[back <= self.max_gap]
        last = self.last[self.live]
        first, second = pairs_within_groups(every.labels[last], every.labels[chosen])
        ious = box_ious(every.boxes[last[first]], every.boxes[chosen[second]])
        near = ious >= self.iou_thr
        first, second, ious = first[near], second[near], ious[near]
        gains = every.scores[chosen[second]] + self.iou_weight * ious
        means = (self.sums[self.live] / self.lengths[self.live])[first]
        # By mean score of the tube, then the older tube, then the best box.
        order = np.lexsort((second, -gains, first, -means))
        boxes, takers = {}, set()
        for taker, box in zip(
            first[order].tolist(), second[order].tolist(), strict=True
        ):
            if taker not in takers and box not in boxes:
                boxes[box] = taker
                takers.add(taker)
        tubes = np.full(len(chosen), -1)
        tubes[list(boxes)] = self.live[list(boxes.values())]
        begun = np.flatnonzero(tubes < 0)
        tubes[begun] = self.count + np.arange(len(begun))
        self.count += len(begun)
        self.live = np.concatenate([self.live, tubes[begun]])
        self.tube_of[chosen] = tubes
        self.last[tubes] = chosen
        self.sums[tubes] += every.scores[chosen]
        self.lengths[tubes] += 1


def trim_tube(tube: Tube, switch_cost: float) -> list[Tube]:
    """Cut a linked tube into the parts in which the action takes place.

    As in Singh et al., ICCV 2017, after Saha et al., BMVC 2016: each box gets the label
    "action", which gains its score s, or "no action", which gains 1 - s. Each change of
    the label from one box to the next costs ``switch_cost``. Dynamic programming finds
    the labels with the largest sum. Between equal sums, the action continues.

    Args:
        tube: A tube of :func:`link_tubes`, with ``box_scores`` in [0, 1].
        switch_cost: At least 0. A larger cost gives fewer and longer parts.

    Returns:
        The parts, each with its mean score; possibly none.

    Raises:
        ValueError: If the tube has no ``box_scores`` in [0, 1], or the cost is below 0.
    """
    if switch_cost < 0:
        raise ValueError(f'switch_cost must be at least 0, got {switch_cost}')
    scores = tube.box_scores
    if scores is None or scores.min() < 0 or scores.max() > 1:
        raise ValueError(
            f'video {tube.video!r}: trimming a tube needs box_scores in [0, 1]'
        )
    gains = np.stack([1 - scores, scores], axis=1)
    total, stays = gains[0], np.ones((len(tube), 2), bool)
    for at in range(1, len(tube)):
        changed = total[::-1] - switch_cost
        stays[at] = total >= changed
        total = np.maximum(total, changed) + gains[at]
    acting = np.zeros(len(tube), bool)
    label = int(total[1] >= total[0])
    for at in reversed(range(len(tube))):
        acting[at] = label
        label = label if stays[at, label] else 1 - label
    edges = np.flatnonzero(np.diff(np.concatenate([[0], acting, [0]])))
    return [
        replace(
            tube,
            frames=tube.frames[begin:end],
            boxes=tube.boxes[begin:end],
            score=float(scores[begin:end].mean()),
            box_scores=scores[begin:end],
        )
        for begin, end in edges.reshape(-1, 2)
    ]


def video_average_precisions(
    found: Sequence[Tube],
    truth: Sequence[Tube],
    num_classes: int,
    iou_thrs: Sequence[float] = (0.2, 0.5),
) -> np.ndarray:
    """Compute the average precision of each class over the tubes of all videos.

    It works as :func:`frame_average_precisions`, with the tubes of a video instead of
    the boxes of a frame, and :func:`~mmanon.structures.tubes.tube_iou` as overlap.

    Args:
        found: Detected tubes.
        truth: Tubes of the ground truth.
        num_classes: C, the number of classes.
        iou_thrs: The R thresholds, in (0, 1].

    Returns:
        (R, C) in [0, 1]; NaN for classes without ground truth.

    Raises:
        ValueError: If a label is not in [0, C) or a threshold not in (0, 1].
    """
    labels, true_labels = (
        np.array([tube.label for tube in tubes], np.int64) for tubes in (found, truth)
    )
    check_labels(labels, num_classes)
    check_labels(true_labels, num_classes)
    first, second, ious = _ious_of_pairs(found, truth)
    best, best_iou = best_matches(first, second, ious, len(found))
    return average_precisions(
        labels,
        np.array([tube.score for tube in found], np.float64),
        best,
        best_iou,
        np.bincount(true_labels, minlength=num_classes),
        iou_thrs,
    )


def _ious_of_pairs(
    found: Sequence[Tube], truth: Sequence[Tube]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find all pairs of tubes that share a video, label and frame, with their IoU.

    It computes :func:`~mmanon.structures.tubes.tube_iou` of all pairs at once.

    Returns:
        Indices in ``found`` and ``truth``, and the IoU, (P,) each.
    """
    if not found or not truth:
        nothing = np.zeros(0, np.int64)
        return nothing, nothing, np.zeros(0)
    places: dict[tuple[str, int], int] = {}
    for tube in truth:
        places.setdefault((tube.video, tube.label), len(places))
    # Tubes whose video and label are not in the truth share one more number.
    place = np.array([places.get((t.video, t.label), len(places)) for t in found])
    true_place = np.array([places[t.video, t.label] for t in truth])
    length, true_length = (np.array([len(t) for t in ts]) for ts in (found, truth))
    frames, true_frames = (
        np.concatenate([t.frames for t in ts]) for ts in (found, truth)
    )
    low = min(frames.min(), true_frames.min())
    span = max(frames.max(), true_frames.max()) - low + 1
    first, second = pairs_within_groups(
        np.repeat(place, length) * span + frames - low,
        np.repeat(true_place, true_length) * span + true_frames - low,
    )
    boxes, true_boxes = (np.concatenate([t.boxes for t in ts]) for ts in (found, truth))
    overlap = box_ious(boxes[first], true_boxes[second])
    owner = np.repeat(np.arange(len(found)), length)[first]
    true_owner = np.repeat(np.arange(len(truth)), true_length)[second]
    pair, member = np.unique(owner * len(truth) + true_owner, return_inverse=True)
    owner, true_owner = np.divmod(pair, len(truth))
    common = np.bincount(member, minlength=len(pair))
    union = length[owner] + true_length[true_owner] - common
    ious = np.bincount(member, overlap, minlength=len(pair)) / union
    return owner, true_owner, ious
