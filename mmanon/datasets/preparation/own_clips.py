"""Reads the user's own clips, with people and actions in a table.

The table is a ``.csv`` file with a header. A line is one person doing one action at one
moment::

    clip,time,x1,y1,x2,y2,action,person
    kitchen.mp4,1.2,100,40,260,420,drink,anna

``time`` is in seconds. Alternatively, ``frame`` is the index from 0 in a video file, or
the number in the file name in a folder of images. Boxes are in pixels, or, if no value
of any box is above 1, fractions of the frame. ``person`` may be left out.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import av
import numpy as np

from mmanon.datasets.formats.ava_writer import Annotation
from mmanon.datasets.video_sources import VideoSource, find_video_sources
from mmanon.utils.near_names import or_near
from mmanon.utils.video import decode, open_video, upright

from .action_set import ActionSet, box_in_frame
from .frames import frame_times, numbered_images, sampled_at
from .images import image_size
from .problems import Problems

__all__ = ['read_own_clips', 'split_clips']

SIDES = ('x1', 'y1', 'x2', 'y2')
# By default every fourth clip is for testing.
TEST_EVERY = 4


@dataclass(frozen=True)
class _Row:
    line: int
    clip: str
    moment: float
    box: tuple[float, float, float, float]
    action: str
    person: str | None


def read_own_clips(
    clips: Path, table: Path, problems: Problems, test: Sequence[str] = ()
) -> ActionSet | None:
    """Read a folder of clips with a table of boxes and actions.

    Args:
        clips: Folder of videos and folders of numbered images, at any depth.
        table: The table, as described above.
        problems: Gets the problems, with line numbers.
        test: Patterns of the clips to test on; see :func:`split_clips`.

    Returns:
        The annotations, or None if they cannot be read.
    """
    try:
        sources, _ = find_video_sources(clips)
        rows, by_time = _read_rows(table, problems)
    except FileNotFoundError:
        problems.missing(table, 'the table of boxes and actions')
        return None
    except (ValueError, UnicodeDecodeError) as error:
        problems.wrong(table, str(error))
        return None
    pixels = any(max(row.box) > 1 for row in rows)
    classes = sorted({row.action for row in rows})
    data = ActionSet(classes, {}, [], {})
    for name, those in _by_clip(table, rows, sources, problems).items():
        source = next(source for source in sources if source.name == name)
        clip = _Clip.read(source.path, problems)
        if clip is None:
            continue
        data.videos[name] = source.path
        people: dict[object, int] = {}
        for row in those:
            where = f'{table}, line {row.line}'
            try:
                frame = clip.frame_at(row.moment) if by_time else clip.frame(row.moment)
                scale = (clip.width, clip.height) if pixels else (1, 1)
                box = box_in_frame(row.box, *scale)
                if box is None:
                    raise ValueError(
                        f'the box {row.box} is not x1 < x2, y1 < y2 within the '
                        f'{clip.width} x {clip.height} pixels of {name}'
                    )
                # Without names, equal boxes at the same moment are one person.
                person = people.setdefault(row.person or (frame, box), len(people))
                data.annotations.append(
                    Annotation(name, frame, box, classes.index(row.action) + 1, person)
                )
            except ValueError as error:
                problems.wrong(where, str(error))
    if not data.videos:
        return None
    try:
        data.splits = split_clips(list(data.videos), test)
    except ValueError as error:
        problems.wrong(clips, str(error))
        return None
    return data


def split_clips(names: Sequence[str], test: Sequence[str] = ()) -> dict[str, list[str]]:
    """Divide clips into those for training and those for testing.

    Args:
        names: Names of all clips.
        test: Patterns of the clips to test on, such as ``'*_kitchen'``. Defaults to
            every fourth clip in the order of names, at least one.

    Returns:
        The names by ``'train'`` and ``'test'``.

    Raises:
        ValueError: If one of the two would be empty.
    """
    names = sorted(names)
    if test:
        chosen = [name for name in names if any(fnmatch(name, one) for one in test)]
    else:
        chosen = names[TEST_EVERY - 1 :: TEST_EVERY] or names[-1:]
    rest = [name for name in names if name not in chosen]
    if not (chosen and rest):
        said = f'--test {" ".join(test)} leaves' if test else 'this leaves'
        raise ValueError(
            f'{said} {len(rest)} of {len(names)} annotated clips to train on and '
            f'{len(chosen)} to test on, but each needs at least one: cut a long '
            'clip in two or name others by --test'
        )
    return {'train': rest, 'test': chosen}


def _read_rows(table: Path, problems: Problems) -> tuple[list[_Row], bool]:
    """Read the lines of the table; also return whether they have times, not frames."""
    text = table.read_text('utf-8-sig')
    header = text.partition('\n')[0]
    lines = csv.reader(
        text.splitlines(), delimiter=';' if ';' in header and ',' not in header else ','
    )
    names = [name.strip().lower() for name in next(lines, [])]
    by_time = 'time' in names
    moment = 'time' if by_time else 'frame'
    needed = ('clip', moment, *SIDES, 'action')
    missing = [name for name in needed if name not in names]
    if missing:
        what = ['time or frame' if name == 'frame' else name for name in missing]
        raise ValueError(
            f'its first line must name the columns, but {", ".join(what)} is missing: '
            f'{header.strip()!r}'
        )
    place = {name: names.index(name) for name in (*needed, 'person') if name in names}
    rows = []
    for number, cells in enumerate(lines, 2):
        if not any(cell.strip() for cell in cells):
            continue
        try:
            values = {name: cells[i].strip() for name, i in place.items()}
            box = tuple(float(values[side]) for side in SIDES)
            when = float(values[moment]) if by_time else int(values[moment])
            row = _Row(
                number,
                _filled(values, 'clip'),
                when,
                (box[0], box[1], box[2], box[3]),
                _filled(values, 'action'),
                values.get('person') or None,
            )
        except (ValueError, IndexError):
            problems.wrong(
                f'{table}, line {number}',
                f'{",".join(cells)!r} is not {", ".join(place)} as the first line says',
            )
        else:
            rows.append(row)
    if not rows:
        raise ValueError('it has no valid lines')
    return rows, by_time


def _filled(values: Mapping[str, str], name: str) -> str:
    # No quotation marks, because the label map puts actions in quotes.
    if not values[name] or '"' in values[name]:
        raise ValueError(name)
    return values[name]


def _by_clip(
    table: Path,
    rows: Sequence[_Row],
    sources: Sequence[VideoSource],
    problems: Problems,
) -> dict[str, list[_Row]]:
    """Group the rows by clip, named as on disk."""
    known: dict[str, list[str]] = {}
    for source in sources:
        for name in {source.name, source.name.rpartition('/')[2]}:
            known.setdefault(name, []).append(source.name)
    found: dict[str, list[_Row]] = {}
    for row in rows:
        name = row.clip.replace('\\', '/')
        # The name may have the extension of the file.
        names = known.get(name) or known.get(name.rpartition('.')[0]) or []
        if len(names) == 1:
            found.setdefault(names[0], []).append(row)
        elif names:
            problems.wrong(
                f'{table}, line {row.line}',
                f'{row.clip} may be {" or ".join(names)}: write it with its folder',
            )
        else:
            problems.missing(row.clip, f'{table} names it; {or_near(row.clip, known)}')
    return dict(sorted(found.items()))


@dataclass(frozen=True)
class _Clip:
    """The properties of a clip that are needed to place a box in it.

    Attributes:
        width, height: Size of upright frames in pixels.
        times: Time of each frame in seconds; None for a folder of images.
        numbers: Numbers of the images; None for a video file.
    """

    width: int
    height: int
    times: np.ndarray | None
    numbers: frozenset[int] | None

    @classmethod
    def read(cls, path: Path, problems: Problems) -> _Clip | None:
        read: Callable[[Path], _Clip] = (
            cls._read_images if path.is_dir() else cls._read_file
        )
        try:
            return read(path)
        except (av.FFmpegError, IndexError, StopIteration, ValueError) as error:
            problems.unreadable(path, str(error) or 'it has no frames')
            return None

    @classmethod
    def _read_file(cls, path: Path) -> _Clip:
        with open_video(path) as container:
            height, width = upright(next(iter(decode(container)))).shape[:2]
        return cls(width, height, frame_times(path), None)

    @classmethod
    def _read_images(cls, path: Path) -> _Clip:
        images = numbered_images(path)
        size = image_size(next(iter(images.values())))
        if size is None:
            raise ValueError('its first image cannot be read')
        return cls(*size, None, frozenset(images))

    def frame(self, number: float) -> int:
        """Return the number of a frame's file in the prepared data set."""
        if self.times is None:
            if number not in (self.numbers or ()):
                raise ValueError(f'there is no image number {number}')
            return int(number)
        if not 0 <= number < len(self.times):
            raise ValueError(
                f'frame {number}: the clip has frames 0 to {len(self.times) - 1}'
            )
        return int(number) + 1

    def frame_at(self, time: float) -> int:
        """Return the number of the file of the frame shown at a time in seconds."""
        if self.times is None:
            raise ValueError(
                'images have no times: give `frame`, the number in the name of a file'
            )
        if not 0 <= time <= self.times[-1] + 1:
            raise ValueError(
                f'time {time:g}: the clip ends at {self.times[-1]:.2f} seconds'
            )
        return int(sampled_at(self.times, np.array([time]))[0]) + 1
