"""Write the covered boxes, to correct them by hand and use them with ``--boxes``."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from pathlib import Path

import numpy as np

from mmanon.face_detectors.kinds import FACES
from mmanon.utils.atomic_write import write_whole

from .covered_boxes import CoveredBoxes

__all__ = ['write_boxes']


def write_boxes(covered: CoveredBoxes, name: str, folder: Path) -> list[Path]:
    """Write the boxes of one file.

    Args:
        covered (CoveredBoxes): The boxes of all its frames.
        name (str): Its path relative to the input folder, with ``/``.
        folder (Path): The folder to write to.

    Returns:
        list[Path]: ``<name>.csv``, ``<name>.json`` and ``<name>.xml`` (the format of
        CVAT), which are for ``--boxes``. For each other kind of objects,
        ``<name>.<kind>.csv`` and so on, which are for ``--covered-kinds``. Boxes are
        clipped to the picture.
    """
    paths = []
    for kind in covered.kinds:
        table = _inside(covered, kind)
        texts = {
            'csv': _csv(table),
            'json': json.dumps({name: _by_frame(table, covered.frames)}),
            'xml': _cvat(table, covered, name.rsplit('/', 1)[-1], kind),
        }
        stem = name if kind == FACES else f'{name}.{kind}'
        for ending, text in texts.items():
            paths.append(folder / f'{stem}.{ending}')
            write_whole(paths[-1], text)
    return paths


def _inside(covered: CoveredBoxes, kind: str) -> np.ndarray:
    """The table with boxes clipped to the picture, in the order of frames."""
    table = covered.as_table(kind)
    if covered.size is not None:
        table[:, 2:6] = table[:, 2:6].clip(0, [*covered.size, *covered.size])
    # `--boxes` rejects boxes smaller than a pixel.
    table = table[(table[:, 4:6] - table[:, 2:4] >= 1).all(1)]
    return table[np.lexsort((table[:, 1], table[:, 0]))]


def _csv(table: np.ndarray) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(['frame', 'x', 'y', 'w', 'h', 'track', 'score', 'seen'])
    for frame, track, x1, y1, x2, y2, score, seen in table.tolist():
        box = [f'{side:.2f}' for side in (x1, y1, x2 - x1, y2 - y1)]
        writer.writerow([int(frame), *box, int(track), f'{score:.3f}', int(seen)])
    return text.getvalue()


def _by_frame(table: np.ndarray, frames: int) -> dict[str, list]:
    boxes: dict[str, list] = {str(frame): [] for frame in range(frames)}
    for row in table:
        boxes[str(int(row[0]))].append(row[2:6].astype(float).round(2).tolist())
    return boxes


def _cvat(table: np.ndarray, covered: CoveredBoxes, source: str, kind: str) -> str:
    label = 'face' if kind == FACES else kind
    root = ElementTree.Element('annotations')
    ElementTree.SubElement(root, 'version').text = '1.1'
    task = ElementTree.SubElement(ElementTree.SubElement(root, 'meta'), 'task')
    ElementTree.SubElement(task, 'size').text = str(covered.frames)
    ElementTree.SubElement(task, 'source').text = source
    if covered.size is not None:
        shape = ElementTree.SubElement(task, 'original_size')
        for side, length in zip(('width', 'height'), covered.size, strict=True):
            ElementTree.SubElement(shape, side).text = str(length)
    tracks: dict[tuple, list] = defaultdict(list)
    for place, row in enumerate(table):
        # A box without a track becomes a track of its own.
        alone = row[1] < 0
        tracks[(1, place) if alone else (0, int(row[1]))].append(row)
    for number, rows in enumerate(tracks.values()):
        track = ElementTree.SubElement(
            root, 'track', id=str(number), label=label, source='auto'
        )
        for k, row in enumerate(rows):
            frame = int(row[0])
            _add_box(track, frame, row, outside=False)
            follows = k + 1 < len(rows) and int(rows[k + 1][0]) == frame + 1
            if not follows and frame + 1 < covered.frames:
                _add_box(track, frame + 1, row, outside=True)
    ElementTree.indent(root)
    declaration = '<?xml version="1.0" encoding="utf-8"?>\n'
    return declaration + ElementTree.tostring(root, 'unicode') + '\n'


def _add_box(
    track: ElementTree.Element, frame: int, row: np.ndarray, outside: bool
) -> None:
    names = ('xtl', 'ytl', 'xbr', 'ybr')
    sides = {name: f'{side:.2f}' for name, side in zip(names, row[2:6], strict=True)}
    place = dict(frame=str(frame), keyframe='1', outside=str(int(outside)))
    always = dict(occluded='0', z_order='0')
    ElementTree.SubElement(track, 'box', {**place, **always, **sides})
