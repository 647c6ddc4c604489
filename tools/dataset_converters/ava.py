"""Prepare AVA: link its annotations, link or extract its frames."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from mmanon.datasets.preparation.ava_videos import (
    PROPOSALS,
    START,
    STOP,
    annotated_seconds,
    annotation_files,
    check_annotations,
    check_frames,
    check_proposals,
    extract_at_rate,
    find_videos,
    write_without,
)
from mmanon.datasets.preparation.command import convert_or_check, make_parser
from mmanon.datasets.preparation.frames import check_video, link
from mmanon.datasets.preparation.problems import Problems

LAYOUT = """\
The annotations of https://research.google.com/ava, the proposals of Long-Term Feature
Banks, and frames or videos from mmaction2's scripts:

  SRC/
    annotations/
      ava_{train,val}_v2.2.csv
      ava_{train,val}_excluded_timestamps_v2.2.csv
      ava_action_list_v2.2_for_activitynet_2019.pbtxt
      ava_dense_proposals_{train,val}.FAIR.recall_93.9.pkl    linked, not read
    rawframes/<video>/img_00001.jpg ...    minutes 15 to 30 at 30 frames per second
  or, to extract these frames,
    videos_15min/<video>.mp4 ...           only these minutes
  or
    videos/<video>.mkv ...                 whole films

The output, as the configs of AVA 2.2 expect it (with --version 2.1, those of 2.1):

  data/ava/
    annotations/...                        links
    rawframes/<video>/img_00001.jpg ...    links, or extracted frames
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__, LAYOUT, 'data/ava', skips_missing=True)
    parser.add_argument(
        '--version',
        choices=['2.1', '2.2'],
        default='2.2',
        help='version of the annotations (default: %(default)s)',
    )
    return parser.parse_args(argv)


@dataclass
class Source:
    """The files of AVA that were found.

    Attributes:
        annotations: Folder of the annotation files.
        seconds: The annotated timestamps of each video.
        videos: For each video, its folder of frames or its file.
        offset: Time of the film, in seconds, at which the video files start.
    """

    annotations: Path
    seconds: dict[str, set[int]]
    videos: dict[str, Path]
    offset: float


def read(src: Path, version: str, problems: Problems) -> Source | None:
    """Read the annotations of a download, and find its videos."""
    folder = src / 'annotations'
    check_annotations(folder, version, problems)
    boxes = [folder / f'ava_{split}_v{version}.csv' for split in ('train', 'val')]
    if problems.count('wrong') or not all(path.is_file() for path in boxes):
        return None
    seconds = annotated_seconds(boxes)
    frames, offset = src / 'rawframes', 0.0
    if frames.is_dir():
        found = {path.name: path for path in frames.iterdir() if path.is_dir()}
    elif (src / 'videos_15min').is_dir():
        frames, offset = src / 'videos_15min', float(START)
        found = find_videos(frames)
    elif (src / 'videos').is_dir():
        frames = src / 'videos'
        found = find_videos(frames)
    else:
        problems.missing(frames, 'and no videos_15min or videos: see --help')
        return None
    for video in sorted(set(seconds) - set(found)):
        problems.missing(frames / video, 'an annotated video')
    videos = {video: found[video] for video in sorted(seconds) if video in found}
    return Source(folder, seconds, videos, offset)


def check_source(source: Source, problems: Problems) -> None:
    """Report the videos and annotated frames that cannot be read."""
    check_proposals(source.annotations, PROPOSALS, problems)
    folders = {name: path for name, path in source.videos.items() if path.is_dir()}
    check_frames(folders, source.seconds, {}, problems)
    for name, path in tqdm(source.videos.items(), unit='video', leave=False):
        if name not in folders:
            check_video(path, problems)


def convert(source: Source, out: Path, version: str) -> None:
    """Link and extract; keep files that exist already."""
    for name, path in tqdm(source.videos.items(), unit='video'):
        folder = out / 'rawframes' / name
        if path.is_dir():
            link(path, folder)
            continue
        try:
            extract_at_rate(path, folder, START, STOP, source.offset)
        except ValueError as error:
            raise SystemExit(f'{error}\nsee --check') from error
    without = set(source.seconds) - set(source.videos)
    for path in sorted(source.annotations.iterdir()):
        target = out / 'annotations' / path.name
        if without and path.name in annotation_files(version)[:2]:
            write_without(path, target, without)
        elif path.suffix in ('.csv', '.pbtxt', '.pkl', '.npz'):
            link(path, target)
    print(f'{len(source.videos)} videos; {len(without)} left out')


def check_out(out: Path, version: str, problems: Problems) -> None:
    """Report what is wrong in the prepared data set."""
    check_proposals(out / 'annotations', PROPOSALS, problems)
    check_annotations(out / 'annotations', version, problems)
    paths = [out / 'annotations' / name for name in annotation_files(version)[:2]]
    if problems.count('wrong') or not all(path.is_file() for path in paths):
        return
    seconds = annotated_seconds(paths)
    folders = {video: out / 'rawframes' / video for video in seconds}
    for video in sorted(seconds):
        if not folders[video].is_dir():
            problems.missing(folders.pop(video), 'frames of an annotated video')
    check_frames(folders, seconds, {}, problems)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    return convert_or_check(
        args,
        lambda problems: read(args.src, args.version, problems),
        lambda source: convert(source, args.out, args.version),
        check_source,
        lambda out, problems: check_out(out, args.version, problems),
    )


if __name__ == '__main__':
    sys.exit(main())
