"""The boxes that were covered in a video, in 32 bytes each."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np

from .mask_planner import FaceMask

__all__ = ['CoveredBoxes']

_COLUMNS = 8


class CoveredBoxes:
    """What was covered, frame by frame."""

    def __init__(self) -> None:
        self._numbers = array('f')

    def __len__(self) -> int:
        return len(self._numbers) // _COLUMNS

    def add(self, frame: int, masks: Sequence[FaceMask]) -> None:
        """Add the masks of a frame, which is counted from 0."""
        for mask in masks:
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
