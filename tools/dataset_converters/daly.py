"""Prepare DALY: the annotated keyframes of ten daily actions in YouTube videos."""

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
from mmanon.datasets.preparation.frames import frame_times, sampled_at
from mmanon.datasets.preparation.ground_truth import read_json
from mmanon.datasets.preparation.problems import Problems

LAYOUT = """\
The videos and annotations of http://thoth.inrialpes.fr/daly:

  SRC/
    daly1.1.0.json    made from daly1.1.0.pkl, see docs/datasets/pickles.md
    videos/<YouTube id>.mp4

The output:

  data/daly/
    rawframes/<YouTube id>/img_00001.jpg ...   the keyframes, or all frames
    annotations/{train,test}.json              for mmdet's CocoDataset
  and with --all-frames
    annotations/{train,test}.csv, ..._proposals.npz, labels.pbtxt, tubes.json
                                               for mmaction2's AVADataset
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__, LAYOUT, 'data/daly', skips_missing=True)
    parser.add_argument(
        '--all-frames',
        action='store_true',
        help='extract all frames and also write annotations for detectors of clips; by '
        'default only the keyframes, for detectors of single frames',
    )
    parser.add_argument(
        '--margin',
        type=int,
        default=32,
        help='number of frames that must follow a keyframe for a detector of clips: '
        'about clip_len * frame_interval / 2 (default: %(default)s)',
    )
    args = parser.parse_args(argv)
    if args.margin < 0:
        parser.error('--margin must be at least 0')
    return args


def read_keyframes(
    name: str, actions: dict, classes: Sequence[str], times: np.ndarray
) -> list[Annotation]:
    """Read the boxes of one video.

    A keyframe is found by its time, since a video that was downloaded with another
    frame rate has other frame numbers.

    Raises:
        KeyError: If an entry is missing.
        ValueError: If a keyframe is after the end, or an action is not a class.
    """
    found: dict[tuple, Annotation] = {}
    person = 0
    for action, instances in actions.items():
        label = classes.index(action) + 1
        for instance in instances:
            for key in instance['keyframes']:
                time = float(key['time'])
                if not 0 <= time <= times[-1] + 1:
                    raise ValueError(
                        f'a keyframe of {action} is at {time:.2f} s, but the video '
                        f'ends at {times[-1]:.2f} s: it is not the annotated video'
                    )
                frame = int(sampled_at(times, np.array([time]))[0]) + 1
                box = box_in_frame(np.ravel(key['boundingBox']).tolist()[:4], 1, 1)
                if box is not None:
                    annotation = Annotation(name, frame, box, label, person)
                    found.setdefault((frame, person), annotation)
            person += 1
    return list(found.values())


def read(src: Path, all_frames: bool, problems: Problems) -> ActionSet | None:
    """Read all annotations of a download."""
    path = src / 'daly1.1.0.json'
    content = read_json(path, problems)
    if content is None:
        return None
    try:
        classes, test = list(content['labels']), set(content['splits'][0])
        videos = {name: video['annot'] for name, video in content['annot'].items()}
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        problems.wrong(path, f'not the annotations of DALY: {error!r}')
        return None
    files: dict[str, dict[int, list[int]]] = {}
    data = ActionSet(classes, {}, [], {'train': [], 'test': []}, files)
    for file, actions in tqdm(sorted(videos.items()), unit='video', leave=False):
        video, name = src / 'videos' / file, Path(file).stem
        if not video.is_file():
            problems.missing(video)
            continue
        try:
            times = frame_times(video)
        except ValueError as error:
            problems.unreadable(video, str(error))
            continue
        try:
            boxes = read_keyframes(name, actions, classes, times)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            problems.wrong(path, f'{file}: {error}')
            continue
        wanted = {annotation.frame for annotation in boxes}
        if not wanted:
            continue
        data.videos[name] = video
        data.annotations += boxes
        data.splits['test' if file in test else 'train'].append(name)
        if all_frames:
            wanted = set(range(1, len(times) + 1))
        files[name] = {frame - 1: [frame] for frame in sorted(wanted)}
    return data


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    return convert_or_check(
        args,
        lambda problems: read(args.src, args.all_frames, problems),
        lambda data: write_action_set(args.out, data, 1, args.margin, args.all_frames),
        check_sources,
        check_action_set,
    )


if __name__ == '__main__':
    sys.exit(main())
