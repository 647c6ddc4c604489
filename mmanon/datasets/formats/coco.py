"""Writes annotations of actions in COCO's format, for mmdet's detectors of frames."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mmanon.utils.atomic_write import written_whole

from .ava_writer import Annotation

__all__ = ['write_coco']


def write_coco(
    path: Path,
    images: Mapping[str, Mapping[int, str]],
    sizes: Mapping[str, tuple[int, int]],
    annotations: Iterable[Annotation],
    classes: Sequence[str],
) -> None:
    """Write a ``.json`` file for mmdet's ``CocoDataset``.

    A person with several actions at once has a box for each action, because mmdet's
    detectors give a box one class.

    Args:
        path: The file.
        images: For each video the files of its frames by their numbers, relative to the
            folder of images. Frames without annotations are images without boxes.
        sizes: Width and height of the frames of each video in pixels.
        annotations: The annotations of these frames.
        classes: Names of the actions; label 1, and category 1, is the first.

    Raises:
        KeyError: If an annotated frame is not among the images.
    """
    ids: dict[tuple[str, int], int] = {}
    entries = []
    for video, files in images.items():
        width, height = sizes[video]
        for number, file in files.items():
            ids[video, number] = len(ids) + 1
            entries.append(
                dict(id=len(ids), file_name=file, width=width, height=height)
            )
    boxes: list[dict] = []
    for annotation in annotations:
        if (annotation.video, annotation.frame) not in ids:
            raise KeyError(
                f'{path.stem}: frame {annotation.frame} of video '
                f'{annotation.video!r} is annotated, but it is not among its frames'
            )
        width, height = sizes[annotation.video]
        x1, y1, x2, y2 = (
            round(side * full, 3)
            for side, full in zip(annotation.box, (width, height) * 2, strict=True)
        )
        boxes.append(
            dict(
                id=len(boxes) + 1,
                image_id=ids[annotation.video, annotation.frame],
                category_id=annotation.label,
                bbox=[x1, y1, round(x2 - x1, 3), round(y2 - y1, 3)],
                area=round((x2 - x1) * (y2 - y1), 3),
                iscrowd=0,
            )
        )
    content = dict(
        images=entries,
        annotations=boxes,
        categories=[dict(id=i, name=name) for i, name in enumerate(classes, 1)],
    )
    with written_whole(path) as beside:
        beside.write_text(json.dumps(content))
