"""Prepare UCF101-24: clips or frames with their action tubes."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np

from mmanon.datasets.formats.ava_writer import DATASET_SETTINGS, Annotation
from mmanon.datasets.preparation.action_set import (
    ActionSet,
    box_in_frame,
    check_action_set,
    check_sources,
    write_action_set,
)
from mmanon.datasets.preparation.command import convert_or_check, make_parser
from mmanon.datasets.preparation.ground_truth import read_ground_truth
from mmanon.datasets.preparation.mat_files import read_mat
from mmanon.datasets.preparation.problems import Problems

LAYOUT = """\
The annotations are the first of these files that exists:

  SRC/tubes.json          classes, and the tubes of each clip
  SRC/finalAnnots.mat     the corrected annotations (gurkirt/corrected-UCF101-Annots)
  SRC/UCF101v2-GT.json    made from UCF101v2-GT.pkl of UCF101_v2.tar.gz, see
                          docs/datasets/pickles.md

No pickle is read, neither UCF101v2-GT.pkl nor pyannot.pkl. Frames or videos are one of

  SRC/rgb-images/<action>/<clip>/00001.jpg ...
  SRC/UCF-101/<action>/<clip>.avi         (or in videos/ or directly in SRC)
  SRC/<clip>.mp4                          (or .avi)

Test split: --test, or that of UCF101v2-GT.json, or

  SRC/testlist01.txt       lines such as Basketball/v_Basketball_g01_c01 (or in
                           splitfiles/ or ucfTrainTestlist/)

The output:

  data/ucf24/
    rawframes/<clip>/img_00001.jpg ...
    annotations/{train,test}.json            for mmdet's CocoDataset
    annotations/{train,test}.csv, ..._proposals.npz, labels.pbtxt
                                             for mmaction2's AVADataset
    annotations/tubes.json                   for mmanon.VideoMAPMetric
