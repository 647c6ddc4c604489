"""Read boxes from annotation tools: CSV, CVAT and Label Studio.

None of these formats can mark a frame as not examined. A frame without a box therefore
has no face, except after the number of frames that CVAT and Label Studio declare.
"""

from __future__ import annotations

import csv
import math
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import numpy as np

__all__ = ['KnownBoxes', 'read_csv', 'read_cvat', 'read_label_studio']

_OF_CVAT = {'version', 'meta', 'track', 'image', 'tag'}
_WIDTHS, _HEIGHTS = ('w', 'width'), ('h', 'height')


class _Box(NamedTuple):
    """The upper left corner, the size, and the rotation in degrees, clockwise."""

    x: float
    y: float
    width: float
    height: float
    turned: float = 0.0


class _Key(NamedTuple):
    """A keyframe of an annotated track.

    ``shown`` is whether the box is present in this frame, and ``stays`` whether it is
    present in the following frames, up to the next keyframe.
    """

    frame: int
    box: _Box
    shown: bool
    stays: bool


@dataclass
class KnownBoxes:
    """The boxes of one video or image.

    Attributes:
        percent (bool): Whether boxes are in percent of the picture's sides and rotated
            about their upper left corner. Otherwise they are in pixels and rotated
            about their centre.
        count (int, optional): Number of annotated frames; None if unknown.
    """

    percent: bool = False
    count: int | None = None
    _frames: dict[int, list[_Box]] = field(default_factory=lambda: defaultdict(list))
    _stay: list[tuple[int, _Box]] = field(default_factory=list)

    def add(self, frame: int, box: _Box) -> None:
        """Add a box to a frame; frames are counted from 0."""
        self._frames[frame].append(box)

    def add_track(self, keys: Iterable[_Key]) -> None:
        """Add a box that moves evenly from keyframe to keyframe."""
        keys = sorted(keys)
        for key, after in pairwise([*keys, None]):
            assert key is not None
            if key.shown:
                self.add(key.frame, key.box)
            if not key.stays:
                continue
            if after is None and self.count is None:
                # The file does not say that it ends: keep covering, to be safe.
                self._stay.append((key.frame + 1, key.box))
            end = after.frame if after is not None else self.count or key.frame + 1
            moves = after is not None and after.shown
            for frame in range(key.frame + 1, end):
                part = (frame - key.frame) / (end - key.frame) if moves else 0.0
                other = after.box if after is not None else key.box
                mixed = (
                    (1 - part) * one + part * two
                    for one, two in zip(key.box, other, strict=True)
                )
                self.add(frame, _Box(*mixed))

    @property
    def last(self) -> int:
        """The last frame that has a box; -1 if there is none."""
        return max(self._frames, default=-1)

    def boxes(self, frame: int, size: Sequence[int]) -> np.ndarray | None:
        """The boxes of a frame.

        Args:
            frame (int): Counted from 0.
            size (Sequence[int]): Width and height of the upright picture.

        Returns:
            np.ndarray or None: (K, 4), x1, y1, x2, y2 in pixels; for a rotated box, the
            box that encloses it. None for a frame that was not annotated.
        """
        if self.count is not None and frame >= self.count:
            return None
        here = [*self._frames.get(frame, ())]
        here += [box for first, box in self._stay if frame >= first]
        corners = [self._corners(box, size) for box in here]
        return np.array(corners, np.float64).reshape(-1, 4)

    def _corners(self, box: _Box, size: Sequence[int]) -> list[float]:
        x, y, width, height, turned = box
        if self.percent:
            x, width = x * size[0] / 100, width * size[0] / 100
            y, height = y * size[1] / 100, height * size[1] / 100
        cos, sin = math.cos(math.radians(turned)), math.sin(math.radians(turned))
        middle = np.array([width, height]) / 2
        if self.percent:  # about the corner
            middle = np.array([[cos, -sin], [sin, cos]]) @ middle
        middle += [x, y]
        reach = np.array([[abs(cos), abs(sin)], [abs(sin), abs(cos)]])
        half = reach @ [width / 2, height / 2]
        return [*(middle - half), *(middle + half)]


