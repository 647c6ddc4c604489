"""In which frames of a video faces are looked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mmanon.structures.boxes import box_ious
from mmanon.structures.faces import Faces
from mmanon.utils.deprecation import renamed_attributes

from .options import SURE

__all__ = ['KeyframePolicy', 'Look']

# Similarity of two frames, see `thumbnail`, below which faces are looked for anew.
_ALIKE = 0.75
# IoU of a face's boxes in two frames that are looked at.
_SAME_FACE = 0.3
# By how many standard deviations of the picture a small part of it must be otherwise.
_STRANGE = 0.6
# Lines below which a picture is small: half of the looks are at it enlarged.
_SMALL, _ENLARGED = 400, 1.5
# Lines of a glance at a large picture; and each how many of the looks is a close one.
_GLANCED, _CLOSE = 360, 6
# Pixels in a look from which on no face is missed because of its size.
_SURELY_SEEN = 24


class Look(NamedTuple):
    """The faces found by a look at a frame.

    Attributes:
        faces (Faces): Some, or none.
        scale (float): How many times larger the picture was made before.
    """

    faces: Faces
    scale: float = 1.0


@renamed_attributes(wants='is_keyframe', doubts='is_doubtful')
class KeyframePolicy:
    """Chooses keyframes, in which faces are looked for.

    It is each n-th frame, and each where much has changed.

    Each second look at a picture below 400 lines is at the picture enlarged, in which
    small faces show better and large ones worse. In one of 720 lines and more most
    looks are glances, at a picture made smaller by a whole number, and each sixth is a
    close one; where each frame is looked at, all are.

    Args:
        every (int): n. Defaults to every frame.
        scales (bool): Whether pictures are looked at in other sizes. Defaults to
            ``True``.

    Raises:
        ValueError: When ``every`` is below 1.
    """

    def __init__(self, every: int = 1, scales: bool = True) -> None:
        if every < 1:
            raise ValueError(f'every must be at least 1, got {every}')
        self.every, self.scales = every, scales
        self._waited, self._keyframe = every, np.zeros(0)
        self._looks = 0

    def is_keyframe(self, thumbnail: np.ndarray) -> bool:
        """Whether to look for faces in the next frame.

        Args:
            thumbnail (np.ndarray): Its :func:`~mmanon.tracking.scene_cuts.thumbnail`.
        """
        self._waited += 1
        if self._waited < self.every and (thumbnail * self._keyframe).sum() >= _ALIKE:
            return False
        self._waited, self._keyframe = 0, thumbnail
        return True

    def next_scale(self, size: Sequence[int]) -> float:
        """How many times larger to make the next keyframe for its look.

        Args:
            size (Sequence[int]): Width and height of the picture.
        """
        self._looks += 1
        lines = min(size)
        if self.scales and lines < _SMALL:
            return _ENLARGED if self._looks % 2 else 1.0
        return 1.0 if self._looks % _CLOSE == 1 else self.scale_between(size)

    def glances(self, size: Sequence[int]) -> bool:
        """Whether most looks at pictures of a size are at them made smaller.

        Args:
            size (Sequence[int]): Width and height.
        """
        return self.scale_between(size) < 1

    def scale_between(self, size: Sequence[int]) -> float:
        """How many times larger to make a picture between keyframes.

        Args:
            size (Sequence[int]): Its width and height.
        """
        if not self.scales or self.every == 1:
            return 1.0  # who has each frame looked at wants the small faces of each
        return 1 / max(1, min(size) // _GLANCED)

    def is_doubtful(self, before: Look, after: Look, size: Sequence[int]) -> bool:
        """Whether to look between two frames after all.

        A sure face that is in only one of them came, went, moved far, or was missed.
        The neighbours of a frame that could not be examined are doubtful as well. A
        face too small for one of the looks counts only if it has moved.

        Args:
            before (Look): Of a frame.
            after (Look): Of a later one.
            size (Sequence[int]): Width and height of the frames.
        """
        if not (before.faces.examined and after.faces.examined):
            return True
        least = np.zeros(2, np.float64)
        if before.scale != after.scale:
            # The other look has not found what was too small for it.
            seen = _SURELY_SEEN / min(before.scale, after.scale)
            least[:] = seen / np.asarray(size)
        pairs = ((before.faces, after.faces), (after.faces, before.faces))
        if any(_has_unmatched(faces, others, least) for faces, others in pairs):
            return True
        # What both have and in other places has moved, whatever its size.
        return all(_has_unmatched(faces, others, 0 * least) for faces, others in pairs)

    def stranger(
        self, before: np.ndarray, between: Sequence[np.ndarray], after: np.ndarray
    ) -> int | None:
        """Which frame between two shows most of what is in neither, if one does.

        A face may come and go between two looks: then a part of the picture is other
        than in both, while they are alike there.

        Args:
            before, after (np.ndarray): Thumbnails of the two.
            between (Sequence[np.ndarray]): Of the frames between them.
        """
        if not len(between):
            return None
        frames = np.stack(between)
        apart = np.minimum(abs(frames - before), abs(frames - after))
        apart = apart - abs(before - after)
        # Means of two by two: some 30 pixels of 480.
        blocks = apart[:, 1:] + apart[:, :-1]
        blocks = (blocks[..., 1:] + blocks[..., :-1]).max((1, 2)) / 4
        most = int(blocks.argmax())
        return most if blocks[most] * np.sqrt(before.size) > _STRANGE else None


def _has_unmatched(faces: Faces, others: Faces, least: np.ndarray) -> bool:
    """Whether a face that is sure, and not below a size, is in no place of others."""
    sides = faces.boxes[:, 2:] - faces.boxes[:, :2]
    sure = (faces.scores >= SURE) & (sides >= least).any(1)
    ious = box_ious(faces.boxes[sure][:, None], others.boxes)
    return bool((ious <= _SAME_FACE).all(1).any())
