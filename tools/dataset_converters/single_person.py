"""Convert clips of one person each to the format of AVA, such as sign-language clips.

The label of a clip is the name of its file. The person's box is given, or estimated
from the faces that `mmanon detect-faces` has found in the same folder.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mmanon.datasets.formats.ava_writer import (
    DATASET_SETTINGS,
    Annotation,
    extract_frames,
    write_annotations,
)
from mmanon.structures.face_table import FaceTable
from mmanon.utils.media_types import VIDEOS, files_in

# Reach of the arms to each side in face widths, and of the hair up in face heights.
ARMS, HAIR = 2.5, 0.6


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('src', type=Path, help='folder of video files')
    parser.add_argument(
        '--out', type=Path, required=True, help='output folder, such as data/asl'
    )
    box = parser.add_mutually_exclusive_group(required=True)
    box.add_argument(
        '--box',
        nargs=4,
        type=float,
        metavar=('X1', 'Y1', 'X2', 'Y2'),
        help="the person's box, in fractions of the frame",
    )
    box.add_argument('--faces', type=Path, help='face table of SRC')
    parser.add_argument(
        '--every',
        type=int,
        default=5,
        help='number of frames from one keyframe to the next (default: %(default)s)',
    )
    parser.add_argument(
        '--margin',
        type=int,
        default=16,
        help='number of frames that must follow a keyframe, and number of frames '
        'between the training and the test part (default: %(default)s)',
    )
    parser.add_argument(
        '--test-tail',
        type=float,
        default=0.25,
        help='fraction of each clip, at its end, for testing (default: %(default)s)',
    )
    args = parser.parse_args(argv)
    if args.every < 1 or args.margin < 0:
        parser.error('--every must be at least 1 and --margin at least 0')
    if not 0 < args.test_tail < 1:
        parser.error(f'--test-tail must be between 0 and 1, got {args.test_tail}')
    if not args.src.is_dir():
        parser.error(f'{args.src} is not a folder')
    return args


def body_box(table: FaceTable, video: str) -> tuple[float, float, float, float]:
    """Compute the person's box from above the face to the bottom of the frame.

    The largest face of each frame is used, and the median of their boxes over the clip.

    Returns:
        tuple[float, float, float, float]: The box, as fractions of the frame.

    Raises:
        SystemExit: If the table has no face in the video.
    """
    largest = []
    for frame in table.frames(video):
        boxes = table.lookup(video, int(frame)).boxes
        if len(boxes):
            areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
            largest.append(boxes[areas.argmax()])
    if not largest:
        raise SystemExit(f'{table.path} has no face in {video}: give --box')
    x1, y1, x2, y2 = np.median(largest, 0).tolist()
    middle, reach = (x1 + x2) / 2, ARMS * (x2 - x1)
    top = max(0.0, y1 - HAIR * (y2 - y1))
    return max(0.0, middle - reach), top, min(1.0, middle + reach), 1.0


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    videos = files_in(args.src, VIDEOS)
    if not videos:
        raise SystemExit(f'{args.src} has no video files')
    classes = [video.stem for video in videos]
    table = None if args.faces is None else FaceTable(args.faces)
    splits: dict[str, list[Annotation]] = {'train': [], 'test': []}
    for label, video in enumerate(tqdm(videos, unit='clip'), 1):
        box = tuple(args.box) if table is None else body_box(table, video.stem)
        count = extract_frames(video, args.out / 'rawframes' / video.stem)
        last = count - args.margin
        border = round(count * (1 - args.test_tail))
        for number in range(1, last + 1, args.every):
            if number > border:
                split = 'test'
            elif number <= border - args.margin:
                split = 'train'
            else:
                continue
            splits[split].append(Annotation(video.stem, number, box, label, 0))
    for split, items in splits.items():
        if not items:
            raise SystemExit(
                f'the {split} split is empty: the clips are too short for --margin '
                f'{args.margin} and --test-tail {args.test_tail}'
            )
        write_annotations(args.out / 'annotations', split, items, classes)
        print(f'{split}: {len(items)} boxes')
        without = set(classes) - {item.video for item in items}
        if without:
            print(
                f'clips too short for a {split} keyframe: {", ".join(sorted(without))}'
            )
    print(
        'settings of AVADataset: '
        f'{dict(DATASET_SETTINGS, num_classes=len(classes) + 1)}'
    )
    return 0


if __name__ == '__main__':
    sys.exit(main())
