"""Data sets like AVA: 30 frames a second, of which one a second is annotated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np

from mmanon.datasets.formats.ava_reader import (
    read_ava_boxes,
    read_excluded,
    read_label_map,
)
from mmanon.datasets.formats.ava_writer import extract_frames
from mmanon.utils.atomic_write import written_whole
from mmanon.utils.media_types import is_hidden, is_video

from .frames import frame_times, numbered_images, sampled_at
from .images import check_images
from .problems import Problems

__all__ = [
    'FPS',
    'PROPOSALS',
    'START',
    'STOP',
    'annotation_files',
    'annotated_seconds',
    'check_annotations',
    'check_frames',
    'check_proposals',
    'extract_at_rate',
    'find_videos',
    'write_without',
]

FPS = 30
# The annotated part of a film is minutes 15 to 30, in seconds.
START, STOP = 900, 1801
PROPOSALS = [
    f'ava_dense_proposals_{split}.FAIR.recall_93.9.pkl' for split in ('train', 'val')
]
LABELS = {
    '2.1': 'ava_action_list_v2.1_for_activitynet_2018.pbtxt',
    '2.2': 'ava_action_list_v2.2_for_activitynet_2019.pbtxt',
}


def annotation_files(version: str) -> list[str]:
    """Return the files that the configs of a version of AVA name, except proposals."""
    return [
        *(f'ava_{split}_v{version}.csv' for split in ('train', 'val')),
        *(
            f'ava_{split}_excluded_timestamps_v{version}.csv'
            for split in ('train', 'val')
        ),
        LABELS[version],
    ]


def check_annotations(folder: Path, version: str, problems: Problems) -> None:
    """Report missing or wrong annotation files of AVA."""
    for name in annotation_files(version):
        path = folder / name
        if not path.is_file():
            problems.missing(path)
            continue
        read: Callable[[Path], object] = read_label_map
        if 'excluded' in name:
            read = read_excluded
        elif name.endswith('.csv'):
            read = read_ava_boxes
        try:
            read(path)
        except ValueError as error:
            problems.wrong(path, str(error))


def check_proposals(folder: Path, names: Iterable[str], problems: Problems) -> None:
    """Report missing proposals, and ``.npz`` proposals that cannot be read.

    Args:
        folder: Folder of the annotations.
        names: Published names, ``.pkl``; a file ``.npz`` of the same name counts as
            well, see docs/datasets/pickles.md.
        problems: Gets the problems.
    """
    for name in names:
        path = folder / name
        if not any(path.with_suffix(end).is_file() for end in ('.pkl', '.npz')):
            problems.missing(path, 'or the same file as .npz')
    for path in folder.glob('*.npz'):
        try:
            with np.load(path, allow_pickle=False) as file:
                file[file.files[0]]
        except (OSError, ValueError, IndexError) as error:
            problems.unreadable(path, str(error))


def annotated_seconds(paths: Iterable[Path]) -> dict[str, set[int]]:
    """Read the annotated timestamps of each video, in seconds."""
    found: dict[str, set[int]] = {}
    for path in paths:
        lines = read_ava_boxes(path)
        for video, second in zip(lines.videos, lines.timestamps.tolist(), strict=True):
            found.setdefault(video, set()).add(second)
    return found


def find_videos(folder: Path) -> dict[str, Path]:
    """Find the video files below a folder, by their names without extension."""
    return {
        path.stem: path
        for path in sorted(folder.rglob('*'))
        if is_video(path) and not is_hidden(path)
    }


def extract_at_rate(
    video: Path, folder: Path, start: float, stop: float, offset: float = 0.0
) -> int:
    """Write 30 frames for each second from ``start`` to ``stop``, numbered from 1.

    If the video has a lower rate, some frames are written twice. If it ends before
    ``stop``, there are fewer frames.

    Args:
        video: The file.
        folder: The target; an existing one is not changed.
        start: Time of the first frame to write, in seconds.
        stop: Time after the last frame to write, in seconds.
        offset: Time of the first frame of the video on the same clock, in seconds.

    Returns:
        The number of files.

    Raises:
        ValueError: If the video cannot be decoded, or ends before ``start``.
    """
    if folder.is_dir():
        return len(numbered_images(folder))
    times = frame_times(video)
    wanted = np.arange(start - offset, stop - offset, 1 / FPS)
    # The last frame has the duration of the one before.
    end = times[-1] + (np.diff(times[-2:]).sum() or 1 / FPS)
    wanted = wanted[wanted < end - 1e-3]
    if not len(wanted):
        raise ValueError(f'{video} ends after {end:.1f} s, before its annotated part')
    files: dict[int, list[int]] = {}
    for number, index in enumerate(sampled_at(times, wanted).tolist(), 1):
        files.setdefault(index, []).append(number)
    return extract_frames(video, folder, files)


def check_frames(
    folders: Mapping[str, Path],
    seconds: Mapping[str, set[int]],
    starts: Mapping[str, int],
    problems: Problems,
) -> None:
    """Report videos with missing frames or with annotated frames that cannot be read.

    Args:
        folders: The folder of frames of each video.
        seconds: The annotated timestamps of each video.
        starts: The timestamp of frame 1 of each video, :data:`START` by default.
        problems: Gets the problems.
    """
    keys = []
    for video, folder in folders.items():
        found = numbered_images(folder)
        gaps = set(range(1, max(found, default=0) + 1)) - set(found)
        if gaps or not found:
            problems.missing(
                folder, f'{len(gaps) or "all"} frame(s), from {min(gaps or {1})}'
            )
        for second in sorted(seconds.get(video, ())):
            number = (second - starts.get(video, START)) * FPS + 1
            if number in found:
                keys.append(found[number])
            elif number not in gaps:
                problems.missing(
                    folder, f'frame {number} of the annotated second {second}'
                )
    check_images(keys, problems)


def write_without(path: Path, target: Path, videos: set[str]) -> None:
    """Copy an annotation file without the lines of some videos."""
    lines = path.read_text().splitlines(keepends=True)
    if target.is_symlink():
        target.unlink()
    with written_whole(target) as beside:
        beside.write_text(
            ''.join(line for line in lines if line.split(',')[0] not in videos)
        )
