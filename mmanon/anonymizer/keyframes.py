"""Choose the frames of a video that are searched for faces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mmanon.structures.boxes import box_ious
from mmanon.structures.faces import Faces
from mmanon.utils.deprecation import renamed_attributes

from .options import SURE

__all__ = ['KeyframePolicy', 'Look']

# Similarity of two frames, see `thumbnail`, below which the second is a keyframe.
_ALIKE = 0.75
# Minimum IoU of a face's boxes in two examined frames.
_SAME_FACE = 0.3
# By how many standard deviations of the picture a small part of it must differ.
_STRANGE = 0.6
# A picture whose shorter side is below _SMALL pixels is enlarged for half of the
# searches.
_SMALL, _ENLARGED = 400, 1.5
# A large picture is shrunk to a shorter side of at least _GLANCED pixels, except for
# each _CLOSE-th search.
_GLANCED, _CLOSE = 360, 6
# Size in pixels from which a face is not missed because of its size.
_SURELY_SEEN = 24


class Look(NamedTuple):
    """The result of searching a frame.

    Attributes:
        faces (Faces): The faces found.
        scale (float): The factor by which the picture was enlarged before; below 1, it
            was shrunk.
    """

    faces: Faces
    scale: float = 1.0


@renamed_attributes(wants='is_keyframe', doubts='is_doubtful')
class KeyframePolicy:
    """Chooses keyframes, which are searched for faces.

    Keyframes are each n-th frame, and each frame in which the picture has changed much.

    Pictures whose shorter side is below 400 pixels are enlarged for every second
    search: small faces are found better, and large ones worse. Pictures with a shorter
    side of at least 720 pixels are shrunk by a whole factor, except for every sixth
    search. If every frame is searched, large pictures are not shrunk.

    Args:
        every (int): n. Defaults to every frame.
        scales (bool): Whether pictures may be searched in other sizes. Defaults to
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
        """Whether the next frame is a keyframe.

        Args:
            thumbnail (np.ndarray): Its :func:`~mmanon.tracking.scene_cuts.thumbnail`.
        """
        self._waited += 1
        if self._waited < self.every and (thumbnail * self._keyframe).sum() >= _ALIKE:
            return False
        self._waited, self._keyframe = 0, thumbnail
        return True

    def next_scale(self, size: Sequence[int]) -> float:
        """The factor by which to enlarge the next keyframe before its search.

        Args:
            size (Sequence[int]): Width and height of the picture.
        """
        self._looks += 1
        lines = min(size)
        if self.scales and lines < _SMALL:
            return _ENLARGED if self._looks % 2 else 1.0
        return 1.0 if self._looks % _CLOSE == 1 else self.scale_between(size)

    def glances(self, size: Sequence[int]) -> bool:
        """Whether most searches of pictures of this size use a smaller copy.

        Args:
            size (Sequence[int]): Width and height.
        """
        return self.scale_between(size) < 1

    def scale_between(self, size: Sequence[int]) -> float:
        """The factor by which to enlarge a picture between keyframes, at most 1.

        Args:
            size (Sequence[int]): Its width and height.
        """
        if not self.scales or self.every == 1:
            return 1.0  # searching every frame is meant to find small faces in each
        return 1 / max(1, min(size) // _GLANCED)

    def is_doubtful(self, before: Look, after: Look, size: Sequence[int]) -> bool:
        """Whether a frame between two examined ones must be examined as well.

        This is so if a sure face is in only one of them: it appeared, disappeared,
        moved far, or was missed. It is also so if one of them could not be examined. A
        face that is too small for one of the searches counts only if it has moved.

        Args:
            before (Look): The result for a frame.
            after (Look): The result for a later frame.
            size (Sequence[int]): Width and height of the frames.
        """
        if not (before.faces.examined and after.faces.examined):
            return True
        least = np.zeros(2, np.float64)
        if before.scale != after.scale:
            # A face too small for the smaller picture is missing in one result.
            seen = _SURELY_SEEN / min(before.scale, after.scale)
            least[:] = seen / np.asarray(size)
        pairs = ((before.faces, after.faces), (after.faces, before.faces))
        if any(_has_unmatched(faces, others, least) for faces, others in pairs):
            return True
        # A face in both results but at another place has moved, whatever its size.
        return all(_has_unmatched(faces, others, 0 * least) for faces, others in pairs)

    def stranger(
        self, before: np.ndarray, between: Sequence[np.ndarray], after: np.ndarray
    ) -> int | None:
        """Find a frame that shows something that is in neither of two examined frames.

        A face may appear and disappear between two examined frames. A part of the
        picture then differs from both, while they are similar there.

        Args:
            before, after (np.ndarray): Thumbnails of the two.
            between (Sequence[np.ndarray]): Thumbnails of the frames between them.

        Returns:
            int or None: The position in ``between`` of the frame that differs most;
            None if none differs enough.
        """
        if not len(between):
            return None
        frames = np.stack(between)
        apart = np.minimum(abs(frames - before), abs(frames - after))
        apart = apart - abs(before - after)
        # Means of two by two pixels of the thumbnail, about 30 pixels of 480.
        blocks = apart[:, 1:] + apart[:, :-1]
        blocks = (blocks[..., 1:] + blocks[..., :-1]).max((1, 2)) / 4
        most = int(blocks.argmax())
        return most if blocks[most] * np.sqrt(before.size) > _STRANGE else None


def _has_unmatched(faces: Faces, others: Faces, least: np.ndarray) -> bool:
    """Whether a sure face, not below a size, overlaps none of the others."""
    sides = faces.boxes[:, 2:] - faces.boxes[:, :2]
    sure = (faces.scores >= SURE) & (sides >= least).any(1)
    ious = box_ious(faces.boxes[sure][:, None], others.boxes)
    return bool((ious <= _SAME_FACE).all(1).any())
