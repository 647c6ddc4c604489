"""Convert video frames to another format, orientation or size."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
from av.filter import Graph
from av.video.reformatter import VideoReformatter

from mmanon.utils.orientation import Orientation

__all__ = ['converted_to', 'letterboxed', 'scaled', 'turned']


def converted_to(
    frame: av.VideoFrame, pixel_format: str, **options: Any
) -> av.VideoFrame:
    """Convert a frame to another format or size, and keep its time.

    Args:
        frame (av.VideoFrame): The frame, which is not changed.
        pixel_format (str): FFmpeg's name of the new format.
        **options: As for ``VideoReformatter.reformat``.
    """
    other = VideoReformatter().reformat(
        frame, format=pixel_format, threads=1, **options
    )
    return _with_time(other, frame)


def letterboxed(frame: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
    """Fit a frame into another size, with black bars.

    Args:
        frame (av.VideoFrame): A frame of any size.
        width, height (int): The new size.
    """
    scale = min(width / frame.width, height / frame.height)
    # Subsampled colours need even sides.
    wide = min(max(2, round(frame.width * scale / 2) * 2), width)
    high = min(max(2, round(frame.height * scale / 2) * 2), height)
    fitted = scaled(frame, wide, high)
    left, top = ((width - wide) // 4) * 2, ((height - high) // 4) * 2
    padded = _filtered(fitted, [('pad', f'w={width}:h={height}:x={left}:y={top}')])
    return _with_time(padded, frame)


def scaled(frame: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
    """Stretch a frame to another size.

    Args:
        frame (av.VideoFrame): The frame, which is not changed.
        width, height (int): The new size.
    """
    other = converted_to(
        frame,
        frame.format.name,
        width=width,
        height=height,
        src_color_range=frame.color_range,
        dst_color_range=frame.color_range,
    )
    other.colorspace, other.color_range = frame.colorspace, frame.color_range
    return other


def turned(frame: av.VideoFrame, turn: Orientation) -> av.VideoFrame:
    """Turn a stored frame upright, in the same format.

    Args:
        frame (av.VideoFrame): The frame, which is not changed.
        turn (Orientation): Its orientation.
    """
    steps: list[tuple[str, str | None]] = []
    if turn.transposed:
        # Swap rows and columns: rotate to the left, then flip vertically.
        steps.append(('transpose', 'cclock_flip'))
    if turn.mirrored:
        steps.append(('hflip', None))
    if turn.upended:
        steps.append(('vflip', None))
    form, even = frame.format.name, frame
    if turn.transposed and form.startswith('yuv') and '422' in form:
        # Horizontal subsampling of colours would become vertical.
        even = converted_to(frame, form.replace('422', '444'))
    return _with_time(converted_to(_filtered(even, steps), form), frame)


def _filtered(
    frame: av.VideoFrame, steps: list[tuple[str, str | None]]
) -> av.VideoFrame:
    graph = Graph()
    last = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format,
        time_base=frame.time_base or Fraction(1),
    )
    for name, arguments in [*steps, ('buffersink', None)]:
        step = graph.add(name, arguments)
        last.link_to(step)
        last = step
    graph.configure()
    graph.vpush(frame)
    made = graph.vpull()
    assert isinstance(made, av.VideoFrame)
    made.colorspace, made.color_range = frame.colorspace, frame.color_range
    return made


def _with_time(copy: av.VideoFrame, frame: av.VideoFrame) -> av.VideoFrame:
    copy.pts, copy.duration = frame.pts, frame.duration
    if frame.time_base is not None:
        copy.time_base = frame.time_base
    return copy
