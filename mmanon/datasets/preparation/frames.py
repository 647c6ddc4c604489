"""Frames of videos: links to images, times, and checks."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import av
import numpy as np

from mmanon.utils.atomic_write import folder_written_whole
from mmanon.utils.media_types import IMAGES, files_in
from mmanon.utils.video import open_video, video_stream

from .problems import Problems

__all__ = [
    'check_video',
    'frame_times',
    'link',
    'link_frames',
    'numbered_images',
    'sampled_at',
]


def numbered_images(folder: Path) -> dict[int, Path]:
    """Return the images of a folder by the number at the end of their names, sorted."""
    found = {}
    for path in files_in(folder, IMAGES):
        number = re.search(r'(\d+)$', path.stem)
        if number:
            found[int(number[1])] = path
    return dict(sorted(found.items()))


def link(target: Path, path: Path) -> None:
    """Make ``path`` a link to ``target``; an equal link is kept.

    Raises:
        FileExistsError: If ``path`` is something else.
    """
    target = target.resolve()
    if path.is_symlink() and Path(os.readlink(path)) == target:
        return
    if path.is_symlink() or path.exists():
        if path.resolve() == target:
            return
        raise FileExistsError(f'{path} exists and is not a link to {target}: move it')
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def link_frames(images: Mapping[int, Path], folder: Path) -> None:
    """Make a folder of links ``img_00001.jpg``, … to the images of a video.

    An existing folder is complete and is not changed.

    Args:
        images: The images by their numbers.
        folder: The new folder; it appears when it contains all links.
    """
    if folder.is_dir():
        return
    with folder_written_whole(folder) as part:
        for number, path in images.items():
            name = f'img_{number:05d}{path.suffix.lower()}'
            (part / name).symlink_to(path.resolve())


def frame_times(video: Path) -> np.ndarray:
    """Return the time of each frame of a video, in seconds from the first, ascending.

    The packets are read but not decoded.

    Raises:
        ValueError: If the file cannot be read or has no times.
    """
    try:
        with open_video(video) as container:
            stream = video_stream(container)
            base = float(stream.time_base or 0)
            # Old AVI files have only decoding times, which have the same rate.
            times = [
                (packet.dts if packet.pts is None else packet.pts) * base
                for packet in container.demux(stream)
                if packet.size and packet.dts is not None and not packet.is_discard
            ]
    except (av.FFmpegError, IndexError) as error:
        raise ValueError(f'{video} cannot be read: {error}') from error
    if not times:
        raise ValueError(f'{video} has no times of its frames')
    return np.sort(times) - min(times)


def sampled_at(times: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the index of the frame that is shown at each moment.

    Args:
        times: Time of each frame in seconds, ascending, (F,).
        wanted: Moments in seconds, (n,).

    Returns:
        Indices in [0, F), (n,); 0 for moments before the first frame.
    """
    # Times are rounded to the time base of the stream, so a moment may be a bit early.
    return np.searchsorted(times, np.asarray(wanted) + 1e-3, side='right').clip(1) - 1


def check_video(path: Path, problems: Problems) -> None:
    """Report a video whose first frame cannot be decoded."""
    try:
        with open_video(path) as container:
            next(container.decode(video_stream(container)))
    except (av.FFmpegError, IndexError, StopIteration) as error:
        problems.unreadable(path, str(error) or 'it has no frames')
