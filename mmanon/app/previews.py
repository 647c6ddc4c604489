"""Make previews of images and videos that a browser can show."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from PIL import Image

from mmanon.anonymizer.io.image_files import as_colour, open_image
from mmanon.anonymizer.io.video_reader import VideoReader
from mmanon.utils.media_types import is_image

__all__ = ['is_image', 'make_preview']

_SHOWN = {'.jpg', '.jpeg', '.png', '.gif', '.webp', '.bmp'}
_PLAYED = {('.mp4', 'h264'), ('.webm', 'vp8'), ('.webm', 'vp9'), ('.webm', 'av1')}
_LARGEST_IMAGE = 2000  # longer side in pixels
_LARGEST_VIDEO = 960


def make_preview(path: Path, folder: Path) -> Path:
    """Make a preview of an image or video, if a browser may not show the file itself.

    Formats that not every browser shows and very large images need a preview. It is
    smaller, and has no sound.

    Args:
        path (Path): The file.
        folder (Path): Where the preview is written.

    Returns:
        Path: The file itself, or the preview.

    Raises:
        InputError: When the file cannot be read.
    """
    return (_of_image if is_image(path) else _of_video)(path, folder)


def _of_image(path: Path, folder: Path) -> Path:
    pixels = next(open_image(path).pixels())
    if path.suffix.lower() in _SHOWN and max(pixels.shape[:2]) <= _LARGEST_IMAGE:
        return path
    colour = as_colour(pixels)
    if colour.dtype == np.uint16:
        colour = (colour >> 8).astype(np.uint8)
    made = folder / f'{path.stem}_preview.png'
    Image.fromarray(_shrunk(colour, _LARGEST_IMAGE)).save(made)
    return made


def _of_video(path: Path, folder: Path) -> Path:
    reader = VideoReader(str(path))
    try:
        codec = reader.stream.codec_context.name
        halved = reader.first.format.name in ('yuv420p', 'yuvj420p')
        if (path.suffix.lower(), codec) in _PLAYED and halved:
            return path
        made = folder / f'{path.stem}_preview.webm'
        _encode(reader, made)
        return made
    finally:
        reader.close()


def _encode(reader: VideoReader, made: Path) -> None:
    """Encode the upright pictures as VP9, which all browsers play."""
    rate = reader.stream.average_rate or Fraction(25)
    quick = {'deadline': 'realtime', 'cpu-used': '8', 'crf': '30', 'b': '0'}
    with av.open(str(made), 'w', format='webm') as container:
        stream = container.add_stream('libvpx-vp9', rate, options=quick)
        out = cast(av.VideoStream, stream)
        out.pix_fmt = 'yuv420p'
        aspect = reader.stream.codec_context.sample_aspect_ratio
        if aspect and not reader.orientation.transposed:
            out.codec_context.sample_aspect_ratio = aspect
        for number, item in enumerate(_pictures(reader)):
            image = reader.orientation.upright(item.to_ndarray(format='rgb24'))
            image = _shrunk(image, _LARGEST_VIDEO)
            frame = av.VideoFrame.from_ndarray(image, 'rgb24')
            if number == 0:
                out.width, out.height = frame.width, frame.height
            frame.pts, frame.time_base = item.pts, item.time_base
            container.mux(out.encode(frame))
        container.mux(out.encode())


def _pictures(reader: VideoReader) -> Iterator[av.VideoFrame]:
    return (item for item in reader if isinstance(item, av.VideoFrame))


def _shrunk(image: np.ndarray, largest: int) -> np.ndarray:
    scale = min(1, largest / max(image.shape[:2]))
    if scale == 1:
        return image
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    small = Image.fromarray(image).resize((width, height), Image.Resampling.HAMMING)
    return np.asarray(small)
