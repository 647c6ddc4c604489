"""The faces of one frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ['Faces']


@dataclass(frozen=True)
class Faces:
    """Faces of one frame, in fractions of the frame's width and height.

    Attributes:
        boxes: float32 (k, 4), x1, y1, x2, y2 in [0, 1] with x1 < x2 and y1 < y2.
        scores: float32 (k,), the detector's confidence in [0, 1].
        landmarks: float32 (k, 5, 2), x and y of the eye on the image's left, the eye
            on its right, the nose, and the mouth's corner on its left and its right;
            NaN where unknown.
        tracks: int32 (k,), the number of a face's track, the same in all frames of a
            video; -1 where unknown.
        examined: Whether a face detector has examined this frame.
    """

    boxes: np.ndarray
    scores: np.ndarray
    landmarks: np.ndarray
    tracks: np.ndarray
    examined: bool = True

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def is_cover(self) -> bool:
        """Whether the whole frame is to be covered, as with :meth:`whole_frame`."""
        return not self.examined and bool((self.boxes == (0, 0, 1, 1)).all(1).any())

    @classmethod
    def none(cls) -> Faces:
        """The faces of a frame without a face."""
        return cls(*_empty())

    @classmethod
    def concatenate(cls, parts: Sequence[Faces]) -> Faces:
        """Concatenate at least one ``Faces``, in order."""
        return cls(
            np.concatenate([part.boxes for part in parts]),
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.landmarks for part in parts]),
            np.concatenate([part.tracks for part in parts]),
            examined=all(part.examined for part in parts),
        )

    @classmethod
    def whole_frame(cls) -> Faces:
        """One box over a whole frame that was not examined."""
        return cls(
            np.array([[0, 0, 1, 1]], np.float32),
            np.zeros(1, np.float32),
            np.full((1, 5, 2), np.nan, np.float32),
            np.full(1, -1, np.int32),
            examined=False,
        )


def _empty() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    return (
        np.zeros((0, 4), np.float32),
        np.zeros(0, np.float32),
        np.zeros((0, 5, 2), np.float32),
        np.zeros(0, np.int32),
    )
