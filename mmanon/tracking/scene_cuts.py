"""Find the cuts between the scenes of a video."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

import numpy as np

from mmanon.utils.resampling import area_mean

__all__ = ['HasThumbnail', 'thumbnail', 'with_cuts']

_SIZE = (32, 24)
_CUT = 0.25
_BLINK = 2  # number of frames that a flash may last without counting as a cut


class HasThumbnail(Protocol):
    """A frame with its :func:`thumbnail`."""

    thumbnail: np.ndarray


Frame = TypeVar('Frame', bound=HasThumbnail)


def thumbnail(image: np.ndarray) -> np.ndarray:
    """A small grey picture, (24, 32) float32 with mean 0 and L2 norm 1.

    The scalar product of two thumbnails is 1 for pictures that differ only in
    brightness and contrast. The norm is lower for a picture of one colour.

    Args:
        image (np.ndarray): uint8 (H, W, 3), or grey (H, W).
    """
    width, height = _SIZE
    # A few pixels of each part suffice for its mean and take a tenth of the time.
    step = max(1, min(image.shape[1] // (4 * width), image.shape[0] // (4 * height)))
    grey = np.rint(area_mean(image[::step, ::step], _SIZE))
    if grey.ndim == 3:
        grey = grey.mean(2)
    grey -= grey.mean()
    return grey / max(float(np.linalg.norm(grey)), 1.0)


def with_cuts(frames: Iterable[Frame]) -> Iterator[tuple[Frame, bool]]:
    """Yield each frame with whether a new scene begins with it.

    A scene begins if none of the last three frames is similar to this frame or one of
    the next two. A flash or a damaged frame, after which the scene continues, is
    therefore no cut.

    Args:
        frames (Iterable): In the order in which they are shown.

    Yields:
        tuple: A frame, and whether it begins a scene.
    """
    known: deque[Frame] = deque(maxlen=_BLINK + 1)
    coming: deque[Frame] = deque()
    source = iter(frames)
    ended = False
    while True:
        while not ended and len(coming) <= _BLINK:
            following = next(source, None)
            if following is None:
                ended = True
            else:
                coming.append(following)
        if not coming:
            return
        cut = bool(known) and all(
            float((old.thumbnail * new.thumbnail).sum()) < _CUT
            for old in known
            for new in coming
        )
        if cut:
            known.clear()
        frame = coming.popleft()
        known.append(frame)
        yield frame, cut
