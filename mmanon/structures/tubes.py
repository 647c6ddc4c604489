"""Action tubes: one person doing one action, a box in each of a set of frames.

Frame numbers have gaps if only some frames of a video are used. Shape letter: L frames
of a tube.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .boxes import box_ious

__all__ = ['Tube', 'cut_tube', 'fill_tube', 'tube_iou']


@dataclass(frozen=True)
class Tube:
    """One person doing one action, found or annotated.

    Attributes:
        video: Name of the video.
        label: The number of the action, in [0, C).
        frames: (L,), the frame numbers, ascending integers.
        boxes: (L, 4), x1, y1, x2, y2 in any unit that all tubes share.
        score: The confidence; it has no meaning in the ground truth.
        box_scores: (L,), the scores of the detections that were linked, or None.

    Raises:
        ValueError: If there are no frames or they do not ascend, lengths differ, or a
            box or ``score`` is not finite.
    """

    video: str
    label: int
    frames: np.ndarray
    boxes: np.ndarray
    score: float = 1.0
    box_scores: np.ndarray | None = None

    def __post_init__(self) -> None:
        frames = np.asarray(self.frames, np.int64)
        boxes = np.asarray(self.boxes, np.float64).reshape(-1, 4)
        object.__setattr__(self, 'frames', frames)
        object.__setattr__(self, 'boxes', boxes)
        what = f'video {self.video!r}: a tube of label {self.label}'
        if not len(frames) or frames.ndim != 1 or (np.diff(frames) <= 0).any():
            raise ValueError(f'{what} has no frames, or they do not ascend')
        if len(boxes) != len(frames):
            raise ValueError(f'{what} has {len(frames)} frames and {len(boxes)} boxes')
        if not (np.isfinite(boxes).all() and np.isfinite(self.score)):
            raise ValueError(f'{what} has a box or a score that is not finite')

    def __len__(self) -> int:
        return len(self.frames)


def fill_tube(tube: Tube, frames: np.ndarray | None = None) -> Tube:
    """Add boxes in the frames between a tube's own, by linear interpolation.

    Args:
        tube: A tube.
        frames: (n,), the existing frames, ascending, including the tube's own. Defaults
            to all from the tube's first to its last.

    Returns:
        The tube with a box in each of ``frames`` from its first to its last frame, with
        the same score and without ``box_scores``.
    """
    first, last = tube.frames[0], tube.frames[-1]
    if frames is None:
        frames = np.arange(first, last + 1)
    frames = frames[(frames >= first) & (frames <= last)]
    boxes = [np.interp(frames, tube.frames, side) for side in tube.boxes.T]
    return replace(tube, frames=frames, boxes=np.stack(boxes, 1), box_scores=None)


def cut_tube(tube: Tube, frames: np.ndarray) -> Tube | None:
    """Keep a tube's boxes in the given frames only; None if there are none."""
    kept = np.isin(tube.frames, frames)
    if not kept.any():
        return None
    return replace(
        tube, frames=tube.frames[kept], boxes=tube.boxes[kept], box_scores=None
    )


def tube_iou(tube: Tube, other: Tube) -> float:
    """Spatio-temporal IoU: temporal IoU times the mean IoU of boxes in common frames.

    This is the sum of the IoU over the common frames, divided by the number of frames
    that either tube has.

    Args:
        tube: A tube.
        other: Another tube; video and label are not compared.

    Returns:
        In [0, 1].

    Example:
        >>> half = Tube('dive', 0, [0, 1], [[0, 0, 8, 8], [0, 0, 8, 8]])
        >>> tube_iou(half, Tube('dive', 0, [1, 2, 3], [[0, 0, 8, 4]] * 3))  # 1/4 * 1/2
        0.125
    """
    common, mine, theirs = np.intersect1d(
        tube.frames, other.frames, assume_unique=True, return_indices=True
    )
    overlap = box_ious(tube.boxes[mine], other.boxes[theirs]).sum()
    return float(overlap / (len(tube) + len(other) - len(common)))
