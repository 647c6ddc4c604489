"""Areas of the picture that are always covered, or whose faces stay visible."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .mask_planner import FramePlan

__all__ = ['Region', 'Regions', 'fill_polygons', 'parse_region', 'read_regions']

_SPEC = re.compile(r'(?P<kind>\w+):(?P<points>[^@]*)(?:@(?P<span>.*))?')
_FORM = (
    "'cover:100,50 300,50 300,200' or 'leave:…', in pixels of the upright picture, "
    "optionally with '@2-5.5' for the seconds from 2 to 5.5"
)


@dataclass(frozen=True, eq=False)
class Region:
    """A polygon of the upright picture.

    Attributes:
        covers (bool): Whether it is always covered; otherwise faces whose centre is in
            it stay visible.
        points (np.ndarray): (n, 2), x and y in pixels, n at least 3.
        start, end (float): It applies to times with start <= time < end, in seconds;
            the time of an image is 0.
        video (str, optional): The path of its file relative to the input folder; None
            for all files.

    Raises:
        ValueError: When it is no polygon, crosses itself, or ends before it begins.
    """

    covers: bool
    points: np.ndarray
    start: float = 0.0
    end: float = math.inf
    video: str | None = None

    def __post_init__(self) -> None:
        points = self.points
        if points.ndim != 2 or points.shape[1:] != (2,) or len(points) < 3:
            raise ValueError(
                f'a region needs at least three corners x,y, got {points.tolist()}'
            )
        if not np.isfinite(points).all():
            raise ValueError(f'corners must be finite numbers, got {points.tolist()}')
        if not 0 <= self.start < self.end:
            raise ValueError(
                f'a region must end after it begins, got {self.start:g} to {self.end:g}'
            )
        crossing = _crossing(points)
        if crossing is not None:
            first, second = (tuple(points[k].tolist()) for k in crossing)
            raise ValueError(
                f'a region crosses itself: its sides from {first} and from {second} '
                'meet; list its corners in their order around it'
            )

    def is_shown(self, name: str, time: float) -> bool:
        """Whether it applies to a file at a time in seconds."""
        return self.video in (None, name) and self.start <= time < self.end

    def holds(self, points: np.ndarray) -> np.ndarray:
        """Which points, (k, 2), lie in it: bool (k,)."""
        x, y = points[:, None, 0], points[:, None, 1]
        (x1, y1), (x2, y2) = self.points.T, np.roll(self.points, -1, 0).T
        spans = (y1 <= y) != (y2 <= y)
        level = np.where(spans, y2 - y1, 1)
        right = x < x1 + (y - y1) * (x2 - x1) / level
        return (spans & right).sum(1) % 2 == 1


def _crossing(points: np.ndarray) -> tuple[int, int] | None:
    """Two sides that cross; None if there are none."""
    count, ends = len(points), np.roll(points, -1, 0)
    for k in range(count):
        for j in range(k + 1, count):
            if j - k in (1, count - 1):
                continue
            if _meet(points[k], ends[k], points[j], ends[j]):
                return k, j
    return None


def _meet(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> bool:
    def side(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> float:
        one, two = q - p, r - p
        return float(np.sign(one[0] * two[1] - one[1] * two[0]))

    apart = (np.maximum(a, b) < np.minimum(c, d)) | (
        np.maximum(c, d) < np.minimum(a, b)
    )
    if apart.any():
        return False
    return side(a, b, c) * side(a, b, d) <= 0 and side(c, d, a) * side(c, d, b) <= 0


def parse_region(text: str) -> Region:
    """Read a region in the form of the command's ``--region``.

    Examples:
        >>> region = parse_region('cover:0,0 64,0 64,48@1.5-3')
        >>> region.covers, region.points.tolist(), region.start, region.end
        (True, [[0.0, 0.0], [64.0, 0.0], [64.0, 48.0]], 1.5, 3.0)

    Raises:
        ValueError: When the text has another form.
    """
    found = _SPEC.fullmatch(text.strip())
    if found is None or found['kind'] not in ('cover', 'leave'):
        raise ValueError(f'region {text!r} must be {_FORM}')
    try:
        points = [
            [float(side) for side in corner.split(',')]
            for corner in found['points'].split()
        ]
        start, end = 0.0, math.inf
        if found['span'] is not None:
            begin, _, stop = found['span'].partition('-')
            start, end = float(begin or 0), float(stop or math.inf)
        if any(len(corner) != 2 for corner in points):
            raise ValueError
    except ValueError:
        raise ValueError(f'region {text!r} must be {_FORM}') from None
    try:
        return Region(found['kind'] == 'cover', np.array(points), start, end)
    except ValueError as error:
        raise ValueError(f'region {text!r}: {error}') from None


def read_regions(path: str | Path) -> list[Region]:
    """Read regions from a JSON file. The file contains a list of objects such as::

        {"cover": [[0, 0], [64, 0], [64, 48]], "start": 1.5, "end": 3,
         "video": "clips/a.mp4"}

    or with ``leave`` instead of ``cover``. ``start``, ``end`` and ``video`` are
    optional.

    Raises:
        FileNotFoundError: When the file does not exist.
        ValueError: When it has another form.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f'regions {path} do not exist')
    try:
        content = json.loads(path.read_text(encoding='utf-8-sig'))
    except ValueError as error:
        raise ValueError(f'{path} is no JSON: {error}') from None
    if not isinstance(content, list):
        raise ValueError(f'{path} must be a list of regions')
    return [_of_json(one, f'{path}, region {k}') for k, one in enumerate(content)]


