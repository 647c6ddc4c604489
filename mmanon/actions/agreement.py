"""Compare the actions that a detector finds in anonymized and in original videos."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mmanon.structures.boxes import box_ious

from .records import ActionRecord

__all__ = ['LEAST_OVERLAP', 'Agreement', 'agreement', 'total']

LEAST_OVERLAP = 0.5
"""Minimum IoU of two boxes of the same person."""


@dataclass(frozen=True)
class Agreement:
    """How many actions are the same.

    Attributes:
        raw (int): Number of actions found in the original videos.
        anonymized (int): Number of actions found in the anonymized videos.
        same (int): Number of pairs, one action from each, with the same video, frame
            and action and an IoU of the boxes of at least :data:`LEAST_OVERLAP`.
    """

    raw: int
    anonymized: int
    same: int

    @property
    def share(self) -> float | None:
        """Twice the number of pairs divided by the number of all actions, in [0, 1].

        This is the F1 score of the actions in the anonymized videos, with those in the
        original videos as the ground truth. None if there is no action.
        """
        every = self.raw + self.anonymized
        return 2 * self.same / every if every else None

    def __str__(self) -> str:
        if self.share is None:
            return 'no action is found, neither in the original nor in the anonymized'
        return (
            f'{self.share:.0%} agreement: {self.raw} actions in the original, '
            f'{self.anonymized} in the anonymized, {self.same} in both'
        )


def agreement(
    raw: Iterable[ActionRecord], anonymized: Iterable[ActionRecord]
) -> Agreement:
    """Compare the actions found in original and in anonymized videos.

    Args:
        raw, anonymized (Iterable[ActionRecord]): Actions in the same videos and frames.

    Returns:
        Agreement: Each action is in at most one pair; the number of pairs is the
        largest possible one.
    """
    from scipy.optimize import linear_sum_assignment

    first, second = _by_place(raw), _by_place(anonymized)
    same = 0
    for place in first.keys() & second.keys():
        one, other = np.array(first[place]), np.array(second[place])
        meet = box_ious(one[:, None], other) >= LEAST_OVERLAP
        same += int(meet[linear_sum_assignment(-meet.astype(float))].sum())
    counts = [sum(map(len, boxes.values())) for boxes in (first, second)]
    return Agreement(counts[0], counts[1], same)


def total(parts: Sequence[Agreement]) -> Agreement:
    """The agreement over several videos."""
    return Agreement(
        sum(one.raw for one in parts),
        sum(one.anonymized for one in parts),
        sum(one.same for one in parts),
    )


def _by_place(records: Iterable[ActionRecord]) -> dict[tuple, list]:
    boxes = defaultdict(list)
    for one in records:
        if one.action is not None:
            boxes[one.video, one.frame, one.action].append(one.box)
    return boxes
