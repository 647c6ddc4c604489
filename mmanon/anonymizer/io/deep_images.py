"""Read and write images of 16 bits with FFmpeg; Pillow supports only grey ones."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

__all__ = ['encode_deep', 'read_deep']


class _Kind(NamedTuple):
    """How a file format is read and written."""

    demuxer: str
    codec: str
    order: str
    """The byte order, by FFmpeg's name."""


_PNG = _Kind('png_pipe', 'png', 'be')
_TIFF = _Kind('tiff_pipe', 'tiff', 'le')
_PPM = _Kind('ppm_pipe', 'ppm', 'be')
_KINDS = {'.png': _PNG, '.tif': _TIFF, '.tiff': _TIFF, '.ppm': _PPM}
# The first bytes of each format.
_BEGINNINGS = {b'\x89PNG': _PNG, b'II': _TIFF, b'MM': _TIFF, b'P6': _PPM, b'P3': _PPM}
# FFmpeg's pixel formats by the number of values of a pixel.
_LAYOUTS = {1: 'gray16', 2: 'ya16', 3: 'rgb48', 4: 'rgba64'}
_PNG_DEPTH = 24  # the position of the byte with the bits per value
_OPTIONS = {'tiff': {'compression_algo': 'deflate'}}


def read_deep(path: Path) -> np.ndarray | None:
    """Read an image of 16 bits.

    FFmpeg may return something even for a damaged file, so Pillow must check for
    damage.

    Args:
        path (Path): Any image.

    Returns:
        np.ndarray or None: uint16, (H, W), (H, W, 2) with alpha, (H, W, 3) RGB or
        (H, W, 4) RGBA, in stored orientation; None if the file is no such image, or
        cannot be decoded.
    """
    with path.open('rb') as file:
        begins = file.read(_PNG_DEPTH + 1)
    kinds = (kind for start, kind in _BEGINNINGS.items() if begins.startswith(start))
    kind = next(kinds, None)
    if kind is None or kind is _PNG and begins[_PNG_DEPTH:] != b'\x10':
        return None
    packed = path.read_bytes()
    try:
        # From memory, because '%' in a file name has a meaning for FFmpeg.
        source = io.BytesIO(packed)
        with av.open(source, 'r', format=kind.demuxer) as container:
            # Check the frame and not the stream, which may crash for other files.
            frame = next(container.decode(video=0))
            deep = frame.format.name[:-2] in _LAYOUTS.values()
            return _pixels(frame) if deep else None
    except (av.FFmpegError, IndexError, StopIteration):
        return None


def encode_deep(pixels: np.ndarray, extension: str) -> bytes:
    """Encode an image of 16 bits.

    Args:
        pixels (np.ndarray): As from :func:`read_deep`.
        extension (str): ``'.png'``, ``'.tif'``, ``'.tiff'``, or ``'.ppm'`` without
            alpha.

    Returns:
        bytes: The content of the file.
    """
    kind = _KINDS[extension]
    height, width = pixels.shape[:2]
    count = 1 if pixels.ndim == 2 else pixels.shape[2]
    frame = av.VideoFrame(width, height, _LAYOUTS[count] + kind.order)
    _rows(frame)[:] = pixels.reshape(height, -1)
    context = av.CodecContext.create(kind.codec, 'w')
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height = width, height
    context.pix_fmt = frame.format.name
    context.framerate = Fraction(1)
    context.options = _OPTIONS.get(kind.codec, {})
    packets = [*context.encode(frame), *context.encode(None)]
    return b''.join(bytes(packet) for packet in packets)


def _pixels(frame: av.VideoFrame) -> np.ndarray:
    rows = _rows(frame).astype(np.uint16)
    count = len(frame.format.components)
    shape = (frame.height, frame.width) + ((count,) if count > 1 else ())
    return rows.reshape(shape)


def _rows(frame: av.VideoFrame) -> np.ndarray:
    """A writable view of the values of a frame's only plane, (H, W * values)."""
    plane = frame.planes[0]
    kind = np.dtype('>u2' if frame.format.name.endswith('be') else '<u2')
    values = np.frombuffer(memoryview(plane), kind)
    rows = values[: plane.height * plane.line_size // 2].reshape(plane.height, -1)
    return rows[:, : frame.width * len(frame.format.components)]
