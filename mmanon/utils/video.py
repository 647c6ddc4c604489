"""Read the frames of a video file upright, as a player shows them.

A phone that is held upright stores rotated pixels and a display matrix with the
rotation. mmaction2's ``DecordDecode`` applies the matrix, as FFmpeg's own tools do.
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
    """Open a video file, whatever encoding its tags have.

    Raises:
        av.FFmpegError: If it is no video file.
    """
    return av.open(file_url(path), metadata_errors='ignore')


def file_url(path: str | Path) -> str:
    """The path as a ``file:`` address for FFmpeg.

    Otherwise FFmpeg would take ``12:30.mp4`` for an address of the protocol ``12``.

    Example:
        >>> file_url('12:30.mp4')
        'file:12:30.mp4'
    """
    return f'file:{path}'


def video_stream(container: av.container.InputContainer) -> av.VideoStream:
    """The first video stream that is no cover picture.

    Raises:
        IndexError: If there is none.
    """
    cover = av.stream.Disposition.attached_pic
    streams = container.streams.video
    return [stream for stream in streams if not stream.disposition & cover][0]


def decode(container: av.container.InputContainer) -> Iterator[av.VideoFrame]:
    """Decode all frames of the video stream.

    Raises:
        IndexError: If there is no video stream.
        av.FFmpegError: If decoding cannot continue.
    """
    stream = video_stream(container)
    stream.thread_type = 'AUTO'
    yield from container.decode(stream)


def orientation_of(frame: av.VideoFrame) -> Orientation:
    """How to rotate a frame so that it is upright."""
    matrix = display_matrix(frame)
    return Orientation() if matrix is None else Orientation.of_matrix(matrix)


def display_matrix(frame: av.VideoFrame) -> list[int] | None:
    """FFmpeg's display matrix of a frame, nine numbers; None if it has none."""
    try:
        # PyAV's type hints list only motion vectors.
        packed = cast('Mapping[str, bytes]', frame.side_data).get('DISPLAYMATRIX')
    except ValueError:
        # The frame has another kind of side data that PyAV does not know, such as EXIF
        # in each frame of an AVI. PyAV still gives the angle, but not a mirroring.
        return _MATRICES[round(frame.rotation / 90) % 4]
    return None if packed is None else np.frombuffer(packed, np.int32).tolist()


def _matrix(a: int, b: int, c: int, d: int) -> list[int]:
    one = 1 << 16
    return [a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30]


# By quarters of a turn, counterclockwise.
_MATRICES = {
    0: None,
    1: _matrix(0, -1, 1, 0),
    2: _matrix(-1, 0, 0, -1),
    3: _matrix(0, 1, -1, 0),
}


def upright(frame: av.VideoFrame, pixels: str = 'rgb24') -> np.ndarray:
    """The upright picture of a frame, uint8 (H, W, 3).

    Args:
        frame: As :func:`decode` yields it.
        pixels: ``'rgb24'`` or ``'bgr24'``.
    """
    return orientation_of(frame).upright(frame.to_ndarray(format=pixels))


def turn_of(orientation: Orientation) -> str:
    """The value of ``VideoInfo.turned`` for an orientation."""
    if orientation == Orientation():
        return 'no'
    # A transposition is itself a mirroring: one more makes a quarter turn.
    mirrored = orientation.mirrored != orientation.upended
    if orientation.transposed and mirrored:
        return 'quarter'
    return 'other'
