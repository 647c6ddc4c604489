"""Prepare your own clips: a folder of videos, and a table of boxes and actions."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mmanon.cli.main import tools_folder
from mmanon.datasets.preparation.action_set import (
    ActionSet,
    check_action_set,
    check_sources,
    write_action_set,
)
from mmanon.datasets.preparation.command import convert_or_check, make_parser
from mmanon.datasets.preparation.own_clips import read_own_clips
from mmanon.utils.atomic_write import written_whole

LAYOUT = """\
Input:

  SRC/...            videos, or folders of numbered images, at any depth
  --boxes TABLE.csv  one line per person, time and action; the first line is

                     clip,time,x1,y1,x2,y2,action,person

  time is in seconds. The column frame can replace it: the number of the frame, counted
  from 0 in a video file, or the number in the name of an image. Boxes are in pixels, or
  in fractions of the frame if no number is above 1. person may be left out.

Output:

  data/own/
    rawframes/<clip>/img_00001.jpg ...
    annotations/...    for mmaction2's AVADataset, mmdet's CocoDataset and
                       mmanon.VideoMAPMetric
    own.py             a config ready for training: configs/templates/own_clips.py with
                       its values filled in; an existing file is kept
"""
TEMPLATE = 'templates/own_clips.py'
# The entry of the template that --detector replaces, and the comment after which it
# leaves out all lines.
SMALL_DETECTOR = 'mmanon::_base_/models/slowonly_small.py'
SMALL_DETECTOR_ALONE = '# What follows is of the small detector.'


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__, LAYOUT, 'data/own')
    parser.add_argument(
        '--boxes', type=Path, required=True, metavar='TABLE', help='see below'
    )
    parser.add_argument(
        '--test',
        nargs='+',
        default=[],
        metavar='PATTERN',
        help="clips to test on, such as '*_kitchen' (default: every fourth clip, "
        'sorted by name)',
    )
    parser.add_argument(
        '--people',
        type=Path,
        default=Path('data/people'),
        metavar='DIR',
        help='photographs for training the discriminator, one folder per person; '
        'written to the config (default: %(default)s)',
    )
    parser.add_argument(
        '--detector',
        metavar='CONFIG',
        help='a config of mmaction2 for AVA, as mmaction::detection/... or a file: its '
        'model, pipelines and schedule go into the config (default: a small SlowOnly)',
    )
    parser.add_argument(
        '--margin',
        type=int,
        help='frames that must follow an annotated frame, since detectors read a clip '
        'around it: about clip_len * frame_interval / 2 (default: that of the '
        'detector)',
    )
    args = parser.parse_args(argv)
    if args.margin is not None and args.margin < 0:
        parser.error(f'--margin must be at least 0, got {args.margin}')
    if args.detector and Path(args.detector).is_file():
        args.detector = str(Path(args.detector).resolve())
    try:
        margin = margin_of(args.detector) if args.detector else 8
    except ValueError as error:
        parser.error(f'--detector {error}')
    args.margin = margin if args.margin is None else args.margin
    return args


def margin_of(detector: str) -> int:
    """Return how many frames after an annotated one a detector's config reads.

    Raises:
        ValueError: If the config cannot be read or is not for AVA.
    """
    from mmengine.config import Config

    from mmanon.registry import MODELS  # noqa: F401  mmaction2's configs can be found

    try:
        config = Config.fromstring(f'_base_ = [{detector!r}]', '.py')
    except Exception as error:
        raise ValueError(f'{detector}: {error}') from error
    if 'custom_hooks' in config:
        raise ValueError(
            f'{detector} has custom_hooks: give a config of the detector alone'
        )
    evaluator = config.get('test_evaluator') or {}
    sampled = [
        step
        for step in config.get('train_pipeline') or []
        if step['type'].endswith('SampleAVAFrames')
    ]
    if not str(evaluator.get('type')).endswith('AVAMetric') or not sampled:
        raise ValueError(
            f'{detector} needs SampleAVAFrames in its train_pipeline and AVAMetric, as '
            "mmaction2's configs for AVA and AVA-Kinetics have them"
        )
    return -(-sampled[0]['clip_len'] // 2) * sampled[0].get('frame_interval', 1)


def write_config(
    out: Path, num_classes: int, people: Path, detector: str | None = None
) -> Path:
    """Copy the template with the data set's values; keep an existing config."""
    path = out / f'{out.resolve().name}.py'
    if path.exists():
        if detector and detector not in path.read_text('utf-8'):
            print(f'{path} is kept, without {detector}: delete it to get a new one')
        return path
    template = tools_folder().parent / 'configs' / TEMPLATE
    text = template.read_text('utf-8')
    if detector:
        text = text[: text.index(SMALL_DETECTOR_ALONE)].rstrip() + '\n'
        text = text.replace(repr(SMALL_DETECTOR), repr(detector))
    # The comment is about the two detectors of the package.
    lines = [
        line
        for line in text.split('\n')
        if not (detector and line.startswith('    # Small enough for a CPU'))
    ]
    values = dict(data_root=str(out), people=str(people), num_classes=num_classes)
    for name, value in values.items():
        (place,) = [i for i, line in enumerate(lines) if line.startswith(f'{name} = ')]
        lines[place] = f'{name} = {value!r}'
    with written_whole(path) as beside:
        beside.write_text('\n'.join(lines), 'utf-8')
    return path


def convert(
    data: ActionSet, out: Path, people: Path, margin: int, detector: str | None = None
) -> None:
    write_action_set(out, data, every=1, margin=margin)
    lengths = {
        video: len(list((out / 'rawframes' / video).iterdir())) for video in data.videos
    }
    late = sum(one.frame > lengths[one.video] - margin for one in data.annotations)
    if late:
        print(f'{late} boxes left out: fewer than {margin} frames follow (--margin)')
    for split, videos in data.splits.items():
        seen = {one.label for one in data.annotations if one.video in videos}
        lacks = [name for i, name in enumerate(data.classes, 1) if i not in seen]
        if lacks:
            print(f'actions in no clip of the {split} split: {", ".join(lacks)}')
    config = write_config(out, len(data.classes) + 1, people, detector)
    print(
        f'{len(data.classes)} actions: {", ".join(data.classes)}\n'
        f'next: mmanon detect-faces {out / "rawframes"} --out {out / "faces.parquet"}\n'
        f'      mmanon train {config}'
    )


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    return convert_or_check(
        args,
        lambda problems: read_own_clips(args.src, args.boxes, problems, args.test),
        lambda data: convert(data, args.out, args.people, args.margin, args.detector),
        check_sources,
        check_action_set,
    )


if __name__ == '__main__':
    sys.exit(main())
