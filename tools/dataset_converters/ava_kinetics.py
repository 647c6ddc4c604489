"""Prepare AVA-Kinetics: add its annotated Kinetics-700 clips to AVA 2.2."""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from mmanon.datasets.preparation.action_set import box_in_frame
from mmanon.datasets.preparation.ava_videos import (
    PROPOSALS,
    annotated_seconds,
    annotation_files,
    check_annotations,
    check_frames,
    check_proposals,
    extract_at_rate,
    find_videos,
)
from mmanon.datasets.preparation.command import convert_or_check, make_parser
from mmanon.datasets.preparation.frames import check_video, link
from mmanon.datasets.preparation.problems import Problems
from mmanon.utils.atomic_write import written_whole

LAYOUT = """\
The annotations of https://research.google.com/ava (ava_kinetics_v1_0.tar.gz), the
training videos of Kinetics-700, and AVA 2.2 as prepared by `mmanon convert ava`
(--ava):

  SRC/
    ava_kinetics_v1_0/kinetics_train_v1.0.csv
    videos_train/<class>/<YouTube id>_<start>_<end>.mp4     (at any depth)

The output, as mmaction2's configs of AVA-Kinetics expect it:

  data/ava_kinetics/
    annotations/ava_train_v2.2.csv           AVA and Kinetics together
    annotations/...                          links to the other files of AVA
    rawframes/<AVA video>                    links
    rawframes/<YouTube id>_<start>_<end>/    2 s before and after each annotated second,
                                             at 30 frames per second

Kinetics clips have no published proposals. mmaction2 uses the whole frame instead, and
the annotated boxes in training.
"""
AROUND = 2
# The second, and a list of x1, y1, x2, y2 and the action.
Line = tuple[int, list[str]]
NAMED = re.compile(r'(?P<id>.+)_(?P<start>\d{6})_(?P<end>\d{6})$')


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__, LAYOUT, 'data/ava_kinetics', skips_missing=True)
    parser.add_argument(
        '--ava',
        type=Path,
        default=Path('data/ava'),
        help='folder of the prepared AVA 2.2 (default: %(default)s)',
    )
    return parser.parse_args(argv)


@dataclass
class Clip:
    """A part of a Kinetics video around an annotated second.

    Attributes:
        path: The video file.
        begin: Second of the YouTube video at which the file starts.
        start: Second of the YouTube video at which the part starts.
        stop: Second of the YouTube video at which the part ends.
        lines: Its annotations.
    """

    path: Path
    begin: int
    start: int
    stop: int
    lines: list[Line] = field(default_factory=list)


def read_lines(path: Path, problems: Problems) -> dict[str, list[Line]]:
    """Read the annotations of each YouTube video.

    Lines with only a video and a second mean that nobody is visible; they are skipped.
    """
    found: dict[str, list[Line]] = {}
    with path.open(newline='') as file:
        for number, row in enumerate(csv.reader(file), 1):
            if len(row) <= 2 or not any(row[2:]):
                continue
            try:
                second, label = float(row[1]), int(row[6])
                box = box_in_frame([float(side) for side in row[2:6]], 1, 1)
            except (ValueError, IndexError):
                problems.wrong(path, f'line {number}: {",".join(row)!r}')
                continue
            if box is not None:
                rest = [*(f'{side:.4f}' for side in box), str(label)]
                found.setdefault(row[0], []).append((int(second), rest))
    return found


def read(src: Path, ava: Path, problems: Problems) -> dict[str, Clip] | None:
    """Return the annotated clips by the name of their folder of frames."""
    path = src / 'ava_kinetics_v1_0/kinetics_train_v1.0.csv'
    check_annotations(ava / 'annotations', '2.2', problems)
    if not path.is_file():
        problems.missing(path)
        return None
    lines = read_lines(path, problems)
    if not (ava / 'rawframes').is_dir():
        problems.missing(ava / 'rawframes', 'prepare AVA 2.2 first')
        return None
    files: dict[str, list[tuple[int, int, Path]]] = {}
    for name, file in find_videos(src).items():
        parts = NAMED.match(name)
        if parts:
            span = int(parts['start']), int(parts['end']), file
            files.setdefault(parts['id'], []).append(span)
    clips = {}
    for video, annotated in sorted(lines.items()):
        for second in sorted({second for second, _ in annotated}):
            fitting = [
                file for file in files.get(video, ()) if file[0] < second < file[1]
            ]
            if not fitting:
                problems.missing(
                    src / f'{video}_*.mp4', f'its second {second} is annotated'
                )
                continue
            begin, end, file = fitting[0]
            start, stop = max(begin, second - AROUND), min(end, second + AROUND)
            clip = Clip(file, begin, start, stop)
            clip.lines = [line for line in annotated if line[0] == second]
            clips[f'{video}_{start:06d}_{stop:06d}'] = clip
    return clips


def check_source(clips: dict[str, Clip], problems: Problems) -> None:
    """Report the videos that cannot be read."""
    for path in tqdm({clip.path for clip in clips.values()}, unit='video', leave=False):
        check_video(path, problems)


def convert(clips: dict[str, Clip], ava: Path, out: Path) -> None:
    """Link AVA, extract the clips and merge the annotations."""
    for name, clip in tqdm(clips.items(), unit='clip'):
        folder = out / 'rawframes' / name
        try:
            extract_at_rate(clip.path, folder, clip.start, clip.stop, clip.begin)
        except ValueError as error:
            raise SystemExit(f'{error}\nsee --check') from error
    for path in sorted((ava / 'rawframes').iterdir()):
        if path.is_dir():
            link(path, out / 'rawframes' / path.name)
    train = annotation_files('2.2')[0]
    for path in sorted((ava / 'annotations').iterdir()):
        if path.name != train:
            link(path, out / 'annotations' / path.name)
    merged = [(ava / 'annotations' / train).read_text().rstrip('\n')]
    merged += [
        ','.join([name, f'{second:04d}', *rest, '-1'])
        for name, clip in clips.items()
        for second, rest in clip.lines
    ]
    with written_whole(out / 'annotations' / train) as beside:
        beside.write_text('\n'.join(merged) + '\n')
    print(f'{len(clips)} clips of Kinetics added to AVA')


def check_out(out: Path, problems: Problems) -> None:
    """Report what is wrong in the prepared data set."""
    check_proposals(out / 'annotations', PROPOSALS, problems)
    check_annotations(out / 'annotations', '2.2', problems)
    paths = [out / 'annotations' / name for name in annotation_files('2.2')[:2]]
    if problems.count('wrong') or not all(path.is_file() for path in paths):
        return
    seconds = annotated_seconds(paths)
    folders, starts = {}, {}
    for video in sorted(seconds):
        folder, parts = out / 'rawframes' / video, NAMED.match(video)
        if not folder.is_dir():
            problems.missing(folder, 'frames of an annotated video')
            continue
        folders[video] = folder
        if parts:
            starts[video] = int(parts['start'])
    check_frames(folders, seconds, starts, problems)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    return convert_or_check(
        args,
        lambda problems: read(args.src, args.ava, problems),
        lambda clips: convert(clips, args.ava, args.out),
        check_source,
        check_out,
    )


if __name__ == '__main__':
    sys.exit(main())
