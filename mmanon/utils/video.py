"""The frames of a video file as a player shows them: turned as the file asks for.

A phone held upright stores the pixels lying on their side and a display matrix that
says so. mmaction2's ``DecordDecode`` obeys it, as FFmpeg's own tools do.
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
    return av.open(str(path), metadata_errors='ignore')


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
        IndexError: If there is none.
        av.FFmpegError: Where decoding cannot go on.
    """
    stream = video_stream(container)
    stream.thread_type = 'AUTO'
    yield from container.decode(stream)


def orientation_of(frame: av.VideoFrame) -> Orientation:
    """How a frame has to be turned to stand upright."""
    # PyAV's own types know of motion vectors alone.
    matrix = cast('Mapping[str, bytes]', frame.side_data).get('DISPLAYMATRIX')
    if matrix is None:
        return Orientation()
    return Orientation.of_matrix(np.frombuffer(matrix, np.int32).tolist())


def upright(frame: av.VideoFrame, pixels: str = 'rgb24') -> np.ndarray:
    """The picture of a frame as it is seen, uint8 (H, W, 3).

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
