"""Looks for faces in the frames of a video: in some of them, several at a time.

What is looked at depends on what was found before and after: between two frames that
do not agree about where the faces are, every frame is looked at. Frames are held until
that is known.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from mmanon.datasets.faces import Faces

from .face_finding import Watch
from .face_tracks import SeenFrame
from .overlap import Workers

__all__ = ['Picture', 'search']

_MOST_THREADS = 8
# Frames that are looked at wait in this number for each thread.
_WAITING = 2


class Picture(NamedTuple):
    """A frame that has not been searched yet.

    Attributes:
        frame: Whatever stands for it; it is passed on.
        size (tuple[int, int]): Width and height of the upright picture.
        thumbnail (np.ndarray): Its :func:`~.face_tracks.thumbnail`.
        upright (callable): Makes the upright picture, uint8 (H, W, 3) RGB.
    """

    frame: Any
    size: tuple[int, int]
    thumbnail: np.ndarray
    upright: Callable[[], np.ndarray]


Look = Callable[[int, np.ndarray], tuple[Faces, np.ndarray | None]]
"""Of a frame's index and its upright picture to its faces and, where people are looked
for, how much each is like them."""


@dataclass
class _Held:
    index: int
    picture: Picture
    look: Future | None = None


def search(
    pictures: Iterable[Picture], look: Look, watch: Watch, parallel: bool
) -> Iterator[SeenFrame]:
    """Look for faces.

    Args:
        pictures (Iterable[Picture]): The frames of one video.
        look (callable): Looks at one.
        watch (Watch): Which to look at.
        parallel (bool): Whether several may be looked at at a time.

    Yields:
        SeenFrame: As many, in the same order; no face in frames that need not be
        looked at.
    """
    threads = min(os.cpu_count() or 1, _MOST_THREADS) if parallel else 1
    workers = Workers(threads)

    def look_at(held: _Held) -> None:
        if held.look is None:
            index, upright = held.index, held.picture.upright
            held.look = workers.submit(
                lambda: look(index, np.ascontiguousarray(upright()))
            )

    try:
        yield from _settled(_begun(pictures, look_at, watch), look_at, threads)
    finally:
        workers.end()


def _begun(
    pictures: Iterable[Picture], look_at: Callable[[_Held], None], watch: Watch
) -> Iterator[list[_Held]]:
    """Stretches of frames; the last frame of each is being looked at."""
    stretch: list[_Held] = []
    for index, picture in enumerate(pictures):
        stretch.append(_Held(index, picture))
        if watch.wants(picture.thumbnail):
            look_at(stretch[-1])
            yield stretch
            stretch = []
    if stretch:
        look_at(stretch[-1])
        yield stretch


def _settled(
    stretches: Iterable[list[_Held]], look_at: Callable[[_Held], None], threads: int
) -> Iterator[SeenFrame]:
    waiting: deque[list[_Held]] = deque()
    before = Faces.none()

    def settle() -> Iterator[SeenFrame]:
        nonlocal before
        stretch = waiting.popleft()
        after, _ = stretch[-1].look.result()
        if Watch.doubts(before, after):
            for one in stretch:
                look_at(one)
        before = after
        for one in stretch:
            faces, likeness = (
                (Faces.none(), None) if one.look is None else one.look.result()
            )
            picture = one.picture
            yield SeenFrame(
                picture.frame, faces, picture.size, picture.thumbnail, likeness
            )

    for stretch in stretches:
        waiting.append(stretch)
        if len(waiting) > _WAITING * threads:
            yield from settle()
    while waiting:
        yield from settle()