def _of_json(given: Any, where: str) -> Region:
    known = given if isinstance(given, Mapping) else {}
    kinds = [kind for kind in ('cover', 'leave') if kind in known]
    if len(kinds) != 1:
        raise ValueError(
            f'{where} must have either cover or leave, a list of corners [x, y]'
        )
    unknown = given.keys() - {'cover', 'leave', 'start', 'end', 'video'}
    if unknown:
        raise ValueError(f'{where} has an unknown key {sorted(unknown)[0]!r}')
    try:
        points = np.array(given[kinds[0]], np.float64)
        start, end = float(given.get('start', 0)), float(given.get('end', math.inf))
        return Region(kinds[0] == 'cover', points, start, end, given.get('video'))
    except (TypeError, ValueError) as error:
        raise ValueError(f'{where}: {error}') from None


class Regions:
    """The regions of all files.

    Args:
        regions (Iterable[str or Region]): Texts for :func:`parse_region`, paths of JSON
            files for :func:`read_regions`, or regions.

    Raises:
        FileNotFoundError, ValueError: As for :func:`parse_region` and
            :func:`read_regions`.
    """

    def __init__(self, regions: Iterable[str | Path | Region] = ()) -> None:
        self._all: list[Region] = []
        for one in regions:
            if isinstance(one, Region):
                self._all.append(one)
            elif str(one).endswith('.json'):
                self._all += read_regions(one)
            else:
                self._all.append(parse_region(str(one)))

    def __bool__(self) -> bool:
        return bool(self._all)

    def apply(self, plan: FramePlan, name: str, time: float = 0.0) -> FramePlan:
        """Apply the regions to the plan of a frame.

        Args:
            plan (FramePlan): The plan.
            name (str): The path of its file relative to the input folder.
            time (float): The frame's time in seconds.

        Returns:
            FramePlan: The plan without faces that stay visible, which count as spared,
            and with the polygons to cover. The plan of a frame that is covered whole is
            not changed.
        """
        shown = [one for one in self._all if one.is_shown(name, time)]
        if not shown or plan.whole:
            return plan
        boxes = np.array([mask.box for mask in plan.masks]).reshape(-1, 4)
        middles = (boxes[:, :2] + boxes[:, 2:]) / 2
        left = np.zeros(len(boxes), bool)
        for region in shown:
            if not region.covers:
                left |= region.holds(middles)
        masks = [mask for mask, out in zip(plan.masks, left, strict=True) if not out]
        polygons = [one.points for one in shown if one.covers]
        spared = plan.spared + int(left.sum())
        return replace(plan, masks=masks, polygons=polygons, spared=spared)


def fill_polygons(image: np.ndarray, polygons: Sequence[np.ndarray]) -> None:
    """Fill polygons with mid-grey, in place, including each pixel that they touch.

    Args:
        image (np.ndarray): (H, W, 3), uint8 or uint16.
        polygons (Sequence[np.ndarray]): Each (n, 2), x and y in its pixels.
    """
    from PIL import Image, ImageDraw

    for polygon in polygons:
        canvas = Image.new('1', image.shape[1::-1])
        # In Pillow's coordinates, the centre of the first pixel is (0, 0).
        corners = [(x - 0.5, y - 0.5) for x, y in polygon.tolist()]
        ImageDraw.Draw(canvas).polygon(corners, fill=1, outline=1)
        image[np.asarray(canvas)] = np.iinfo(image.dtype).max // 2
