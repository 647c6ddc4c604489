"""The frames of a file as FFmpeg alone shows them, for who checks the anonymizer.

Nothing of how the anonymizer reads is used here: what its reader gets wrong must not
look right to the audit, too.
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

_SIDE = 32  # of the small pictures by which two decoders are compared
_ALIKE = 16.0  # of 255
_TILES = 322  # the tag of a TIFF in tiles, which FFmpeg does not read


def independent_frames(path: Path) -> Iterator[ShownFrame]:
    """Read the frames of an image or video by FFmpeg.

    A still image is read by Pillow, too, and moving ones by it alone.

    Args:
        path (Path): The file.

    Yields:
        ShownFrame: One after the other.

    Raises:
        InputError: When it cannot be read, or two decoders see two pictures in it.
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
                f'{path}: two decoders see two pictures in it; store it as PNG or JPEG '
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
                packet = None  # what is behind the damage is not there
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
    """A still image as FFmpeg shows it; None of kinds that it does not read."""
    try:
        with Image.open(path) as image:
            tiles = _TILES in getattr(image, 'tag_v2', {})
            if tiles or image.mode not in ('L', 'LA', 'P', 'RGB', 'RGBA', 'I;16'):
                return None
    except Image.DecompressionBombError:
        return None  # Pillow has read it already, of whatever size
    try:
        with av.open(io.BytesIO(path.read_bytes()), 'r') as container:
            return _as_shown(next(container.decode(video=0)))
    except (av.FFmpegError, OSError, ValueError, IndexError, StopIteration):
        return None


def _as_shown(frame: av.VideoFrame) -> np.ndarray:
    """A frame turned as it asks for, RGB, uint8 (H, W, 3)."""
    image = frame.to_ndarray(format='rgb24')
    try:
        data = cast('Mapping[str, bytes]', frame.side_data)
        matrix = data.get('DISPLAYMATRIX')
    except ValueError:  # there is data of a kind that PyAV does not know
        matrix = None
    if matrix is None:
        return np.rot90(image, round(frame.rotation / 90))
    # Where a step to the right leads, and one down.
    across, down = np.sign(np.frombuffer(matrix, np.int32)[:6].reshape(2, 3)[:, :2])
    if across[0] * down[1] - across[1] * down[0] < 0:
        image, across = image[:, ::-1], -across
    quarters = [(1, 0), (0, -1), (-1, 0), (0, 1)].index(tuple(across.tolist()))
    return np.rot90(image, quarters)


def _alike(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two pictures are one, but for what mirrors it and how exactly it is read.

    FFmpeg does not always say that EXIF asks for a mirrored picture.
    """
    if first.shape != second.shape:
        return False
    small = [
        Image.fromarray(np.ascontiguousarray(one)).resize((_SIDE, _SIDE))
        for one in (first, second, second[:, ::-1])
    ]
    seen, *others = (np.asarray(one, int) for one in small)
    return min(np.abs(seen - other).mean() for other in others) < _ALIKE
