"""Looks for faces in the frames of a video: closely in some, at a glance in the others.

What is looked at closely depends on what was found before and after: where two frames
do not agree about faces too small for a glance, it is every frame between them. Frames
are held until that is known.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from mmanon.structures.faces import Faces
from mmanon.utils.threads import Answer, Workers

from .keyframes import KeyframePolicy
from .mask_planner import SearchedFrame

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
        thumbnail (np.ndarray): Its :func:`.mask_planner.thumbnail`.
        upright (callable): Of a whole number to the upright picture so many times
            smaller, uint8 (H, W, 3) RGB.
    """

    frame: Any
    size: tuple[int, int]
    thumbnail: np.ndarray
    upright: Callable[[int], np.ndarray]


Found = tuple[Faces, np.ndarray | None]
"""The faces of a picture and, where people are looked for, their similarity to them."""

Look = Callable[[int, np.ndarray], Found]
"""Of a frame's index and its upright picture, of any size, to what is found there."""


@dataclass
class _Held:
    index: int
    picture: Picture
    close: Answer[Found] | None = None
    glance: Answer[Found] | None = None

    @property
    def found(self) -> Found:
        """What the best look at it has found; waits for it."""
        best = self.close or self.glance
        assert best is not None  # a stretch is looked at before it is asked
        return best.result()


def search(
    pictures: Iterable[Picture], look: Look, policy: KeyframePolicy, parallel: bool
) -> Generator[SearchedFrame, None, None]:
    """Look for faces.

    Args:
        pictures (Iterable[Picture]): The frames of one video.
        look (callable): Looks at one.
        policy (KeyframePolicy): Which to look at closely.
        parallel (bool): Whether several may be looked at at a time.

    Yields:
        SearchedFrame: As many, in the same order.
    """
    threads = min(os.cpu_count() or 1, _MOST_THREADS) if parallel else 1
    workers = Workers(threads)

    def submit(held: _Held, smaller: int) -> Answer[Found]:
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
        stretches = _begun(pictures, look_closely, glance_at, policy)
        yield from _settled(stretches, look_closely, policy, threads)
    finally:
        workers.end()


def _begun(
    pictures: Iterable[Picture],
    look_closely: Callable[[_Held], None],
    glance_at: Callable[[_Held], None],
    policy: KeyframePolicy,
) -> Iterator[list[_Held]]:
    """Stretches of frames; the last frame of each is being looked at closely."""
    stretch: list[_Held] = []
    for index, picture in enumerate(pictures):
        stretch.append(_Held(index, picture))
        if policy.is_keyframe(picture.thumbnail):
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
    policy: KeyframePolicy,
    threads: int,
) -> Iterator[SearchedFrame]:
    waiting: deque[list[_Held]] = deque()
    before = Faces.none()

    def settle() -> Iterator[SearchedFrame]:
        nonlocal before
        stretch = waiting.popleft()
        after, _ = stretch[-1].found
        between = [held.found[0] for held in stretch[:-1]]
        if policy.is_doubtful(before, between, after, stretch[-1].picture.size):
            for held in stretch:
                look_closely(held)
        before = after
        for held in stretch:
            faces, similarity = held.found
            picture = held.picture
            yield SearchedFrame(
                picture.frame, faces, picture.size, picture.thumbnail, similarity
            )

    for stretch in stretches:
        waiting.append(stretch)
        if len(waiting) > _WAITING * threads:
            yield from settle()
    while waiting:
        yield from settle()
