"""Prepare MultiSports: link its videos, write its annotations in the format of AVA."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mmanon.datasets.formats.ava_reader import read_ava_boxes, read_label_map
from mmanon.datasets.preparation.ava_videos import check_proposals
from mmanon.datasets.preparation.command import convert_or_check, make_parser
from mmanon.datasets.preparation.frames import check_video, link
from mmanon.datasets.preparation.ground_truth import GroundTruth, read_ground_truth
from mmanon.datasets.preparation.problems import Problems
from mmanon.utils.atomic_write import written_whole

LAYOUT = """\
The videos and annotations of https://deeperaction.github.io/datasets/multisports.html:

  SRC/
    trainval/<sport>/<video>.mp4
    annotations/
      multisports_GT.json    made from multisports_GT.pkl, see docs/datasets/pickles.md
      multisports_GT.pkl     linked for mmaction2's MultiSportsMetric, not read
      multisports_dense_proposals_{train,val}.recall_96.13.pkl
                             of mmaction2, linked, not read

The output, as mmaction2's configs expect it:

  data/multisports/
    trainval                                 link
    annotations/multisports_{train,val}.csv  for AVADataset
    annotations/labels.pbtxt                 for mmanon.FrameMAPMetric
    annotations/...                          links
"""
PROPOSALS = [
    f'multisports_dense_proposals_{split}.recall_96.13.pkl'
    for split in ('train', 'val')
]


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    return make_parser(__doc__, LAYOUT, 'data/multisports', True).parse_args(argv)


@dataclass
class Source:
    """The files of MultiSports that were found: ground truth and videos."""

    root: Path
    truth: GroundTruth
    videos: dict[str, Path]


def read(src: Path, problems: Problems) -> Source | None:
    """Read the annotations of a download, and find its videos."""
    truth = read_ground_truth(src / 'annotations/multisports_GT.json', problems)
    if truth is None:
        return None
    videos = {}
    for video in [*truth.train, *truth.test]:
        path = src / 'trainval' / f'{video}.mp4'
        if path.is_file():
            videos[video] = path
        else:
            problems.missing(path)
    return Source(src, truth, videos)


def check_source(source: Source, problems: Problems) -> None:
    """Report videos that cannot be read, and files missing for the configs."""
    check_pickles(source.root / 'annotations', problems)
    for path in tqdm(source.videos.values(), unit='video', leave=False):
        check_video(path, problems)


def check_pickles(folder: Path, problems: Problems) -> None:
    """Report missing files that mmaction2's configs read and no converter writes."""
    check_proposals(folder, PROPOSALS, problems)
    if not (folder / 'multisports_GT.pkl').is_file():
        problems.missing(
            folder / 'multisports_GT.pkl',
            "mmaction2's MultiSportsMetric reads it, mmanon.FrameMAPMetric does not",
        )


def convert(source: Source, out: Path) -> None:
    """Link the videos and write the annotations."""
    link(source.root / 'trainval', out / 'trainval')
    folder = out / 'annotations'
    for path in sorted((source.root / 'annotations').iterdir()):
        if path.suffix in ('.pkl', '.npz'):
            link(path, folder / path.name)
    truth = source.truth
    for split, videos in (('train', truth.train), ('val', truth.test)):
        lines = []
        for video in videos:
            if video not in source.videos:
                continue
            for item in truth.annotations[video]:
                box = ','.join(f'{side:.4f}' for side in item.box)
                # mmaction2 numbers the actions of MultiSports from 0.
                lines.append(
                    f'{video}.mp4,{item.frame},{box},{item.label - 1},{item.person}\n'
                )
        if not lines:
            raise SystemExit(f'the {split} split is empty')
        with written_whole(folder / f'multisports_{split}.csv') as beside:
            beside.write_text(''.join(lines))
        print(f'{split}: {len(lines)} boxes')
    with written_whole(folder / 'labels.pbtxt') as beside:
        beside.write_text(
            ''.join(
                f'item {{\n  name: "{name}"\n  id: {i}\n}}\n'
                for i, name in enumerate(truth.classes)
            )
        )


def check_out(out: Path, problems: Problems) -> None:
    """Report what is wrong in the prepared data set."""
    folder = out / 'annotations'
    check_pickles(folder, problems)
    names = folder / 'labels.pbtxt'
    classes = None
    try:
        classes = read_label_map(names)
    except FileNotFoundError:
        problems.missing(names)
    except ValueError as error:
        problems.wrong(names, str(error))
    for split in ('train', 'val'):
        path = folder / f'multisports_{split}.csv'
        try:
            lines = read_ava_boxes(path)
        except FileNotFoundError:
            problems.missing(path)
            continue
        except ValueError as error:
            problems.wrong(path, str(error))
            continue
        for number in np.unique(lines.ids).tolist():
            if classes is not None and number not in classes:
                problems.wrong(path, f'action {number} is not in labels.pbtxt')
        for video in tqdm(sorted(set(lines.videos)), unit='video', leave=False):
            if (out / 'trainval' / video).is_file():
                check_video(out / 'trainval' / video, problems)
            else:
                problems.missing(out / 'trainval' / video)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    return convert_or_check(
        args,
        lambda problems: read(args.src, problems),
        lambda source: convert(source, args.out),
        check_source,
        check_out,
    )


if __name__ == '__main__':
    sys.exit(main())
