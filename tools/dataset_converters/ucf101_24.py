"""Bring UCF101-24 clips with their action tubes into the format of AVA."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

from tqdm import tqdm

from mmanon.datasets.ava_format import (
    DATASET_SETTINGS,
    Annotation,
    extract_frames,
    write_annotations,
)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('src', type=Path, help='folder of <clip>.mp4 and tubes.json')
    parser.add_argument('--out', type=Path, required=True, help='such as data/ucf24')
    parser.add_argument(
        '--test',
        nargs='+',
        required=True,
        metavar='PATTERN',
        help="clips of the test split, such as '*_g01_*'; the others are for training",
    )
    parser.add_argument(
        '--every', type=int, default=5, help='keyframes are every n-th annotated frame'
    )
    parser.add_argument(
        '--margin',
        type=int,
        default=32,
        help='frames that must follow a keyframe, which a detector with clips of '
        'clip_len frames, frame_interval apart, reads: about clip_len * '
        'frame_interval / 2',
    )
    args = parser.parse_args(argv)
    if args.every < 1 or args.margin < 0:
        parser.error('--every must be at least 1 and --margin at least 0')
    if not (args.src / 'tubes.json').is_file():
        parser.error(f'{args.src / "tubes.json"} does not exist')
    return args


def read_tubes(
    name: str, clip: dict, classes: Sequence[str], every: int, last: int
) -> list[Annotation]:
    """The annotated keyframes of one clip, up to frame ``last`` (numbered from 1)."""
    size = [clip['annotation_width'], clip['annotation_height']] * 2
    found = []
    for person, tube in enumerate(clip['tubes']):
        start, end = tube['start_frame'], tube['end_frame']
        if len(tube['boxes']) != end - start:
            raise SystemExit(
                f'{name}: a tube from frame {start} to {end} has {len(tube["boxes"])} '
                'boxes'
            )
        for index in range(start, end):
            # Counted from the clip's start, so that tubes share their keyframes.
            if index % every or index + 1 > last:
                continue
            box = zip(tube['boxes'][index - start], size, strict=True)
            x1, y1, x2, y2 = (min(max(v / full, 0.0), 1.0) for v, full in box)
            if x1 < x2 and y1 < y2:
                label = classes.index(tube['label']) + 1
                found.append(
                    Annotation(name, index + 1, (x1, y1, x2, y2), label, person)
                )
    return found


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    tubes = json.loads((args.src / 'tubes.json').read_text())
    splits: dict[str, list[Annotation]] = {'train': [], 'test': []}
    for name, clip in tqdm(sorted(tubes['clips'].items()), unit='clip'):
        video = args.src / f'{name}.mp4'
        if not video.is_file():
            raise SystemExit(f'{video} does not exist, but tubes.json has it')
        count = extract_frames(video, args.out / 'rawframes' / name)
        test = any(fnmatch(name, pattern) for pattern in args.test)
        splits['test' if test else 'train'] += read_tubes(
            name, clip, tubes['classes'], args.every, count - args.margin
        )
    for split, items in splits.items():
        if not items:
            raise SystemExit(f'the {split} split is empty: see --test and --margin')
        write_annotations(args.out / 'annotations', split, items, tubes['classes'])
        print(f'{split}: {len(items)} boxes')
    settings = dict(DATASET_SETTINGS, num_classes=len(tubes['classes']) + 1)
    print(f'settings of AVADataset: {settings}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
