"""Reads the common ground truth files of UCF101-24, JHMDB and MultiSports, as JSON.

They are published as pickles (``UCF101v2-GT.pkl``, ``multisports_GT.pkl``). Reading a
pickle can run code, so this module does not read them. If you trust the file, convert
it to JSON once, see docs/datasets/pickles.md.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmanon.datasets.formats.ava_writer import Annotation

from .action_set import box_in_frame
from .problems import Problems

__all__ = ['GroundTruth', 'read_ground_truth', 'read_json']


@dataclass
class GroundTruth:
    """The content of a ground truth file.

    Attributes:
        classes: Names of the actions.
        annotations: The boxes of each video, with labels from 1.
        lengths: Number of frames of each video.
        train: Training videos of the first split.
        test: Test videos of the first split.
    """

    classes: list[str]
    annotations: dict[str, list[Annotation]]
    lengths: dict[str, int]
    train: list[str]
    test: list[str]


def read_json(path: Path, problems: Problems) -> dict | None:
    """Read a JSON object; if that fails, report a problem and return None."""
    try:
        content = json.loads(path.read_text('utf-8'))
    except FileNotFoundError:
        pickle = path.with_suffix('.pkl')
        why = ''
        if pickle.exists():
            why = f'make it from {pickle.name} as docs/datasets/pickles.md says'
        problems.missing(path, why)
        return None
    except ValueError as error:
        problems.wrong(path, f'not JSON: {error}')
        return None
    if not isinstance(content, dict):
        problems.wrong(path, 'it is not a JSON object')
        return None
    return content


def read_ground_truth(path: Path, problems: Problems) -> GroundTruth | None:
    """Read a ground truth file; if that fails, report problems and return None.

    The file has ``labels``; ``train_videos`` and ``test_videos``, with a list for each
    split; and for each video ``nframes``, ``resolution`` (height, width) and
    ``gttubes``: for each label, from 0, a list of tubes, whose rows are the frame, from
    1, and x1, y1, x2, y2 in pixels.
    """
    content = read_json(path, problems)
    if content is None:
        return None
    try:
        classes = list(content['labels'])
        found = GroundTruth(
            classes,
            {},
            {video: int(count) for video, count in content['nframes'].items()},
            list(content['train_videos'][0]),
            list(content['test_videos'][0]),
        )
        known = [*found.train, *found.test]
        for video in known:
            height, width = content['resolution'][video]
            found.annotations[video] = _boxes(
                video, content['gttubes'][video], len(classes), (width, height)
            )
    except (KeyError, IndexError, TypeError, ValueError) as error:
        problems.wrong(path, f'not a ground truth file: {error!r}')
        return None
    return found


def _boxes(
    video: str, tubes: dict, classes: int, size: tuple[int, int]
) -> list[Annotation]:
    items, person = [], 0
    for label, those in tubes.items():
        if not 0 <= int(label) < classes:
            raise ValueError(f'video {video!r}: label {label} of {classes} classes')
        for tube in those:
            for frame, *sides in np.asarray(tube, np.float64).reshape(-1, 5).tolist():
                box = box_in_frame(sides, *size)
                if box is not None:
                    name = video.rpartition('/')[2]
                    items.append(
                        Annotation(name, int(frame), box, int(label) + 1, person)
                    )
            person += 1
    return items
