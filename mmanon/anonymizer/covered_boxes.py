"""The boxes that were covered in a video, in 32 bytes each."""

from __future__ import annotations

from array import array

import numpy as np

from .mask_planner import FramePlan

__all__ = ['CoveredBoxes']

_COLUMNS = 8


class CoveredBoxes:
    """What was covered, frame by frame.

    Attributes:
        frames (int): How many frames there were so far.
        size (tuple[int, int], optional): Width and height of the upright picture.
    """

    def __init__(self) -> None:
        self.frames = 0
        self.size: tuple[int, int] | None = None
        self._numbers = array('f')

    def __len__(self) -> int:
        return len(self._numbers) // _COLUMNS

    def add(self, plan: FramePlan) -> None:
        """Add what is masked in a frame; of one that is masked whole, all of it."""
        frame = plan.index
        self.frames = max(self.frames, frame + 1)
        if plan.whole and self.size is not None:
            self._numbers.extend((frame, -1, 0, 0, *self.size, 0, False))
            return
        for mask in plan.masks:
            box = np.asarray(mask.box, np.float32).tolist()
            self._numbers.extend((frame, mask.track, *box, mask.score, mask.seen))

    def as_table(self) -> np.ndarray:
        """All of them, float32 (n, 8).

        Returns:
            np.ndarray: Frame, track (-1 outside all tracks), x1, y1, x2, y2 in pixels
            of the upright picture, score (0 where the detector saw nothing), and
            whether the detector saw the face.
        """
        return np.frombuffer(self._numbers, np.float32).reshape(-1, _COLUMNS).copy()
