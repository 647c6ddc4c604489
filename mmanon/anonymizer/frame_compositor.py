"""Cover the faces of stored video frames, which may be rotated."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import NamedTuple

import av
import numpy as np

from mmanon.tracking.scene_cuts import thumbnail
from mmanon.utils.orientation import Orientation

from .compositor import Cut, Drawn, FaceCompositor, Region, mask_whole
from .face_search import Picture
from .frame_parts import converted, cut_out, has_planes, luma, put_in, whole_cells
from .mask_planner import FaceMask, FramePlan
from .regions import fill_polygons

__all__ = ['composite_frame', 'composite_frames', 'picture_of']


def picture_of(frame: av.VideoFrame, turn: Orientation) -> Picture:
    """The picture of a frame for the search; it is converted to RGB on demand."""
    grey = luma(frame)
    if grey is None:
        grey = converted(frame, 'gray').to_ndarray()
    size, lock = (frame.width, frame.height), Lock()
    return Picture(
        frame,
        size[::-1] if turn.transposed else size,
        thumbnail(grey),
        lambda scale: turn.upright(_rgb(frame, scale, lock)),
        turn.turned(grey),
    )


def _rgb(frame: av.VideoFrame, scale: float, lock: Lock) -> np.ndarray:
    width, height = (max(1, int(side * scale)) for side in (frame.width, frame.height))
    how = 'AREA' if scale < 1 else 'BILINEAR'
    with lock:
        return converted(
            frame, 'rgb24', width=width, height=height, interpolation=how
        ).to_ndarray()


def composite_frame(
    plan: FramePlan, turn: Orientation, compositor: FaceCompositor, pixel_format: str
) -> av.VideoFrame:
    """Cover the faces of a frame.

    Args:
        plan (FramePlan): The frame and its masks.
        turn (Orientation): How to turn it upright.
        compositor (FaceCompositor): Draws the covers.
        pixel_format (str): The pixel format of the encoder.

    Returns:
        av.VideoFrame: The frame to encode. If its colours are stored in separate
        planes, only pixels in covered rectangles are changed.
    """
    return composite_frames([plan], turn, compositor, pixel_format)[0]


def composite_frames(
    plans: Sequence[FramePlan],
    turn: Orientation,
    compositor: FaceCompositor,
    pixel_format: str,
) -> list[av.VideoFrame]:
    """Cover the faces of several frames in one call of the modifier.

    Args:
        plans (Sequence[FramePlan]): Frames in the order in which they are shown, and
            their masks.
        turn, compositor, pixel_format: As for :func:`composite_frame`.

    Returns:
        list[av.VideoFrame]: The frames to encode.
    """
    begun = [_begun(plan, turn, compositor, pixel_format) for plan in plans]
    drawn = iter(compositor.drawn([part.cut for one in begun for part in one.parts]))
    frames = []
    for one in begun:
        frame = one.frame
        for part in one.parts:
            frame = _put_back(one, part, next(drawn), turn, compositor)
        frames.append(frame)
    return frames


class _Group(NamedTuple):
    """Masks that touch each other: their common rectangle, and that of each.

    ``masks`` is None if the whole frame is covered.
    """

    around: Region
    regions: list[Region]
    masks: list[FaceMask] | None
    polygons: Sequence[np.ndarray] = ()


def _groups(
    compositor: FaceCompositor,
    size: Sequence[int],
    masks: Sequence[FaceMask],
    polygons: Sequence[np.ndarray] = (),
) -> list[_Group]:
    single = [
        _Group(_around(place.region, place.source), [place.region], [mask])
        for mask in masks
        for place in compositor.places(size, [mask])
    ]
    for polygon in polygons:
        low = np.floor(polygon.min(0)).clip(0, size).astype(int).tolist()
        high = np.ceil(polygon.max(0) + 1).clip(0, size).astype(int).tolist()
        around = (low[0], low[1], high[0], high[1])
        if low[0] < high[0] and low[1] < high[1]:
            single.append(_Group(around, [around], [], [polygon]))
    groups: list[_Group] = []
    for joined in single:
        apart = []
        for group in groups:
            if _meet(joined.around, group.around):
                joined = _joined(group, joined)
            else:
                apart.append(group)
        groups = [*apart, joined]
    return groups


def _joined(first: _Group, second: _Group) -> _Group:
    around = _around(first.around, second.around)
    masks = [*(first.masks or []), *(second.masks or [])]
    polygons = [*first.polygons, *second.polygons]
    return _Group(around, first.regions + second.regions, masks, polygons)


def _around(one: Region, other: Region) -> Region:
    low = [min(pair) for pair in zip(one[:2], other[:2], strict=True)]
    high = [max(pair) for pair in zip(one[2:], other[2:], strict=True)]
    return low[0], low[1], high[0], high[1]


class _Part(NamedTuple):
    """A rectangle of a frame in RGB, upright, and the faces cut out of it."""

    group: _Group
    around: Region
    image: np.ndarray
    cut: Cut
    corner: np.ndarray  # of the rectangle, in the upright frame


class _Begun(NamedTuple):
    """A frame whose faces are cut out but not drawn yet."""

    frame: av.VideoFrame
    parts: list[_Part]
    apart: bool  # whether its colours are stored in separate planes


def _begun(
    plan: FramePlan, turn: Orientation, compositor: FaceCompositor, pixel_format: str
) -> _Begun:
    frame: av.VideoFrame = plan.picture
    if frame.format.name != pixel_format:
        frame = _converted(frame, pixel_format)
    size = (frame.width, frame.height)
    everything = (0, 0, *size)
    if plan.whole:
        groups = [_Group(everything, [everything], None)]
    else:
        upright = size[::-1] if turn.transposed else size
        groups = [
            _Group(
                _stored(group.around, turn, upright),
                [_stored(region, turn, upright) for region in group.regions],
                group.masks,
                group.polygons,
            )
            for group in _groups(compositor, upright, plan.masks, plan.polygons)
        ]
    apart = has_planes(frame)
    if groups and not apart:
        # All colours are in one plane: convert the whole frame.
        regions = [region for group in groups for region in group.regions]
        whole = any(group.masks is None for group in groups)
        masks = [mask for group in groups for mask in group.masks or []]
        polygons = [one for group in groups for one in group.polygons]
        groups = [_Group(everything, regions, None if whole else masks, polygons)]
    parts = []
    for group in groups:
        around = whole_cells(frame, group.around)
        part = cut_out(frame, around) if apart else frame
        image = turn.upright(converted(part, 'rgb24').to_ndarray())
        corner = np.array(_upright(around, turn, size)[:2])
        masks = [mask.moved(-corner) for mask in group.masks or []]
        cut = compositor.cut(image, masks, plan.index)
        parts.append(_Part(group, around, image, cut, corner))
    return _Begun(frame, parts, apart)


def _put_back(
    begun: _Begun,
    part: _Part,
    faces: Sequence[Drawn],
    turn: Orientation,
    compositor: FaceCompositor,
) -> av.VideoFrame:
    """The frame with one of its parts drawn."""
    frame, image = begun.frame, part.image
    if part.group.masks is None:
        mask_whole(image)
    else:
        compositor.put_back(image, faces)
        fill_polygons(image, [one - part.corner for one in part.group.polygons])
    drawn = converted(
        av.VideoFrame.from_ndarray(turn.stored(image), 'rgb24'),
        frame.format.name,
        dst_colorspace=frame.colorspace,
        dst_color_range=frame.color_range,
    )
    if not begun.apart:
        _keep_time(drawn, frame)
        return drawn
    put_in(frame, drawn, part.around[:2], part.group.regions)
    return frame


def _keep_time(copy: av.VideoFrame, frame: av.VideoFrame) -> None:
    copy.pts, copy.time_base = frame.pts, frame.time_base
    copy.duration = frame.duration


def _meet(first: Region, second: Region) -> bool:
    # With a distance, because neighbours may share a pixel of colour.
    return all(
        first[side] < second[side + 2] + 8 and second[side] < first[side + 2] + 8
        for side in (0, 1)
    )


def _converted(frame: av.VideoFrame, pixel_format: str) -> av.VideoFrame:
    other = converted(
        frame,
        pixel_format,
        src_colorspace=frame.colorspace,
        dst_colorspace=frame.colorspace,
        src_color_range=frame.color_range,
        dst_color_range=frame.color_range,
    )
    _keep_time(other, frame)
    return other


def _stored(region: Region, turn: Orientation, size: Sequence[int]) -> Region:
    """Convert a rectangle of the upright picture to the stored one."""
    width, height = size
    x1, y1, x2, y2 = region
    if turn.upended:
        y1, y2 = height - y2, height - y1
    if turn.mirrored:
        x1, x2 = width - x2, width - x1
    return (y1, x1, y2, x2) if turn.transposed else (x1, y1, x2, y2)


def _upright(region: Region, turn: Orientation, size: Sequence[int]) -> Region:
    """Convert a rectangle of the stored picture to the upright one."""
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
