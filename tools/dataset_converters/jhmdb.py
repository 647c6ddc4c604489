"""Prepare JHMDB: boxes around its puppet masks, in its three official splits."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mmanon.datasets.formats.ava_writer import Annotation
from mmanon.datasets.preparation.action_set import (
    ActionSet,
    box_in_frame,
    check_action_set,
    check_sources,
    write_action_set,
)
from mmanon.datasets.preparation.command import convert_or_check, make_parser
from mmanon.datasets.preparation.frames import numbered_images
from mmanon.datasets.preparation.mat_files import read_mat
from mmanon.datasets.preparation.problems import Problems

LAYOUT = """\
The archives of http://jhmdb.is.tue.mpg.de, unpacked into one folder:

  SRC/
    Rename_Images/<action>/<video>/00001.png ...
    puppet_mask/<action>/<video>/puppet_mask.mat
    splits/<action>_test_split1.txt ... _split3.txt

The output, with links to the images:

  data/jhmdb/
    rawframes/<video>/img_00001.png ...
    annotations/{train,test}_{1,2,3}.json    for mmdet's CocoDataset
    annotations/{train,test}_{1,2,3}.csv, ..._proposals.npz, labels.pbtxt
                                             for mmaction2's AVADataset
    annotations/tubes.json                   for mmanon.VideoMAPMetric
"""
CLASSES = (
    'brush_hair catch clap climb_stairs golf jump kick_ball pick pour pullup push run '
    'shoot_ball shoot_bow shoot_gun sit stand swing_baseball throw walk wave'
).split()
# The names of the splits in the files of `splits`.
SPLITS = {'1': 'train', '2': 'test'}


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__, LAYOUT, 'data/jhmdb')
    parser.add_argument(
        '--margin',
        type=int,
        default=8,
        help='number of frames that must follow a keyframe for a detector of clips: '
        'about clip_len * frame_interval / 2; videos have 15 to 40 frames (default: '
        '%(default)s)',
    )
    args = parser.parse_args(argv)
    if args.margin < 0:
        parser.error('--margin must be at least 0')
    return args


def read_splits(
    folder: Path, problems: Problems
) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Read the action of each video, and the videos of each of the six splits."""
    actions: dict[str, str] = {}
    splits: dict[str, list[str]] = {}
    for k in (1, 2, 3):
        for part in SPLITS.values():
            splits[f'{part}_{k}'] = []
        for action in CLASSES:
            path = folder / f'{action}_test_split{k}.txt'
            if not path.is_file():
                problems.missing(path)
                continue
            for number, line in enumerate(path.read_text('utf-8').splitlines(), 1):
                name, _, part = line.strip().rpartition(' ')
                if not line.strip():
                    continue
                if not name.strip() or part not in SPLITS:
                    problems.wrong(
                        path,
                        f'line {number}: {line!r} is not `NAME.avi 1` or `NAME.avi 2`',
                    )
                    continue
                video = name.strip().removesuffix('.avi')
                actions[video] = action
                splits[f'{SPLITS[part]}_{k}'].append(video)
    return actions, splits


def read_mask(path: Path, problems: Problems) -> np.ndarray | None:
    """Read the puppet's pixels, bool (H, W, frames); None if they cannot be read."""
    mask = read_mat(path, 'part_mask', problems)
    if mask is None:
        return None
    if not isinstance(mask, np.ndarray) or mask.ndim not in (2, 3):
        problems.wrong(path, 'part_mask is not height x width x frames')
        return None
    return np.greater(np.atleast_3d(mask), 0)


def boxes_of(mask: np.ndarray) -> dict[int, tuple[float, float, float, float]]:
    """Return the box around each frame's pixels, as fractions of the frame.

    Frames are numbered from 1. Frames without such pixels are left out.
    """
    height, width, count = mask.shape
    rows, columns = np.any(mask, 1), np.any(mask, 0)
    boxes = {}
    for t in range(count):
        y, x = np.flatnonzero(rows[:, t]), np.flatnonzero(columns[:, t])
        if len(y):
            # The last pixel is inside the box.
            box = box_in_frame((x[0], y[0], x[-1] + 1, y[-1] + 1), width, height)
            if box is not None:
                boxes[t + 1] = box
    return boxes


def read(src: Path, problems: Problems) -> ActionSet | None:
    """Read all annotations of a download."""
    actions, splits = read_splits(src / 'splits', problems)
    if not actions:
        return None
    videos, annotations = {}, []
    for video, action in tqdm(actions.items(), unit='mask', leave=False):
        images = src / 'Rename_Images' / action / video
        path = src / 'puppet_mask' / action / video / 'puppet_mask.mat'
        for needed in (images, path):
            if not needed.exists():
                problems.missing(needed)
        if not (images.exists() and path.exists()):
            continue
        mask = read_mask(path, problems)
        if mask is None:
            continue
        count = max(numbered_images(images), default=0)
        if mask.shape[2] > count:
            problems.wrong(
                path, f'{mask.shape[2]} masks, but {count} images in {images}'
            )
            continue
        # Names are written to comma-separated files.
        name = video.replace(',', '_')
        videos[name] = images
        label = CLASSES.index(action) + 1
        for frame, box in boxes_of(mask).items():
            annotations.append(Annotation(name, frame, box, label, 0))
    splits = {
        split: [video.replace(',', '_') for video in those]
        for split, those in splits.items()
    }
    return ActionSet(CLASSES, videos, annotations, splits)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    return convert_or_check(
        args,
        lambda problems: read(args.src, problems),
        lambda data: write_action_set(args.out, data, 1, args.margin),
        check_sources,
        check_action_set,
    )


if __name__ == '__main__':
    sys.exit(main())