def read_csv(path: Path) -> dict[str | None, KnownBoxes]:
    """Read lines of ``frame,x,y,w,h`` in pixels, and ``video`` if there are several.

    Frames are counted from 0. Other columns are ignored.

    Returns:
        dict: The boxes by video; the key is None if there is no such column.

    Raises:
        ValueError: When a column is missing or a value is no number.
    """
    found: dict[str | None, KnownBoxes] = defaultdict(KnownBoxes)
    with path.open(newline='', encoding='utf-8-sig') as file:
        rows = csv.DictReader(file, skipinitialspace=True)
        names = {(name or '').strip().lower(): name for name in rows.fieldnames or ()}
        wide = next((name for name in _WIDTHS if name in names), 'w')
        high = next((name for name in _HEIGHTS if name in names), 'h')
        needed = ['frame', 'x', 'y', wide, high]
        missing = [name for name in needed if name not in names]
        if missing:
            raise ValueError(
                f'{path} has no column {", ".join(missing)}: it needs frame, x, y, w '
                'and h (pixels, frames counted from 0), and video if there are '
                f'several; it has {", ".join(names) or "none"}'
            )
        for row in rows:
            where = f'{path}, line {rows.line_num}'
            frame, *box = (
                _number(row[names[name]], f'{where}, column {name}') for name in needed
            )
            if frame != int(frame) or frame < 0:
                raise ValueError(f'{where}: frame {frame:g} is no whole number >= 0')
            video = row[names['video']] if 'video' in names else None
            found[video].add(int(frame), _checked(_Box(*box), where))
    if not found:
        found[None] = KnownBoxes()
    return dict(found)


def read_cvat(path: Path) -> dict[str | None, KnownBoxes]:
    """Read the XML that CVAT exports for videos or for images.

    Returns:
        dict: The boxes by the name of the video (the task's source) or image.

    Raises:
        ValueError: When it is another kind of file, or contains shapes that are no
            boxes.
    """
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise ValueError(f'{path} is no XML: {error}') from None
    if root.tag != 'annotations':
        raise ValueError(
            f'{path} begins with <{root.tag}> and not with <annotations>: export it as '
            '"CVAT for video" or "CVAT for images"'
        )
    strange = sorted({one.tag for one in root} - _OF_CVAT)
    if strange:
        raise ValueError(
            f'{path} has <{strange[0]}>, which CVAT does not write: boxes must be in '
            '<track> or <image>'
        )
    found: dict[str | None, KnownBoxes] = {}
    for image in root.iter('image'):
        known = KnownBoxes(count=1)
        for box in _only_boxes(image, path):
            known.add(0, _cvat_box(box, path))
        found[image.get('name')] = known
    tracks = list(root.iter('track'))
    if tracks or not found:
        task = root.find('meta/task')
        task = root.find('meta/job') if task is None else task
        count = None if task is None else task.findtext('size')
        known = KnownBoxes(count=None if count is None else int(float(count)))
        for track in tracks:
            keys = []
            for box in _only_boxes(track, path):
                there = _attribute(box, 'outside', path, '0') == 0
                frame = int(_attribute(box, 'frame', path))
                keys.append(_Key(frame, _cvat_box(box, path), there, there))
            known.add_track(keys)
        named = None if task is None else task.findtext('source')
        found[named or root.findtext('meta/source')] = known
    return found


def _only_boxes(parent: ElementTree.Element, path: Path) -> list[ElementTree.Element]:
    others = {one.tag for one in parent} - {'box', 'tag', 'attribute'}
    if others:
        named = parent.get('id') or parent.get('name')
        raise ValueError(
            f'{path}: {parent.tag} {named} has <{sorted(others)[0]}>, but only boxes '
            'are accepted: draw a box around it'
        )
    return list(parent.iter('box'))


