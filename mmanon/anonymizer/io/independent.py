"""Read the frames of a file for the audit, independently of the anonymizer.

This module does not use the anonymizer's reader of videos, because the audit must not
repeat its errors.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

import av
import numpy as np
from PIL import Image

from mmanon.utils.media_types import is_image

from .frames import ShownFrame, upright_frames
from .sources import InputError

__all__ = ['independent_frames']

_SIDE = 32  # side of the small pictures that compare two decoders
_ALIKE = 16.0  # largest mean difference, of 255
_TILES = 322  # the tag of a tiled TIFF, which FFmpeg does not read


def independent_frames(path: Path) -> Iterator[ShownFrame]:
    """Read the frames of an image or video.

    Videos are read by FFmpeg. Images are read by Pillow; a still image is also read by
    FFmpeg, and the results are compared.

    Args:
        path (Path): The file.

    Yields:
        ShownFrame: The frames in their order.

    Raises:
        InputError: When the file cannot be read, or the two decoders return different
            pictures.
    """
    if not is_image(path):
        yield from _of_video(path)
        return
    frames = upright_frames(path)
    first = next(frames)
    second = next(frames, None)
    if second is None:
        other = _of_image(path)
        if other is not None and not _alike(first.image, other):
            raise InputError(
                f'{path}: two decoders read different pictures; save it as PNG or JPEG '
                'first'
            )
    yield first
    if second is not None:
        yield second
        yield from frames


def _of_video(path: Path) -> Iterator[ShownFrame]:
    try:
        container = av.open(f'file:{path}', metadata_errors='ignore')
    except (av.FFmpegError, OSError, ValueError) as error:
        raise InputError(f'{path} cannot be opened: {error}') from error
    with container:
        cover = av.stream.Disposition.attached_pic
        pictures = [
            stream
            for stream in container.streams.video
            if not stream.disposition & cover
        ]
        if not pictures:
            raise InputError(f'{path} has no video stream')
        stream = pictures[0]
        stream.thread_type = 'AUTO'
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
            except (StopIteration, av.EOFError):
                return
            except av.FFmpegError:
                packet = None  # nothing after the damage can be read
            try:
                frames = stream.decode(packet)
            except av.EOFError:
                return
            except av.FFmpegError:
                frames = []
            for frame in frames:
                yield ShownFrame(frame.time, _as_shown(frame))
            if packet is None:
                return


def _of_image(path: Path) -> np.ndarray | None:
    """A still image as FFmpeg reads it; None for formats that it does not read."""
    try:
        with Image.open(path) as image:
            tiles = _TILES in getattr(image, 'tag_v2', {})
            if tiles or image.mode not in ('L', 'LA', 'P', 'RGB', 'RGBA', 'I;16'):
                return None
    except Image.DecompressionBombError:
        return None  # the anonymizer's reader has no such limit
    try:
        with av.open(io.BytesIO(path.read_bytes()), 'r') as container:
            return _as_shown(next(container.decode(video=0)))
    except (av.FFmpegError, OSError, ValueError, IndexError, StopIteration):
        return None


def _as_shown(frame: av.VideoFrame) -> np.ndarray:
    """The upright picture of a frame, RGB, uint8 (H, W, 3)."""
    image = frame.to_ndarray(format='rgb24')
    try:
        data = cast('Mapping[str, bytes]', frame.side_data)
        matrix = data.get('DISPLAYMATRIX')
    except ValueError:  # PyAV does not know a kind of side data
        matrix = None
    if matrix is None:
        return np.rot90(image, round(frame.rotation / 90))
    # The directions of a step to the right and of a step down.
    across, down = np.sign(np.frombuffer(matrix, np.int32)[:6].reshape(2, 3)[:, :2])
    if across[0] * down[1] - across[1] * down[0] < 0:
        image, across = image[:, ::-1], -across
    quarters = [(1, 0), (0, -1), (-1, 0), (0, 1)].index(tuple(across.tolist()))
    return np.rot90(image, quarters)


def _alike(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two pictures are the same, apart from mirroring and small differences.

    FFmpeg does not always report that EXIF asks for a mirrored picture.
    """
    if first.shape != second.shape:
        return False
    small = [
        Image.fromarray(np.ascontiguousarray(one)).resize((_SIDE, _SIDE))
        for one in (first, second, second[:, ::-1])
    ]
    seen, *others = (np.asarray(one, int) for one in small)
    return min(np.abs(seen - other).mean() for other in others) < _ALIKE
