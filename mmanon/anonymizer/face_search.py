"""Looks for faces in the frames of a video: closely in some, at a glance in the others.

What is looked at closely depends on what was found before and after: where two frames
do not agree about faces too small for a glance, it is every frame between them. Frames
are held until that is known.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from mmanon.structures.faces import Faces
from mmanon.utils.threads import Answer, Workers

from .face_finding import Watch
from .mask_planner import SeenFrame

__all__ = ['Picture', 'search']

_MOST_THREADS = 8
# Frames that are looked at closely wait in this number for each thread.
_WAITING = 2
# A glance is at a picture so many times smaller, and none at one whose shorter side is
# below this: there faces are small, and looking closely costs little.
_SMALLER, _LARGE = 2, 400


class Picture(NamedTuple):
    """A frame that has not been searched yet.

    Attributes:
        frame: Whatever stands for it; it is passed on.
        size (tuple[int, int]): Width and height of the upright picture.
        thumbnail (np.ndarray): Its :func:`~.face_tracks.thumbnail`.
        upright (callable): Of a whole number to the upright picture so many times
            smaller, uint8 (H, W, 3) RGB.
    """

    frame: Any
    size: tuple[int, int]
    thumbnail: np.ndarray
    upright: Callable[[int], np.ndarray]


Look = Callable[[int, np.ndarray], tuple[Faces, np.ndarray | None]]
"""Of a frame's index and its upright picture, of any size, to its faces and, where
people are looked for, how much each is like them."""


@dataclass
class _Held:
    index: int
    picture: Picture
    close: Answer | None = None
    glance: Answer | None = None

    @property
    def found(self) -> tuple[Faces, np.ndarray | None]:
        """What the best look at it has found; waits for it."""
        return (self.close or self.glance).result()


def search(
    pictures: Iterable[Picture], look: Look, watch: Watch, parallel: bool
) -> Iterator[SeenFrame]:
    """Look for faces.

    Args:
        pictures (Iterable[Picture]): The frames of one video.
        look (callable): Looks at one.
        watch (Watch): Which to look at closely.
        parallel (bool): Whether several may be looked at at a time.

    Yields:
        SeenFrame: As many, in the same order.
    """
    threads = min(os.cpu_count() or 1, _MOST_THREADS) if parallel else 1
    workers = Workers(threads)

    def submit(held: _Held, smaller: int) -> Answer:
        index, upright = held.index, held.picture.upright
        return workers.submit(
            lambda: look(index, np.ascontiguousarray(upright(smaller)))
        )

    def look_closely(held: _Held) -> None:
        if held.close is None:
            held.close = submit(held, 1)

    def glance_at(held: _Held) -> None:
        if min(held.picture.size) < _LARGE:
            look_closely(held)
        else:
            held.glance = submit(held, _SMALLER)

    try:
        stretches = _begun(pictures, look_closely, glance_at, watch)
        yield from _settled(stretches, look_closely, watch, threads)
    finally:
        workers.end()


def _begun(
    pictures: Iterable[Picture],
    look_closely: Callable[[_Held], None],
    glance_at: Callable[[_Held], None],
    watch: Watch,
) -> Iterator[list[_Held]]:
    """Stretches of frames; the last frame of each is being looked at closely."""
    stretch: list[_Held] = []
    for index, picture in enumerate(pictures):
        stretch.append(_Held(index, picture))
        if watch.wants(picture.thumbnail):
            look_closely(stretch[-1])
            yield stretch
            stretch = []
        else:
            glance_at(stretch[-1])
    if stretch:
        look_closely(stretch[-1])
        yield stretch


def _settled(
    stretches: Iterable[list[_Held]],
    look_closely: Callable[[_Held], None],
    watch: Watch,
    threads: int,
) -> Iterator[SeenFrame]:
    waiting: deque[list[_Held]] = deque()
    before = Faces.none()

    def settle() -> Iterator[SeenFrame]:
        nonlocal before
        stretch = waiting.popleft()
        after, _ = stretch[-1].found
        between = [one.found[0] for one in stretch[:-1]]
        if watch.doubts(before, between, after, stretch[-1].picture.size):
            for one in stretch:
                look_closely(one)
        before = after
        for one in stretch:
            faces, likeness = one.found
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
