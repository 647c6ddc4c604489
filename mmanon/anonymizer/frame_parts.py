"""Cuts rectangles out of a stored video frame and puts them back.

Pixels outside a rectangle keep every bit and are not converted to RGB and back.
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
    """A frame in another format, or of another size.

    On the thread that asks for it: what a frame does by itself starts a few threads
    for each, and hangs where two ask the same frame at a time.

    Args:
        frame (av.VideoFrame): What is converted, by one thread at a time.
        pixel_format (str): Of the new frame.
        **options: As of ``VideoReformatter.reformat``.
    """
    return VideoReformatter().reformat(frame, format=pixel_format, threads=1, **options)


def has_planes(frame: av.VideoFrame) -> bool:
    """Whether each colour is stored apart, so that a rectangle can be cut out."""
    form = frame.format
    return len(frame.planes) == len(form.components) and not form.has_palette


def luma(frame: av.VideoFrame) -> np.ndarray | None:
    """The brightness, a view of uint8 (H, W), where it is stored as such."""
    form = frame.format
    if form.is_rgb or form.has_palette or form.components[0].bits != 8:
        return None
    if len(form.components) > 1 and len(frame.planes) < 2:
        return None  # brightness and colour take turns in one plane
    return _plane(frame.planes[0])[:, : frame.width]


def whole_cells(
    frame: av.VideoFrame, region: Sequence[int]
) -> tuple[int, int, int, int]:
    """The smallest rectangle around another that cuts no pixel of colour.

    Args:
        frame (av.VideoFrame): What it lies in.
        region (Sequence): x1, y1, x2, y2 in whole pixels within the frame.

    Returns:
        tuple: Such a rectangle.
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
    """A copy of a rectangle.

    Args:
        frame (av.VideoFrame): Of which :func:`has_planes` is true.
        region (Sequence): As of :func:`whole_cells`.

    Returns:
        av.VideoFrame: Of the same format and colour space.
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
    """Put rectangles of a cut-out back; other pixels are not changed.

    Args:
        frame (av.VideoFrame): What is changed; its pixels may be shared with a
            decoder, which is spared.
        part (av.VideoFrame): Of the same format.
        corner (Sequence): x and y of where it was cut out.
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
    """Views of a rectangle in each plane; ``corner`` is where the frame begins."""
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
