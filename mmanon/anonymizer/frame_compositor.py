"""Redraws the faces of video frames as they are stored, lying on their side or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from threading import Lock

import av
import numpy as np

from mmanon.utils.orientation import Orientation

from .compositor import FaceRedrawer, Region, cover_whole
from .face_search import Picture
from .frame_parts import converted, cut_out, has_planes, luma, put_in, whole_cells
from .mask_planner import Cover, Covered, thumbnail

__all__ = ['draw_frame', 'picture_of']


def picture_of(frame: av.VideoFrame, turn: Orientation) -> Picture:
    """What the search for faces needs of a frame; RGB is made when it is asked for."""
    grey = luma(frame)
    if grey is None:
        grey = converted(frame, 'gray').to_ndarray()
    size, lock = (frame.width, frame.height), Lock()
    return Picture(
        frame,
        size[::-1] if turn.transposed else size,
        thumbnail(grey),
        lambda smaller: turn.upright(_rgb(frame, smaller, lock)),
    )


def _rgb(frame: av.VideoFrame, smaller: int, lock: Lock) -> np.ndarray:
    size = dict(width=frame.width // smaller, height=frame.height // smaller)
    with lock:
        return converted(frame, 'rgb24', interpolation='AREA', **size).to_ndarray()


def draw_frame(
    covered: Covered, turn: Orientation, redrawer: FaceRedrawer, pixel_format: str
) -> av.VideoFrame:
    """The frame to encode.

    Args:
        covered (Covered): A frame and what of it to cover.
        turn (Orientation): How it is turned upright.
        redrawer (FaceRedrawer): What draws the faces.
        pixel_format (str): In which it will be encoded.

    Returns:
        av.VideoFrame: Only pixels in rectangles that are covered are changed.
    """
    frame: av.VideoFrame = covered.picture
    if frame.format.name != pixel_format:
        frame = _converted(frame, pixel_format)
    size = (frame.width, frame.height)
    if covered.whole:
        return _with(frame, [((0, 0, *size), [(0, 0, *size)], None)], turn, redrawer)
    upright = size[::-1] if turn.transposed else size
    groups = [
        (
            _stored(around, turn, upright),
            [_stored(one, turn, upright) for one in these],
            covers,
        )
        for around, these, covers in _groups(redrawer, upright, covered.covers)
    ]
    return _with(frame, groups, turn, redrawer) if groups else frame


def _groups(
    redrawer: FaceRedrawer, size: Sequence[int], covers: Sequence[Cover]
) -> list[tuple[Region, list[Region], list[Cover]]]:
    """Covers that meet each other: their common rectangle, and those of each."""
    groups: list[tuple[Region, list[Region], list[Cover]]] = []
    for cover in covers:
        for place in redrawer.places(size, [cover]):
            around, these, members = place.region, [place.region], [cover]
            apart = []
            for group in groups:
                if _meet(around, group[0]):
                    around = _around(around, group[0])
                    these, members = group[1] + these, group[2] + members
                else:
                    apart.append(group)
            groups = [*apart, (around, these, members)]
    return groups


def _with(
    frame: av.VideoFrame,
    groups: list[tuple[Region, list[Region], list[Cover] | None]],
    turn: Orientation,
    redrawer: FaceRedrawer,
) -> av.VideoFrame:
    """A frame with its faces redrawn; covers of ``None`` are of all there is."""
    apart = has_planes(frame)
    if not apart:
        # Colours are mixed in one plane: convert it all.
        regions = [one for _, these, _ in groups for one in these]
        covers = [one for _, _, some in groups for one in some or []]
        whole = any(some is None for _, _, some in groups)
        groups = [
            ((0, 0, frame.width, frame.height), regions, None if whole else covers)
        ]
    for around, regions, covers in groups:
        around = whole_cells(frame, around)
        part = cut_out(frame, around) if apart else frame
        image = turn.upright(converted(part, 'rgb24').to_ndarray())
        if covers is None:
            cover_whole(image)
        else:
            size = (frame.width, frame.height)
            left, top = _upright(around, turn, size)[:2]
            shift = np.array([left, top, left, top])
            redrawer.redraw(
                image,
                [replace(one, box=one.box - shift) for one in covers],
            )
        drawn = converted(
            av.VideoFrame.from_ndarray(turn.stored(image), 'rgb24'),
            frame.format.name,
            dst_colorspace=frame.colorspace,
            dst_color_range=frame.color_range,
        )
        if not apart:
            drawn.pts, drawn.time_base = frame.pts, frame.time_base
            drawn.duration = frame.duration
            return drawn
        put_in(frame, drawn, around[:2], regions)
    return frame


def _meet(one: Region, other: Region) -> bool:
    # One more than a touch: two neighbours may share a pixel of colour.
    return all(
        one[side] < other[side + 2] + 8 and other[side] < one[side + 2] + 8
        for side in (0, 1)
    )


def _around(one: Region, other: Region) -> Region:
    low = [min(pair) for pair in zip(one[:2], other[:2], strict=True)]
    high = [max(pair) for pair in zip(one[2:], other[2:], strict=True)]
    return (*low, *high)


def _converted(frame: av.VideoFrame, pixel_format: str) -> av.VideoFrame:
    other = converted(
        frame,
        pixel_format,
        src_colorspace=frame.colorspace,
        dst_colorspace=frame.colorspace,
        src_color_range=frame.color_range,
        dst_color_range=frame.color_range,
    )
    other.pts, other.time_base = frame.pts, frame.time_base
    other.duration = frame.duration
    return other


def _stored(region: Region, turn: Orientation, size: Sequence[int]) -> Region:
    """A rectangle of the upright picture as it lies in the stored one."""
    width, height = size
    x1, y1, x2, y2 = region
    if turn.upended:
        y1, y2 = height - y2, height - y1
    if turn.mirrored:
        x1, x2 = width - x2, width - x1
    return (y1, x1, y2, x2) if turn.transposed else (x1, y1, x2, y2)


def _upright(region: Region, turn: Orientation, size: Sequence[int]) -> Region:
    """A rectangle of the stored picture as it lies in the upright one."""
    x1, y1, x2, y2 = region
    width, height = size
    if turn.transposed:
        x1, y1, x2, y2 = y1, x1, y2, x2
        width, height = height, width
    if turn.mirrored:
        x1, x2 = width - x2, width - x1
    if turn.upended:
        y1, y2 = height - y2, height - y1
    return (x1, y1, x2, y2)
