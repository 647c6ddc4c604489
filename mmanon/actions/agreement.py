"""Whether a detector sees in anonymized videos what it sees in the originals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mmanon.structures.boxes import box_ious

from .records import ActionRecord

__all__ = ['LEAST_OVERLAP', 'Agreement', 'agreement', 'total']

LEAST_OVERLAP = 0.5
"""Overlap (IoU) from which two boxes are the same person's."""


@dataclass(frozen=True)
class Agreement:
    """How many actions are the same.

    Attributes:
        raw (int): Actions seen on original faces.
        anonymized (int): Actions seen when anonymized.
        same (int): Pairs of one of each: same video, frame and action, and boxes that
            overlap by :data:`LEAST_OVERLAP` at least.
    """

    raw: int
    anonymized: int
    same: int

    @property
    def share(self) -> float | None:
        """Twice the pairs by all actions, in [0, 1]; None where there is no action.

        It is the F1 score of what is seen when anonymized, if what is seen on faces as
        they are is taken for the truth.
        """
        every = self.raw + self.anonymized
        return 2 * self.same / every if every else None

    def __str__(self) -> str:
        if self.share is None:
            return 'no action is seen, neither on faces as they are nor when anonymized'
        return (
            f'{self.share:.0%} agreement: {self.raw} actions on faces as they are, '
            f'{self.anonymized} when anonymized, {self.same} the same'
        )


def agreement(
    raw: Iterable[ActionRecord], anonymized: Iterable[ActionRecord]
) -> Agreement:
    """Compare the actions seen on original and on anonymized faces.

    Args:
        raw, anonymized (Iterable[ActionRecord]): Of the same videos and frames.

    Returns:
        Agreement: Each action is in one pair at most, and there are as many as can be.
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
