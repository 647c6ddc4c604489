"""The windows of a video that a detector is shown, as the video goes by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

__all__ = ['TimedFrame', 'Window', 'sliding_windows']


class TimedFrame(NamedTuple):
    """A picture, uint8 (H, W, 3) RGB and upright, and the second it is shown at."""

    image: np.ndarray
    time: float


@dataclass(frozen=True, eq=False)
class Window:
    """The frames that a detector sees at once.

    Attributes:
        index (int): The frame in its middle, counted from 0.
        time (float): When that is shown, in seconds.
        frames (list[np.ndarray]): T pictures, each uint8 (H, W, 3) RGB.
        middle (np.ndarray): That frame, likewise.
        repeated (bool): Whether it reaches beyond an end of the video; the first or
            last frame is then repeated.
    """

    index: int
    time: float
    frames: list[np.ndarray]
    middle: np.ndarray
    repeated: bool


def sliding_windows(
    frames: Iterable[TimedFrame], offsets: Sequence[int], step: int
) -> Iterator[Window]:
    """Windows around each ``step``-th frame.

    Only frames that a window needs are held, and no longer than it does.

    Args:
        frames (Iterable[TimedFrame]): All frames of a video.
        offsets (Sequence[int]): Where a window's frames lie, counted from its middle.
        step (int): Frames from one middle to the next, at least 1.
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
        # The one before was held in case that it was the video's last.
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