def _cvat_box(box: ElementTree.Element, path: Path) -> _Box:
    left, top, right, low = (
        _attribute(box, name, path) for name in ('xtl', 'ytl', 'xbr', 'ybr')
    )
    turned = _attribute(box, 'rotation', path, '0')
    where = f'{path}, <box> {dict(box.attrib)}'
    return _checked(_Box(left, top, right - left, low - top, turned), where)


def _attribute(
    box: ElementTree.Element, name: str, path: Path, default: str | None = None
) -> float:
    value = box.get(name, default)
    if value is None:
        raise ValueError(f'{path}: a <box> has no {name}: {dict(box.attrib)}')
    return _number(value, f'{path}, {name} of a <box>')


def read_label_studio(path: Path, tasks: Sequence[Any]) -> dict[str | None, KnownBoxes]:
    """Read the JSON that Label Studio exports.

    Args:
        path (Path): The file, for messages.
        tasks (Sequence): Its content.

    Returns:
        dict: The boxes by the name of the video or image, without the folders of an
        upload.

    Raises:
        ValueError: When it is another kind of list, or contains regions that are no
            boxes.
    """
    found: dict[str | None, KnownBoxes] = {}
    for number, task in enumerate(tasks):
        where = f'{path}, task {number}'
        data = task.get('data') if isinstance(task, Mapping) else None
        if not isinstance(data, Mapping) or not isinstance(
            task.get('annotations'), list
        ):
            raise ValueError(
                f'{where} has no data and annotations: export it from Label Studio as '
                'JSON (not JSON-MIN)'
            )
        media = [data[key] for key in ('video', 'image') if key in data]
        address = str((media or list(data.values()) or [''])[0])
        known = KnownBoxes(percent=True, count=None if 'video' in data else 1)
        for annotation in task['annotations']:
            if not annotation.get('was_cancelled'):
                for result in annotation.get('result', ()):
                    _add_region(known, result, where)
        # The name after the number that an upload gets.
        name = unquote(address.rsplit('/', 1)[-1].rpartition('?d=')[-1])
        found[name.rsplit('/', 1)[-1]] = known
    return found


def _add_region(known: KnownBoxes, result: Mapping[str, Any], where: str) -> None:
    kind, value = result.get('type'), result.get('value', {})
    if kind in ('rectanglelabels', 'rectangle'):
        known.add(0, _studio_box(value, where))
    elif kind == 'videorectangle':
        frames = value.get('framesCount')
        if frames:
            known.count = max(known.count or 0, int(frames))
        keys = [
            _Key(
                # Label Studio counts frames from 1.
                int(_number(one.get('frame'), f'{where}, frame')) - 1,
                _studio_box(one, where),
                True,
                bool(one.get('enabled', True)),
            )
            for one in value.get('sequence', ())
        ]
        known.add_track(keys)
    elif kind not in ('labels', 'choices', 'textarea', 'timelinelabels'):
        raise ValueError(
            f'{where} has a region of the kind {kind!r}, but only boxes are accepted: '
            'draw a rectangle around it'
        )


def _studio_box(value: Mapping[str, Any], where: str) -> _Box:
    x, y, width, height, turned = (
        _number(value.get(name, 0 if name == 'rotation' else None), f'{where}, {name}')
        for name in ('x', 'y', 'width', 'height', 'rotation')
    )
    return _checked(_Box(x, y, width, height, turned), where)


def _number(value: Any, where: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f'{where}: {value!r} is no number')
    return number


def _checked(box: _Box, where: str) -> _Box:
    if not (box.width > 0 and box.height > 0):
        raise ValueError(
            f'{where}: a box must be wider and higher than 0, got {box.width:g} x '
            f'{box.height:g}'
        )
    return box
