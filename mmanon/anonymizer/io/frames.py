"""The frames of an image or video as they are seen, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from mmanon.utils.media_types import is_image

from .image_files import as_colour, open_image
from .video_reader import VideoReader

__all__ = ['upright_frames']


def upright_frames(path: Path) -> Iterator[tuple[float | None, np.ndarray]]:
    """Read the frames of an image or video.

    Args:
        path (Path): The file.

    Yields:
        tuple: When it is shown, in seconds (None for an image), and the upright
        picture, uint8 (H, W, 3) RGB.

    Raises:
        InputError: When it cannot be read.
    """
    if is_image(path):
        for pixels in open_image(path).pixels():
            colour = as_colour(pixels)
            deep = colour.dtype != np.uint8
            yield None, (colour >> 8).astype(np.uint8) if deep else colour
        return
    reader = VideoReader(str(path))
    try:
        for item in reader:
            if isinstance(item, av.VideoFrame):
                image = reader.orientation.upright(item.to_ndarray(format='rgb24'))
                yield item.time, image
    finally:
        reader.close()
