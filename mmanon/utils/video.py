"""The frames of a video file as a player shows them: turned as the file asks for.

An upright phone stores rotated pixels and a display matrix with the rotation.
mmaction2's ``DecordDecode`` applies it, as FFmpeg's own tools do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

import av
import numpy as np

from .orientation import Orientation

__all__ = [
    'decode',
    'display_matrix',
    'file_url',
    'open_video',
    'orientation_of',
    'turn_of',
    'upright',
    'video_stream',
]


def open_video(path: str | Path) -> av.container.InputContainer:
    """Open a video file, whatever its tags are written in.

    Raises:
        av.FFmpegError: If it is no video file.
    """
    return av.open(file_url(path), metadata_errors='ignore')


def file_url(path: str | Path) -> str:
    """A file's name as FFmpeg takes it for nothing else.

    ``12:30.mp4`` would be an address of the protocol ``12``.

    Example:
        >>> file_url('12:30.mp4')
        'file:12:30.mp4'
    """
    return f'file:{path}'


def video_stream(container: av.container.InputContainer) -> av.VideoStream:
    """The first stream of pictures that is no cover picture.

    Raises:
        IndexError: If there is none.
    """
    cover = av.stream.Disposition.attached_pic
    streams = container.streams.video
    return [stream for stream in streams if not stream.disposition & cover][0]


def decode(container: av.container.InputContainer) -> Iterator[av.VideoFrame]:
    """All frames of the stream of pictures.

    Raises:
        IndexError: If there is none. av.FFmpegError: If decoding cannot continue.
    """
    stream = video_stream(container)
    stream.thread_type = 'AUTO'
    yield from container.decode(stream)


def orientation_of(frame: av.VideoFrame) -> Orientation:
    """How to rotate a frame so that it is upright."""
    matrix = display_matrix(frame)
    return Orientation() if matrix is None else Orientation.of_matrix(matrix)


def display_matrix(frame: av.VideoFrame) -> list[int] | None:
    """FFmpeg's display matrix of a frame, nine numbers; None where it has none."""
    try:
        # PyAV's own types know of motion vectors alone.
        packed = cast('Mapping[str, bytes]', frame.side_data).get('DISPLAYMATRIX')
    except ValueError:
        # PyAV does not know a kind of data beside it, such as a camera's EXIF in each
        # frame of an AVI. It tells the angle all the same, but not what is mirrored.
        return _MATRICES[round(frame.rotation / 90) % 4]
    return None if packed is None else np.frombuffer(packed, np.int32).tolist()


def _matrix(a: int, b: int, c: int, d: int) -> list[int]:
    one = 1 << 16
    return [a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30]


# By quarters of a turn against the clock.
_MATRICES = {
    0: None,
    1: _matrix(0, -1, 1, 0),
    2: _matrix(-1, 0, 0, -1),
    3: _matrix(0, 1, -1, 0),
}


def upright(frame: av.VideoFrame, pixels: str = 'rgb24') -> np.ndarray:
    """The upright picture of a frame, uint8 (H, W, 3).

    Args:
        frame: As :func:`decode` gives it.
        pixels: ``'rgb24'`` or ``'bgr24'``.
    """
    return orientation_of(frame).upright(frame.to_ndarray(format=pixels))


def turn_of(orientation: Orientation) -> str:
    """The ``turned`` of :class:`mmanon.datasets.VideoInfo` for an orientation."""
    if orientation == Orientation():
        return 'no'
    # Mirrored once or not at all: a transposition is a mirroring itself.
    mirrored = orientation.mirrored != orientation.upended
    if orientation.transposed and mirrored:
        return 'quarter'
    return 'other'
