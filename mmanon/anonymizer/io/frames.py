"""Read the upright frames of an image or video."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

from mmanon.utils.media_types import is_image

from .image_files import as_colour, open_image
from .video_reader import VideoReader

__all__ = ['ShownFrame', 'upright_frames']


class ShownFrame(NamedTuple):
    """An upright frame.

    Attributes:
        seconds (float, optional): Its time; None for an image.
        image (np.ndarray): The upright picture, uint8 (H, W, 3) RGB.
    """

    seconds: float | None
    image: np.ndarray


def upright_frames(path: Path) -> Iterator[ShownFrame]:
    """Read the frames of an image or video.

    Args:
        path (Path): The file.

    Yields:
        ShownFrame: The frames in their order.

    Raises:
        InputError: When the file cannot be read.
    """
    if is_image(path):
        for pixels in open_image(path).pixels():
            colour = as_colour(pixels)
            deep = colour.dtype != np.uint8
            yield ShownFrame(None, (colour >> 8).astype(np.uint8) if deep else colour)
        return
    reader = VideoReader(str(path))
    try:
        for item in reader:
            if isinstance(item, av.VideoFrame):
                image = reader.orientation.upright(item.to_ndarray(format='rgb24'))
                yield ShownFrame(item.time, image)
    finally:
        reader.close()
