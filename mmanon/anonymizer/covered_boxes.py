"""The covered boxes of a video, with 32 bytes each."""

from __future__ import annotations

from array import array

import numpy as np

from mmanon.face_detectors.kinds import FACES

from .mask_planner import FramePlan

__all__ = ['CoveredBoxes']

_COLUMNS = 8


class CoveredBoxes:
    """The covered boxes, frame by frame.

    Attributes:
        frames (int): The number of frames so far.
        size (tuple[int, int], optional): Width and height of the upright picture.
    """

    def __init__(self) -> None:
        self.frames = 0
        self.size: tuple[int, int] | None = None
        self._numbers = {FACES: array('f')}

    def __len__(self) -> int:
        return sum(map(len, self._numbers.values())) // _COLUMNS

    @property
    def kinds(self) -> list[str]:
        """The kinds of objects; faces come first."""
        return list(self._numbers)

    def add(self, plan: FramePlan) -> None:
        """Add the masks of a frame; if it is covered whole, one box of its size."""
        frame = plan.index
        self.frames = max(self.frames, frame + 1)
        if plan.whole and self.size is not None:
            whole = (frame, -1, 0, 0, *self.size, 0, False)
            self._numbers[FACES].extend(whole)
            return
        for mask in plan.masks:
            box = np.asarray(mask.box, np.float32).tolist()
            numbers = self._numbers.setdefault(mask.kind, array('f'))
            numbers.extend((frame, mask.track, *box, mask.score, mask.seen))

    def as_table(self, kind: str = FACES) -> np.ndarray:
        """All boxes of a kind, float32 (n, 8).

        Args:
            kind (str): One of :attr:`kinds`. Defaults to faces.

        Returns:
            np.ndarray: Frame, track (-1 if none), x1, y1, x2, y2 in pixels of the
            upright picture, score (0 if the detector did not see it), and whether the
            detector saw it.
        """
        numbers = np.frombuffer(self._numbers[kind], np.float32)
        return numbers.reshape(-1, _COLUMNS).copy()
