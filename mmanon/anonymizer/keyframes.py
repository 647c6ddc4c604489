"""Which frames of a video are looked at closely."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmanon.structures.boxes import box_ious
from mmanon.structures.faces import Faces
from mmanon.utils.deprecation import renamed_attributes

from .options import SURE

__all__ = ['KeyframePolicy']

# Similarity of two frames, see `thumbnail`, below which faces are looked for anew.
_ALIKE = 0.9
# IoU of a face's boxes in two frames that are looked at.
_SAME_FACE = 0.3
# Pixels from which on a face is found in a picture of half the size, and some more.
_SEEN_AT_A_GLANCE = 48


@renamed_attributes(wants='is_keyframe', doubts='is_doubtful')
class KeyframePolicy:
    """Chooses keyframes, each n-th and where much changes, for a close look.

    Args:
        every (int): n. Defaults to every frame.
        scale (float): By how much the detector makes each picture smaller before.

    Raises:
        ValueError: When ``every`` is below 1.
    """

    def __init__(self, every: int = 1, scale: float = 1.0) -> None:
        if every < 1:
            raise ValueError(f'every must be at least 1, got {every}')
        self.every = every
        self._seen_at_a_glance = _SEEN_AT_A_GLANCE / scale
        self._waited, self._keyframe = every, np.zeros(0)

    def is_keyframe(self, thumbnail: np.ndarray) -> bool:
        """Whether to look closely at the next frame.

        Args:
            thumbnail (np.ndarray): Its :func:`.mask_planner.thumbnail`.
        """
        self._waited += 1
        if self._waited < self.every and (thumbnail * self._keyframe).sum() >= _ALIKE:
            return False
        self._waited, self._keyframe = 0, thumbnail
        return True

    def is_doubtful(
        self,
        before: Faces,
        between: Sequence[Faces],
        after: Faces,
        size: Sequence[int],
    ) -> bool:
        """Whether to look closely at the frames between two keyframes after all.

        A face too small for a glance that is there in one and not in the other, or has
        moved by more than its tracks would bridge well, came, went, or was missed; and
        nothing is known of the frames beside one that could not be examined.

        Args:
            before (Faces): Of the keyframe before.
            between (Sequence[Faces]): Of glances at the frames in between.
            after (Faces): Of the keyframe after.
            size (Sequence[int]): Width and height of the frames.
        """
        if not all(faces.examined for faces in (before, *between, after)):
            return True
        least = self._seen_at_a_glance / np.asarray(size)
        return any(
            self._has_unmatched(faces, others, least)
            for faces, others in ((before, after), (after, before))
        )

    def _has_unmatched(self, faces: Faces, others: Faces, least: np.ndarray) -> bool:
        """Whether a face that is sure, and below a size, is in no place of others."""
        small = (faces.boxes[:, 2:] - faces.boxes[:, :2] < least).any(1)
        small &= faces.scores >= SURE
        ious = box_ious(faces.boxes[small][:, None], others.boxes)
        return bool((ious <= _SAME_FACE).all(1).any())
