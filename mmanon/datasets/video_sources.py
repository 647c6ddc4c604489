"""The videos of a data set on disk: files, and folders of numbered images."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import av
import cv2
import numpy as np

from mmanon.structures.face_table import VideoInfo
from mmanon.utils.images import read_image
from mmanon.utils.media_types import is_hidden, is_image, is_video
from mmanon.utils.video import decode, open_video, orientation_of, turn_of, upright

__all__ = ['SourceError', 'VideoReading', 'VideoSource', 'find_video_sources']


class SourceError(Exception):
    """A video cannot be read, or not beyond some frame."""


@dataclass(frozen=True)
class VideoSource:
    """One video: a file, or a folder of numbered images.

    Attributes:
        name: Its path relative to the data set's folder, without extension.
        path: The file or folder.
        num_frames: Approximate number of frames; 0 if unknown.
    """

    name: str
    path: Path
    num_frames: int


def find_video_sources(root: Path) -> tuple[list[VideoSource], list[str]]:
    """Find all videos in a folder, at any depth.

    Names that begin with a dot are ignored. Images named ``flow_…`` are not frames:
    folders for mmaction2 contain optical flow next to the frames.

    Args:
        root: The folder of the data set.

    Returns:
        The videos sorted by name; and descriptions of the images that are left out
        because they are not frames of a video: they are in ``root`` itself or next to
        video files, or have no numbers.

    Raises:
        ValueError: If there is no video, or two share a name.
    """
    sources: dict[str, VideoSource] = {}
    left_out = []
    for folder, folders, files in os.walk(root, followlinks=True):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        found = []
        for file in files:
            if is_video(file) and not is_hidden(file):
                path = Path(folder, file)
                name = _name(path.with_suffix(''), root)
                found.append(VideoSource(name, path, _count_frames(path)))
        images = [file for file in files if _is_frame(file)]
        numbered = any(map(_number, images))
        if images and (found or not numbered or Path(folder) == root):
            left_out.append(f'{Path(folder)}: {len(images)} ({images[0]} …)')
        elif images:
            path = Path(folder)
            found.append(VideoSource(_name(path, root), path, len(images)))
        for source in found:
            if source.name in sources:
                raise ValueError(
                    f'{sources[source.name].path} and {source.path} share the name '
                    f'{source.name!r} in the table: move one of them away'
                )
            sources[source.name] = source
    if not sources:
        if any(_is_frame(file.name) and _number(file.name) for file in root.iterdir()):
            raise ValueError(
                f'{root} is itself a folder of images: name the folder above it'
            )
        raise ValueError(f'{root} holds neither video files nor folders of images')
    return [sources[name] for name in sorted(sources)], left_out


class VideoReading:
    """Reads frames of a video, and collects its description.

    Args:
        source: The video.
        interval: n: every n-th frame and the last one are read.

    Attributes:
        failures: Descriptions of the images that could not be read.
    """

    def __init__(self, source: VideoSource, interval: int = 1) -> None:
        self.source = source
        self.interval = interval
        self.failures: list[str] = []
        self._sizes: set[tuple[int, int]] = set()
        self._turns: set[str] = set()
        self._num_frames: int | None = None

    @property
    def info(self) -> VideoInfo:
        """Description of the video for a face table; complete after :meth:`frames`."""
        width, height = None, None
        if len(self._sizes) == 1:
            [(width, height)] = self._sizes
        [turned] = self._turns if len(self._turns) == 1 else ['other']
        path = self.source.path
        known = (width, height, self._num_frames, turned)
        if path.is_dir():
            return VideoInfo('folder', *known)
        return VideoInfo('file', *known, path.name, path.stat().st_size)

    def frames(self) -> Iterator[tuple[int, np.ndarray]]:
        """Read the frames, upright.

        Yields:
            The number at the end of the image's name, or the index from 0 in a video
            file; and the image, RGB, uint8 (H, W, 3).

        Raises:
            SourceError: If the video cannot be read any further.
        """
        read = self._images if self.source.path.is_dir() else self._decoded
        for number, image in read():
            self._sizes.add((image.shape[1], image.shape[0]))
            yield number, image

    def _images(self) -> Iterator[tuple[int, np.ndarray]]:
        images = _numbered_images(self.source.path)
        self._num_frames = len(images)
        self._turns.add('no')
        for i, (number, path) in enumerate(images):
            if i % self.interval and i != len(images) - 1:
                continue
            try:
                # OpenCV's type hints do not include None.
                image = cast(
                    'np.ndarray | None', cv2.imread(str(path), cv2.IMREAD_COLOR)
                )
            except cv2.error as error:  # such as an image of too many pixels
                self.failures.append(f'{path} cannot be read: {error}')
                continue
            if image is None:
                image = _other_image(path)
            if image is None:
                self.failures.append(f'{path} cannot be read')
                continue
            yield number, cv2.cvtColor(image, cv2.COLOR_BGR2RGB)

    def _decoded(self) -> Iterator[tuple[int, np.ndarray]]:
        index = -1
        last: av.VideoFrame | None = None
        try:
            with open_video(self.source.path) as container:
                for index, last in enumerate(decode(container)):
                    self._turns.add(turn_of(orientation_of(last)))
                    if index % self.interval == 0:
                        yield index, upright(last)
            if last is None:
                raise SourceError('it has no frames')
            if index % self.interval:
                yield index, upright(last)
        except av.FFmpegError as error:
            raise SourceError(
                f'decoding ends after {index + 1} frames: {error}'
            ) from error
        except IndexError as error:
            raise SourceError('it has no video stream') from error
        self._num_frames = index + 1


def _other_image(path: Path) -> np.ndarray | None:
    """Read an image in a format that OpenCV cannot read, as BGR."""
    try:
        image = read_image(path)
    except (ImportError, OSError):
        return None
    return None if image is None else np.ascontiguousarray(image[..., ::-1])


def _is_frame(file: str) -> bool:
    return is_image(file) and not is_hidden(file) and not file.startswith('flow_')


def _number(file: str) -> re.Match | None:
    return re.search(r'(\d+)$', os.path.splitext(file)[0])


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _count_frames(path: Path) -> int:
    """Estimate the number of frames of a file, for a progress bar; 0 if unknown."""
    try:
        with open_video(path) as container:
            stream = container.streams.video[0]
            if stream.frames or not (container.duration and stream.average_rate):
                return stream.frames
            return round(container.duration / av.time_base * stream.average_rate)
    except (av.FFmpegError, IndexError):
        return 0


def _numbered_images(folder: Path) -> list[tuple[int, Path]]:
    """Return the images of a folder, sorted by the number at the end of their names.

    Raises:
        SourceError: If an image has no number, two have the same number, or the folder
            cannot be read.
    """
    numbered: dict[int, Path] = {}
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise SourceError(str(error)) from error
    for path in paths:
        if not _is_frame(path.name):
            continue
        number = _number(path.name)
        if number is None:
            raise SourceError(f'{path.name} does not end with a number')
        other = numbered.setdefault(int(number.group(1)), path)
        if other is not path:
            raise SourceError(f'{other.name} and {path.name} have the same number')
    return sorted(numbered.items())
