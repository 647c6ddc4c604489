"""The windows of frames that a detector gets while a video is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

__all__ = ['TimedFrame', 'Window', 'sliding_windows']


class TimedFrame(NamedTuple):
    """An upright picture, uint8 (H, W, 3) RGB, and its time in seconds."""

    image: np.ndarray
    time: float


@dataclass(frozen=True, eq=False)
class Window:
    """The frames that a detector gets at once.

    Attributes:
        index (int): The number of the middle frame, from 0.
        time (float): The time of the middle frame, in seconds.
        frames (list[np.ndarray]): T pictures, each uint8 (H, W, 3) RGB.
        middle (np.ndarray): The middle frame, uint8 (H, W, 3) RGB.
        repeated (bool): Whether the window extends beyond the start or end of the
            video; the first or last frame is then repeated.
    """

    index: int
    time: float
    frames: list[np.ndarray]
    middle: np.ndarray
    repeated: bool


def sliding_windows(
    frames: Iterable[TimedFrame], offsets: Sequence[int], step: int
) -> Iterator[Window]:
    """Yield windows around each ``step``-th frame.

    A frame is kept in memory only as long as a window needs it.

    Args:
        frames (Iterable[TimedFrame]): All frames of a video.
        offsets (Sequence[int]): Positions of a window's frames, relative to its middle.
        step (int): Number of frames from one middle to the next, at least 1.
    """
    needed = {offset % step for offset in offsets} | {0}
    least, most = min(0, *offsets), max(0, *offsets)
    held: dict[int, TimedFrame] = {}
    next_middle, last = 0, -1

    def window(middle: int, end: int | None) -> Window:
        places = [middle + offset for offset in offsets]
        inside = [max(place, 0) for place in places]
        if end is not None:
            inside = [min(place, end) for place in inside]
        here = held[middle]
        shown = [held[place].image for place in inside]
        return Window(middle, here.time, shown, here.image, inside != places)

    for last, frame in enumerate(frames):
        held[last] = frame
        # The previous frame was only kept in case it was the last of the video.
        before = last - 1
        if before > 0 and before % step not in needed:
            held.pop(before, None)
        while next_middle + most <= last:
            yield window(next_middle, None)
            next_middle += step
            for place in [one for one in held if 0 < one < next_middle + least]:
                del held[place]
            if next_middle + least > 0:
                held.pop(0, None)
    while next_middle <= last:
        yield window(next_middle, last)
        next_middle += step
