"""Reads annotations of actions: the AVA format, and tubes as of UCF101-24."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmanon.structures.tubes import Tube

__all__ = [
    'AvaBoxes',
    'person_tubes',
    'read_ava_boxes',
    'read_excluded',
    'read_label_map',
    'read_tube_file',
    'usual_step',
]


@dataclass(frozen=True)
class AvaBoxes:
    """The B lines of an annotation file in the format of AVA.

    Attributes:
        videos: Names of the videos, one for each line.
        timestamps: Integers, (B,).
        boxes: x1, y1, x2, y2 as fractions of the frame, (B, 4).
        ids: Numbers of the actions in the label map, (B,).
        persons: Numbers of the people, (B,), or None if the file has none.
    """

    videos: list[str]
    timestamps: np.ndarray
    boxes: np.ndarray
    ids: np.ndarray
    persons: np.ndarray | None

    def __len__(self) -> int:
        return len(self.videos)


def read_ava_boxes(path: str | Path) -> AvaBoxes:
    """Read annotations in the format of AVA.

    A line is ``video, timestamp, x1, y1, x2, y2, action`` and, in most files, the
    person's number.

    Args:
        path: The ``.csv`` file.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If a line does not have this form, or there is no line.
    """
    path = _file(path, 'annotations')
    videos: list[str] = []
    numbers: list[list[int]] = []
    boxes: list[list[float]] = []
    with path.open(newline='') as file:
        for line, row in enumerate(csv.reader(file), 1):
            if not row:
                continue
            try:
                box = [float(value) for value in row[2:6]]
                number = [int(row[1]), int(row[6]), *map(int, row[7:])]
            except (ValueError, IndexError):
                box, number = [], []
            # Boxes of people at the border may extend a little beyond the frame.
            if len(box) != 4 or not all(-1 <= side <= 2 for side in box):
                raise ValueError(
                    f'{path}, line {line}: {",".join(row)!r} is not video, timestamp, '
                    'x1, y1, x2, y2 as fractions of the frame, action[, person]'
                )
            if numbers and len(number) != len(numbers[0]) or len(number) > 3:
                raise ValueError(
                    f'{path}, line {line}: it has {len(row)} columns; all lines must '
                    'have 7, or all 8'
                )
            videos.append(row[0])
            numbers.append(number)
            boxes.append(box)
    if not videos:
        raise ValueError(f'{path} has no annotations')
    columns = np.array(numbers, np.int64).T
    return AvaBoxes(
        videos,
        columns[0],
        np.array(boxes),
        columns[1],
        columns[2] if len(columns) == 3 else None,
    )


def read_excluded(path: str | Path) -> set[tuple[str, int]]:
    """Read the timestamps that AVA excludes: lines of ``video, timestamp``.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If a line does not have this form.
    """
    path = _file(path, 'excluded timestamps')
    excluded = set()
    with path.open(newline='') as file:
        for line, row in enumerate(csv.reader(file), 1):
            try:
                if row:
                    video, timestamp = row
                    excluded.add((video, int(timestamp)))
            except ValueError:
                raise ValueError(
                    f'{path}, line {line}: {",".join(row)!r} is not video, timestamp'
                ) from None
    return excluded


def read_label_map(path: str | Path) -> dict[int, str]:
    """Read the names of the actions from a label map, a ``.pbtxt`` file.

    Returns:
        The names by their numbers, in ascending order of the numbers.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it has no actions, or two with the same number or name.
    """
    path = _file(path, "the actions' names")
    names: dict[int, str] = {}
    for item in re.findall(r'\{(.*?)\}', path.read_text('utf-8'), re.DOTALL):
        name = re.search(r'\bname:\s*"(.*?)"', item)
        number = re.search(r'\b(?:label_)?id:\s*(\d+)', item)
        if name is None or number is None:
            raise ValueError(f'{path}: {{{item}}} has no name or no id')
        if int(number[1]) in names or name[1] in names.values():
            raise ValueError(f'{path} has {name[1]!r} or its id {number[1]} twice')
        names[int(number[1])] = name[1]
    if not names:
        raise ValueError(f'{path} names no actions')
    return dict(sorted(names.items()))


def read_tube_file(path: str | Path) -> tuple[list[str], dict[str, list[Tube]]]:
    """Read annotated tubes from a JSON file.

    The file has ``classes``, a list of names, and ``clips``. For each video, ``clips``
    has ``annotation_width`` and ``annotation_height`` in pixels, and ``tubes``: each
    has a ``label`` of the classes, ``start_frame``, ``end_frame`` (excluded; both are
    counted from 0) and ``boxes``, one for each frame, x1, y1, x2, y2 in pixels. Boxes
    are clipped to the frame, and frames whose box is outside are left out.

    Returns:
        The classes, and the tubes of each video with labels in [0, C), frames counted
        from 0 and boxes as fractions of the frame, in [0, 1].

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it does not have this form; the message names the video.
    """
    path = _file(path, 'tubes')
    try:
        content = json.loads(path.read_text('utf-8'))
        classes, clips = list(content['classes']), content['clips']
        numbers = {name: number for number, name in enumerate(classes)}
        names = list(clips)
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f'{path} is not a file of tubes, JSON with "classes" and "clips": {error!r}'
        ) from error
    tubes = {}
    for name in names:
        try:
            tubes[name] = list(_tubes_of_clip(name, clips[name], numbers))
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f'{path}, video {name!r}: {error!r}') from error
    return classes, tubes


def _tubes_of_clip(name: str, clip: dict, numbers: dict[str, int]) -> Iterable[Tube]:
    size = np.array([clip['annotation_width'], clip['annotation_height']] * 2, float)
    for tube in clip['tubes']:
        begin, end, label = tube['start_frame'], tube['end_frame'], tube['label']
        if label not in numbers:
            raise ValueError(f'the label {label!r} is not one of the classes')
        boxes = np.array(tube['boxes'], np.float64).reshape(-1, 4)
        if len(boxes) != end - begin:
            raise ValueError(
                f'a tube from frame {begin} to {end} has {len(boxes)} boxes'
            )
        boxes = (boxes / size).clip(0, 1)
        seen = (boxes[:, 2:] > boxes[:, :2]).all(1)
        if seen.any():
            yield Tube(name, numbers[label], np.arange(begin, end)[seen], boxes[seen])


def person_tubes(
    annotations: AvaBoxes, labels: np.ndarray, max_gap: int | None = None
) -> list[Tube]:
    """Join the boxes of one person doing one action in a video to tubes.

    A person who stops and begins again has two tubes. A tube ends where the person is
    missing at a timestamp at which others in the video are annotated, or where the next
    timestamp is more than ``max_gap`` later.

    Args:
        annotations: Annotations with ``persons``.
        labels: The action's label of each line, (B,), in [0, C), or negative for lines
            to leave out: these make no tubes, but their timestamps count as annotated.
        max_gap: Largest distance of timestamps within a tube. Defaults to their
            :func:`usual_step`.

    Raises:
        ValueError: If the annotations have no persons, or one person has two boxes for
            one action in a frame.
    """
    if annotations.persons is None:
        raise ValueError(
            'action tubes need the number of the person, the eighth column of the '
            'annotations'
        )
    moments: dict[str, set[int]] = defaultdict(set)
    lines: dict[tuple, list[int]] = defaultdict(list)
    for line, video in enumerate(annotations.videos):
        moments[video].add(int(annotations.timestamps[line]))
        if labels[line] >= 0:
            person = int(annotations.persons[line])
            lines[video, int(labels[line]), person].append(line)
    if max_gap is None:
        max_gap = usual_step(moments.values())
    ordered = {video: np.array(sorted(those)) for video, those in moments.items()}
    tubes = []
    for (video, label, person), found in lines.items():
        chosen = np.array(found)
        chosen = chosen[np.argsort(annotations.timestamps[chosen], kind='stable')]
        frames = annotations.timestamps[chosen]
        gap = np.diff(frames)
        if (gap == 0).any():
            raise ValueError(
                f'video {video!r}, timestamp {frames[:-1][gap == 0][0]}: person '
                f'{person} has two boxes for one action'
            )
        missed = np.diff(np.searchsorted(ordered[video], frames)) > 1
        for part in np.split(chosen, np.flatnonzero(missed | (gap > max_gap)) + 1):
            tubes.append(
                Tube(
                    video, label, annotations.timestamps[part], annotations.boxes[part]
                )
            )
    return tubes


def usual_step(moments: Iterable[Sequence[int] | set[int]]) -> int:
    """Return the most common distance between consecutive timestamps of a video.

    Args:
        moments: The timestamps of each video.

    Returns:
        At least 1; the smallest of equally common ones; 1 if no video has two
        timestamps.
    """
    steps: Counter = Counter()
    for those in moments:
        steps.update(np.diff(np.array(sorted(set(those)), np.int64)).tolist())
    return min(steps, key=lambda step: (-steps[step], step)) if steps else 1


def _file(path: str | Path, what: str) -> Path:
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}, the file of {what}, does not exist')
    return path
