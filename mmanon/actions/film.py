"""Films in which people, their tracks and their actions are drawn."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from mmengine.visualization import Visualizer
from PIL import Image

from mmanon.anonymizer.io.video_reader import VideoReader
from mmanon.utils.atomic_write import written_whole
from mmanon.utils.video import file_url

from .records import ActionRecord
from .windows import TimedFrame

__all__ = [
    'Painter',
    'draw_comparison',
    'draw_film',
    'film_writer',
    'free_places',
    'timed_frames',
]

# Smaller pictures are enlarged so that the text in them is readable.
_LEAST_SIDE = 320
_COLOURS = [
    (255, 196, 0),
    (0, 200, 255),
    (255, 90, 95),
    (120, 220, 90),
    (200, 130, 255),
    (255, 150, 60),
]
# Width of a letter and height of a line, as multiples of the font size for mmengine.
_WIDE, _HIGH = 0.8, 1.5
_TIME_BASE = Fraction(1, 90_000)
_ENCODER = {'crf': '20', 'preset': 'veryfast'}


def timed_frames(
    where: str | Path, start: float | None = None, end: float | None = None
) -> Iterator[TimedFrame]:
    """Read the frames of a video file, upright.

    Args:
        where (str or Path): The file.
        start, end (float, optional): Where to begin and end, in seconds.

    Yields:
        TimedFrame: A frame; its time counts from the first one.

    Raises:
        InputError: When the file cannot be read.
    """
    reader = VideoReader(str(where), False, start, end)
    try:
        turn, rate = reader.orientation, float(reader.stream.average_rate or 25)
        first: float | None = None
        number = 0
        for item in reader:
            if isinstance(item, av.Packet):
                continue
            time = number / rate if item.time is None else float(item.time)
            first = time if first is None else first
            yield TimedFrame(
                turn.upright(item.to_ndarray(format='rgb24')), time - first
            )
            number += 1
    finally:
        reader.close()


class _Person(NamedTuple):
    box: np.ndarray
    words: tuple[str, ...]
    track: int


class Painter:
    """Draws people and their actions into the frames of one video.

    Between two frames in which the detector ran, boxes are interpolated, and the words
    of the earlier one stay.

    Args:
        records (Iterable[ActionRecord]): The records of this video, either raw or
            anonymized.
        step (int): Number of frames between two runs of the detector. A person is shown
            for at most so many frames before and after.
        title (str, optional): Text in the lower left corner of each frame.
    """

    def __init__(
        self, records: Iterable[ActionRecord], step: int, title: str | None = None
    ) -> None:
        self.step, self.title = step, title
        tracks: dict[int, dict[int, list[ActionRecord]]] = defaultdict(dict)
        for one in records:
            tracks[one.track].setdefault(one.frame, []).append(one)
        self._tracks = {
            track: (sorted(frames), frames) for track, frames in tracks.items()
        }
        self._visualizer = Visualizer()

    def people(self, index: int) -> list[_Person]:
        """The people to draw into a frame."""
        shown = []
        for track, (frames, seen) in self._tracks.items():
            place = bisect_left(frames, index)
            after = frames[place] if place < len(frames) else None
            before = frames[place - 1] if place else None
            if after == index:
                before = after
            known = [one for one in (before, after) if one is not None]
            near = min(known, key=lambda one: abs(one - index))
            if abs(near - index) > self.step:
                continue
            box = np.array(seen[near][0].box)
            if before is not None and after is not None and before < index < after:
                if after - before <= 2 * self.step:
                    part = (index - before) / (after - before)
                    ends = [np.array(seen[one][0].box) for one in (before, after)]
                    box = (1 - part) * ends[0] + part * ends[1]
            said = seen[before if before is not None else near]
            words = tuple(
                f'{one.action} {one.score:.0%}'
                for one in said
                if one.action is not None
            )
            shown.append(_Person(box, words, track))
        return shown

    def paint(self, index: int, image: np.ndarray) -> np.ndarray:
        """Draw the people into a frame.

        Args:
            index (int): The frame's number, from 0.
            image (np.ndarray): uint8 (H, W, 3) RGB.

        Returns:
            np.ndarray: uint8; a small frame is enlarged by a whole factor.
        """
        factor = -(-_LEAST_SIDE // min(image.shape[:2]))
        if factor > 1:
            size = image.shape[1] * factor, image.shape[0] * factor
            larger = Image.fromarray(image).resize(size, Image.Resampling.BICUBIC)
            image = np.asarray(larger)
        people = self.people(index)
        if not people and self.title is None:
            return image
        canvas, (high, wide) = self._visualizer, image.shape[:2]
        canvas.set_image(image)
        font = max(7, round(high / 32))
        plate = dict(facecolor='black', alpha=0.6, pad=1, edgecolor='none')
        boxes = [(one.box * factor).clip(0, [wide - 1, high - 1] * 2) for one in people]
        said = [[f'#{person.track}', *person.words] for person in people]
        sizes = [
            (_WIDE * font * max(map(len, lines)), _HIGH * font * len(lines))
            for lines in said
        ]
        corners = free_places([box[:2] + 3 for box in boxes], sizes, (wide, high))
        for person, box in zip(people, boxes, strict=True):
            colour = _COLOURS[person.track % len(_COLOURS)]
            canvas.draw_bboxes(box[None], edge_colors=colour, line_widths=2)
        # Words are drawn last, so that no box of a neighbour crosses them.
        for person, lines, corner in zip(people, said, corners, strict=True):
            colour = _COLOURS[person.track % len(_COLOURS)]
            canvas.draw_texts(
                '\n'.join(lines),
                corner,
                font_sizes=font,
                colors=colour,
                bboxes=plate,
            )
        if self.title is not None:
            canvas.draw_texts(
                self.title,
                np.array([4.0, high - 4.0]),
                font_sizes=font,
                colors='w',
                vertical_alignments='bottom',
                bboxes=plate,
            )
        return canvas.get_image()


def free_places(
    corners: Sequence[np.ndarray],
    sizes: Sequence[tuple[float, float]],
    picture: tuple[int, int],
) -> list[np.ndarray]:
    """Move text plates so that none hides another, as far as possible.

    Args:
        corners (Sequence[np.ndarray]): The desired upper left corner of each, x and y.
        sizes (Sequence[tuple[float, float]]): Width and height of each.
        picture (tuple[int, int]): Width and height of the picture, which they do not
            leave.

    Returns:
        list[np.ndarray]: Their corners: the desired ones, moved to the left or down.
    """
    places = [np.asarray(corner, float) for corner in corners]
    standing: list[np.ndarray] = []
    for k in sorted(range(len(places)), key=lambda k: tuple(places[k][::-1])):
        size = np.array(sizes[k])
        most = np.maximum(np.array(picture) - size, 0)
        place = places[k].clip(0, most)
        for other in sorted(standing, key=lambda one: one[3]):
            meet = (place < other[2:]) & (place + size > other[:2])
            if meet.all():
                place[1] = other[3] + 2
        places[k] = place.clip(0, most)
        standing.append(np.concatenate([places[k], places[k] + size]))
    return places


@contextmanager
def film_writer(path: Path) -> Iterator[Callable[[np.ndarray, float], None]]:
    """Write a film without sound as H.264 in MP4, completely or not at all.

    Args:
        path (Path): The file.

    Yields:
        callable: Takes a frame, uint8 (H, W, 3) RGB, and its time in seconds. All
        frames have the same size, and times ascend.
    """
    stream: av.VideoStream | None = None
    with written_whole(path) as beside:
        with av.open(file_url(beside), 'w', format='mp4') as container:

            def put(image: np.ndarray, time: float) -> None:
                nonlocal stream
                height, width = (side // 2 * 2 for side in image.shape[:2])
                if stream is None:
                    stream = container.add_stream('libx264', 25, options=_ENCODER)
                    stream.width, stream.height = width, height
                    stream.pix_fmt = 'yuv420p'
                    stream.codec_context.time_base = _TIME_BASE
                frame = av.VideoFrame.from_ndarray(
                    np.ascontiguousarray(image[:height, :width]), 'rgb24'
                )
                frame.pts, frame.time_base = round(time / _TIME_BASE), _TIME_BASE
                container.mux(stream.encode(frame))

            yield put
            if stream is not None:
                container.mux(stream.encode())


def draw_film(
    frames: Iterable[TimedFrame],
    records: Iterable[ActionRecord],
    path: Path,
    step: int,
) -> None:
    """Write the film of a video with its people and actions.

    Args:
        frames (Iterable[TimedFrame]): All frames of the video.
        records (Iterable[ActionRecord]): The actions in it.
        path (Path): The film.
        step (int): As for :class:`Painter`.
    """
    painter = Painter(records, step)
    with film_writer(path) as put:
        for index, frame in enumerate(frames):
            put(painter.paint(index, frame.image), frame.time)


def draw_comparison(
    raw: Iterable[TimedFrame],
    anonymized: Iterable[TimedFrame],
    records: Sequence[ActionRecord],
    path: Path,
    step: int,
) -> None:
    """Write a film with the original video on the left and the anonymized on the right.

    Args:
        raw, anonymized (Iterable[TimedFrame]): The frames of both videos; the film ends
            with the shorter one.
        records (Sequence[ActionRecord]): The actions in both.
        path (Path): The film.
        step (int): As for :class:`Painter`.
    """
    left, right = (
        Painter((one for one in records if one.shown == shown), step, title)
        for shown, title in (('raw', 'original'), ('anonymized', 'anonymized'))
    )
    with film_writer(path) as put:
        for index, (one, other) in enumerate(zip(raw, anonymized, strict=False)):
            both = [left.paint(index, one.image), right.paint(index, other.image)]
            put(np.concatenate(both, 1), other.time)
