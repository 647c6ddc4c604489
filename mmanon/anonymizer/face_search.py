"""Search some frames of a video for faces, and more frames where these do not agree.

Between examined frames, faces are followed by their appearance (see
:class:`.mask_planner.MaskPlanner`). If a face appears, disappears or moves fast between
two examined frames, the frame in the middle is examined as well, and so on until
neighbours agree. Frames are kept in memory until then.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from mmanon.structures.faces import Faces
from mmanon.utils.threads import Answer, Workers

from .keyframes import KeyframePolicy, Look
from .mask_planner import SearchedFrame

__all__ = ['Picture', 'search']

_MOST_THREADS = 8
# This many stretches of frames per thread wait for their results.
_WAITING = 2


class Picture(NamedTuple):
    """A frame that has not been searched yet.

    Attributes:
        frame: Any object for the frame; it is passed on.
        size (tuple[int, int]): Width and height of the upright picture.
        thumbnail (np.ndarray): Its :func:`~mmanon.tracking.scene_cuts.thumbnail`.
        upright (callable): Maps a scale to the upright picture at that scale, uint8 (H,
            W, 3) RGB.
        luma (np.ndarray, optional): Its brightness, upright, uint8 (H, W).
    """

    frame: Any
    size: tuple[int, int]
    thumbnail: np.ndarray
    upright: Callable[[float], np.ndarray]
    luma: np.ndarray | None = None


_NOTHING = (Faces.none(), None)

Found = tuple[Faces, np.ndarray | None]
"""The faces of a picture and, if people are distinguished, their similarities."""

Search = Callable[[int, np.ndarray], Found]
"""Takes a frame's index and its upright picture, of any size; returns the faces."""


@dataclass
class _Held:
    index: int
    picture: Picture
    answer: Answer[Found] | None = None
    scale: float = 1.0

    @property
    def look(self) -> Look:
        """The result of its search; waits for it."""
        assert self.answer is not None
        return Look(self.answer.result()[0], self.scale)


def search(
    pictures: Iterable[Picture], find: Search, policy: KeyframePolicy, parallel: bool
) -> Generator[SearchedFrame, None, None]:
    """Search a video for faces.

    Args:
        pictures (Iterable[Picture]): The frames of one video.
        find (callable): Searches one frame.
        policy (KeyframePolicy): Decides which frames are examined.
        parallel (bool): Whether several frames may be examined at the same time.

    Yields:
        SearchedFrame: The frames, in the same order.
    """
    pictures = iter(pictures)
    first = next(pictures, None)
    if first is None:
        return
    threads = min(os.cpu_count() or 1, _MOST_THREADS) if parallel else 1
    if policy.glances(first.size):
        # Each search takes 100 MB or more, and coding needs the other processors.
        threads = max(1, threads // 2)
    pictures = chain([first], pictures)
    workers = Workers(threads)

    def look_at(held: _Held, scale: float) -> None:
        index, upright = held.index, held.picture.upright
        held.scale = scale
        held.answer = workers.submit(
            lambda: find(index, np.ascontiguousarray(upright(scale)))
        )

    try:
        yield from _settled(_begun(pictures, look_at, policy), look_at, policy, threads)
    finally:
        workers.end()


def _begun(
    pictures: Iterable[Picture],
    look_at: Callable[[_Held, float], None],
    policy: KeyframePolicy,
) -> Iterator[list[_Held]]:
    """Yield stretches of frames; the search of the last frame of each has begun."""
    stretch: list[_Held] = []
    for index, picture in enumerate(pictures):
        stretch.append(_Held(index, picture))
        if policy.is_keyframe(picture.thumbnail):
            look_at(stretch[-1], policy.next_scale(picture.size))
            yield stretch
            stretch = []
    if stretch:
        look_at(stretch[-1], 1.0)
        yield stretch


def _settled(
    stretches: Iterable[list[_Held]],
    look_at: Callable[[_Held, float], None],
    policy: KeyframePolicy,
    threads: int,
) -> Iterator[SearchedFrame]:
    waiting: deque[list[_Held]] = deque()
    before: tuple[Look, np.ndarray | None] = (Look(Faces.none()), None)

    def settle() -> Iterator[SearchedFrame]:
        nonlocal before
        stretch = waiting.popleft()
        _look_between(before, stretch, look_at, policy)
        before = stretch[-1].look, stretch[-1].picture.thumbnail
        for held in stretch:
            picture, looked = held.picture, held.answer is not None
            faces, similarity = held.answer.result() if held.answer else _NOTHING
            yield SearchedFrame(
                picture.frame,
                faces,
                picture.size,
                picture.thumbnail,
                similarity,
                picture.luma,
                looked,
            )

    for stretch in stretches:
        waiting.append(stretch)
        if len(waiting) > _WAITING * threads:
            yield from settle()
    while waiting:
        yield from settle()


def _look_between(
    before: tuple[Look, np.ndarray | None],
    stretch: list[_Held],
    look_at: Callable[[_Held, float], None],
    policy: KeyframePolicy,
) -> None:
    """Examine the frame in the middle between two that do not agree, and so on.

    Also examine a frame that shows something that neither of the two shows.

    Args:
        before (tuple): The result for the frame before the stretch, and its thumbnail.
        stretch (list): The frames; the last one has been examined.
        look_at (callable): Begins the search of a frame.
        policy (KeyframePolicy): As for :func:`search`.
    """
    gaps = [(before, stretch)]
    while gaps:
        doubtful, middles = [], []
        for gap in gaps:
            place = _doubt(*gap, policy)
            if place is not None:
                doubtful.append(gap)
                middles.append(place)
        # Begin all searches before waiting for one.
        for (_, held), middle in zip(doubtful, middles, strict=True):
            size = held[middle].picture.size
            look_at(held[middle], policy.scale_between(size))
        gaps = []
        for (first, held), middle in zip(doubtful, middles, strict=True):
            gaps.append((first, held[: middle + 1]))
            seen = held[middle].look, held[middle].picture.thumbnail
            gaps.append((seen, held[middle + 1 :]))


def _doubt(
    first: tuple[Look, np.ndarray | None], held: list[_Held], policy: KeyframePolicy
) -> int | None:
    """The position of a frame to examine between two; None if there is no need."""
    if len(held) < 2:
        return None
    last = held[-1].picture
    if policy.is_doubtful(first[0], held[-1].look, last.size):
        return (len(held) - 1) // 2
    if first[1] is None:
        return None
    between = [one.picture.thumbnail for one in held[:-1]]
    return policy.stranger(first[1], between, last.thumbnail)
