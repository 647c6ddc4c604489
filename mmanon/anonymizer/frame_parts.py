"""Cut rectangles out of a stored video frame and put them back.

Pixels outside of the rectangles are not converted to RGB and back, so they stay the
same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter

if TYPE_CHECKING:
    from av.video.format import VideoFormatComponent
    from av.video.plane import VideoPlane

__all__ = ['converted', 'cut_out', 'has_planes', 'luma', 'put_in', 'whole_cells']


def converted(frame: av.VideoFrame, pixel_format: str, **options: Any) -> av.VideoFrame:
    """Convert a frame to another format or size.

    The conversion runs in the calling thread. ``VideoFrame.reformat`` would start a few
    threads for each frame, and hangs if two threads convert the same frame.

    Args:
        frame (av.VideoFrame): The frame; only one thread at a time may convert it.
        pixel_format (str): The format of the new frame.
        **options: As for ``VideoReformatter.reformat``.
    """
    return VideoReformatter().reformat(frame, format=pixel_format, threads=1, **options)


def has_planes(frame: av.VideoFrame) -> bool:
    """Whether each colour has its own plane, so that a rectangle can be cut out."""
    form = frame.format
    return len(frame.planes) == len(form.components) and not form.has_palette


def luma(frame: av.VideoFrame) -> np.ndarray | None:
    """The brightness as a view, uint8 (H, W); None if it is not stored as such."""
    form = frame.format
    if form.is_rgb or form.has_palette or form.components[0].bits != 8:
        return None
    if len(form.components) > 1 and len(frame.planes) < 2:
        return None  # brightness and colour alternate in one plane
    return _plane(frame.planes[0])[:, : frame.width]


def whole_cells(
    frame: av.VideoFrame, region: Sequence[int]
) -> tuple[int, int, int, int]:
    """The smallest rectangle around another that does not cut a chroma pixel.

    Args:
        frame (av.VideoFrame): The frame.
        region (Sequence): x1, y1, x2, y2 in whole pixels within the frame.

    Returns:
        tuple: x1, y1, x2, y2.
    """
    steps = [_steps(frame, part) for part in frame.format.components]
    across, down = (max(side) for side in zip(*steps, strict=True))
    x1, y1, x2, y2 = region
    return (
        x1 - x1 % across,
        y1 - y1 % down,
        min(-(-x2 // across) * across, frame.width),
        min(-(-y2 // down) * down, frame.height),
    )


def cut_out(frame: av.VideoFrame, region: Sequence[int]) -> av.VideoFrame:
    """Copy a rectangle.

    Args:
        frame (av.VideoFrame): A frame for which :func:`has_planes` is true.
        region (Sequence): A result of :func:`whole_cells`.

    Returns:
        av.VideoFrame: The copy, in the same format and colour space.
    """
    x1, y1, x2, y2 = region
    part = av.VideoFrame(x2 - x1, y2 - y1, frame.format.name)
    part.colorspace, part.color_range = frame.colorspace, frame.color_range
    whole = _cells(frame, region, (0, 0))
    for chosen, copy in zip(
        whole, _cells(part, (0, 0, x2 - x1, y2 - y1), (0, 0)), strict=True
    ):
        copy[:] = chosen
    return part


def put_in(
    frame: av.VideoFrame,
    part: av.VideoFrame,
    corner: Sequence[int],
    regions: Sequence[Sequence[int]],
) -> None:
    """Put rectangles of a copied part back; other pixels are not changed.

    Args:
        frame (av.VideoFrame): The frame, which is changed. If its pixels are shared
            with a decoder, they are copied first.
        part (av.VideoFrame): The part, in the same format.
        corner (Sequence): x and y of the part's corner in the frame.
        regions (Sequence): x1, y1, x2, y2 in whole pixels of the frame, within the
            part.
    """
    frame.make_writable()
    for region in regions:
        for old, new in zip(
            _cells(frame, region, (0, 0)), _cells(part, region, corner), strict=True
        ):
            old[:] = new


def _cells(
    frame: av.VideoFrame, region: Sequence[int], corner: Sequence[int]
) -> Iterator[np.ndarray]:
    """Views of a rectangle in each plane; ``corner`` is the frame's upper left."""
    x1, y1, x2, y2 = region
    left, top = corner
    for part in sorted(frame.format.components, key=lambda component: component.plane):
        across, down = _steps(frame, part)
        size = (part.bits + 7) // 8
        rows = slice(y1 // down - top // down, -(-y2 // down) - top // down)
        columns = slice(
            (x1 // across - left // across) * size,
            (-(-x2 // across) - left // across) * size,
        )
        yield _plane(frame.planes[part.plane])[rows, columns]


def _steps(frame: av.VideoFrame, part: VideoFormatComponent) -> tuple[int, int]:
    """How many pixels of the frame a pixel of a plane covers, across and down."""
    if not part.is_chroma:
        return 1, 1
    return (
        max(1, round(frame.width / part.width)),
        max(1, round(frame.height / part.height)),
    )


def _plane(plane: VideoPlane) -> np.ndarray:
    pixels = np.frombuffer(memoryview(plane), np.uint8)
    return pixels[: plane.height * plane.line_size].reshape(plane.height, -1)