"""
CLASSES = (
    'Basketball BasketballDunk Biking CliffDiving CricketBowling Diving Fencing '
    'FloorGymnastics GolfSwing HorseRiding IceDancing LongJump PoleVault RopeClimbing '
    'SalsaSpin SkateBoarding Skiing Skijet SoccerJuggling Surfing TennisSwing '
    'TrampolineJumping VolleyballSpiking WalkingWithDog'
).split()
# The size of the frames in which finalAnnots.mat has its boxes.
SIZE = (320, 240)
# The boxes of each clip, which is named <action>/<clip> or <clip>.
Boxes = dict[str, list[Annotation]]


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__, LAYOUT, 'data/ucf24', skips_missing=True)
    parser.add_argument(
        '--test',
        nargs='+',
        metavar='PATTERN',
        help="clips of the test split, such as '*_g01_*'; all others are for training",
    )
    parser.add_argument(
        '--every',
        type=int,
        default=5,
        help='every N-th frame is a keyframe for detectors of clips (default: '
        '%(default)s)',
    )
    parser.add_argument(
        '--margin',
        type=int,
        default=32,
        help='number of frames that must follow such a keyframe: about clip_len * '
        'frame_interval / 2 of the detector (default: %(default)s)',
    )
    args = parser.parse_args(argv)
    if args.every < 1 or args.margin < 0:
        parser.error('--every must be at least 1 and --margin at least 0')
    return args


def read_tubes(name: str, clip: dict, classes: Sequence[str]) -> list[Annotation]:
    """Read the boxes of one clip of ``tubes.json``.

    Raises:
        ValueError: If a tube has more or fewer boxes than frames, or no known class.
    """
    size = clip['annotation_width'], clip['annotation_height']
    found = []
    for person, tube in enumerate(clip['tubes']):
        start, end = tube['start_frame'], tube['end_frame']
        if len(tube['boxes']) != end - start:
            raise ValueError(
                f'a tube from frame {start} to {end} has {len(tube["boxes"])} boxes'
            )
        label = classes.index(tube['label']) + 1
        for frame, box in enumerate(tube['boxes'], start + 1):
            box = box_in_frame(box, *size)
            if box is not None:
                found.append(Annotation(name, frame, box, label, person))
    return found


def read_tubes_json(path: Path, problems: Problems) -> tuple[list[str], Boxes] | None:
    try:
        content = json.loads(path.read_text('utf-8'))
        classes, clips = list(content['classes']), content['clips'].items()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problems.wrong(path, f'it does not have classes and clips: {error!r}')
        return None
    boxes = {}
    for name, clip in clips:
        try:
            boxes[name] = read_tubes(name, clip, classes)
        except (ValueError, KeyError, TypeError) as error:
            problems.wrong(path, f'{name}: {error}')
    return classes, boxes


def read_corrected(path: Path, problems: Problems) -> tuple[list[str], Boxes] | None:
    """Read ``finalAnnots.mat``.

    Its ``annot`` has ``name`` and ``tubes`` for each clip. A tube has ``sf`` and
    ``ef``, the first and the last frame, and ``class``, all counted from 1, and
    ``boxes``, one row of x, y, width and height per frame, in pixels counted from 1.
    Rows after ``ef`` are left out, as the authors of the corrected file do; frames
    without a row have no box.
    """
    annot = read_mat(path, 'annot', problems)
    if annot is None:
        return None
    boxes = {}
    for place, clip in enumerate(np.atleast_1d(annot)):
        name = str(getattr(clip, 'name', f'entry {place + 1}'))
        try:
            boxes[name] = _mat_boxes(name.rpartition('/')[2], clip)
        except (AttributeError, ValueError, TypeError, IndexError) as error:
            problems.wrong(path, f'{name}: {error}')
    return CLASSES, boxes


def _mat_boxes(name: str, clip: Any) -> list[Annotation]:
    found = []
    for person, tube in enumerate(np.atleast_1d(clip.tubes)):
        rows = np.asarray(tube.boxes, np.float64).reshape(-1, 4)
        first, last = int(tube.sf), int(tube.ef)
        label = int(getattr(tube, 'class'))
        CLASSES[label - 1]
        for frame, (x, y, w, h) in enumerate(rows.tolist(), first):
            if frame > last:
                break
            box = box_in_frame((x - 1, y - 1, x - 1 + w, y - 1 + h), *SIZE)
            if box is not None:
                found.append(Annotation(name, frame, box, label, person))
    return found


def find_clip(src: Path, name: str) -> Path | None:
    """Return the folder of frames or the video of a clip, or None."""
    action, _, clip = name.rpartition('/')
    # v_Basketball_g01_c01 is in the folder Basketball.
    action = action or clip.removeprefix('v_').rpartition('_g')[0]
    frames = src / 'rgb-images' / action / clip
    if frames.is_dir():
        return frames
    places = [src, *(src / folder for folder in ('UCF-101', 'videos'))]
    for place in places:
        for folder in (place / action, place):
            for ending in ('.mp4', '.avi'):
                if (folder / f'{clip}{ending}').is_file():
                    return folder / f'{clip}{ending}'
    return None


def read_test_list(src: Path) -> set[str] | None:
    """Read the clips of the official test split 1; None if there is no list."""
    for folder in ('.', 'splitfiles', 'ucfTrainTestlist'):
        path = src / folder / 'testlist01.txt'
        if path.is_file():
            lines = path.read_text('utf-8').split('\n')
            words = [line.split()[0] for line in lines if line.strip()]
            return {Path(word).name.removesuffix('.avi') for word in words}
    return None


def read(
    src: Path, patterns: Sequence[str] | None, problems: Problems
) -> ActionSet | None:
    """Read all annotations of a download."""
    is_test: Callable[[str], bool] | None = None
    if (src / 'tubes.json').is_file():
        found = read_tubes_json(src / 'tubes.json', problems)
    elif (src / 'finalAnnots.mat').is_file():
        found = read_corrected(src / 'finalAnnots.mat', problems)
    elif (src / 'UCF101v2-GT.json').is_file() or (src / 'UCF101v2-GT.pkl').is_file():
        truth = read_ground_truth(src / 'UCF101v2-GT.json', problems)
        found = None
        if truth:
            found = truth.classes, truth.annotations
            is_test = {video.rpartition('/')[2] for video in truth.test}.__contains__
    else:
        problems.missing(
            src / 'tubes.json', 'and no finalAnnots.mat or UCF101v2-GT.json: see --help'
        )
        return None
    if not found:
        return None
    classes, boxes = found
    if patterns:
        is_test = lambda clip: any(fnmatch(clip, pattern) for pattern in patterns)  # noqa: E731
    elif is_test is None:
        listed = read_test_list(src)
        if listed is None:
            problems.missing(src / 'testlist01.txt', 'or give the test clips by --test')
            return None
        is_test = listed.__contains__
    data = ActionSet(classes, {}, [], {'train': [], 'test': []})
    for name, items in sorted(boxes.items()):
        clip = name.rpartition('/')[2]
        path = find_clip(src, name)
        if path is None:
            problems.missing(
                src / clip, 'it has neither frames nor a video: see --help'
            )
            continue
        data.videos[clip] = path
        data.annotations += items
        data.splits['test' if is_test(clip) else 'train'].append(clip)
    return data


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)

    def convert(data: ActionSet) -> None:
        write_action_set(args.out, data, args.every, args.margin)
        settings = dict(DATASET_SETTINGS, num_classes=len(data.classes) + 1)
        print(f'settings of AVADataset: {settings}')

    return convert_or_check(
        args,
        lambda problems: read(args.src, args.test, problems),
        convert,
        check_sources,
        check_action_set,
    )


if __name__ == '__main__':
    sys.exit(main())
