"""Writes and checks data sets of actions in videos, in the layout of the configs.

::

    <out>/
      rawframes/<video>/img_00001.jpg …   links, or frames extracted from videos
      annotations/
        <split>.json            COCO's format, for detectors of single frames
        <split>.csv             AVA's format, for detectors of clips
        <split>_proposals.npz   the annotated boxes, which detectors of clips classify
        labels.pbtxt            the actions
        tubes.json              all boxes of all videos, for `VideoMAPMetric`
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from mmanon.datasets.formats.ava_reader import (
    read_ava_boxes,
    read_label_map,
    read_tube_file,
)
from mmanon.datasets.formats.ava_writer import (
    Annotation,
    extract_frames,
    write_annotations,
)
from mmanon.datasets.formats.coco import write_coco
from mmanon.utils.atomic_write import written_whole

from .frames import check_video, link_frames, numbered_images
from .images import check_images, image_size
from .problems import Problems

__all__ = [
    'ActionSet',
    'box_in_frame',
    'check_action_set',
    'check_sources',
    'write_action_set',
]


@dataclass
class ActionSet:
    """The content of a data set, as a converter has read it.

    Attributes:
        classes: Names of the actions; label 1 is the first.
        videos: For each video its file, or its folder of numbered images.
        annotations: The boxes in all annotated frames.
        splits: The videos of each split.
        files: For each video of which only some frames are needed: the numbers of the
            files of each frame, counted from 0.
    """

    classes: list[str]
    videos: dict[str, Path]
    annotations: list[Annotation]
    splits: dict[str, list[str]]
    files: Mapping[str, Mapping[int, Sequence[int]]] | None = None


def box_in_frame(
    box: Sequence[float], width: float, height: float
) -> tuple[float, float, float, float] | None:
    """Convert a box from pixels to fractions of the frame, and clip it to the frame.

    Returns:
        x1, y1, x2, y2 in [0, 1]; None if the box is outside the frame or empty.
    """
    x1, y1, x2, y2 = (
        min(max(float(side) / full, 0.0), 1.0)
        for side, full in zip(box, (width, height) * 2, strict=True)
    )
    # Files have four digits.
    return (x1, y1, x2, y2) if x2 - x1 > 1e-4 and y2 - y1 > 1e-4 else None


def check_sources(data: ActionSet, problems: Problems) -> None:
    """Report videos and images of a download that are missing or cannot be read."""
    annotated = defaultdict(set)
    for item in data.annotations:
        annotated[item.video].add(item.frame)
    images: list[Path] = []
    for name, path in tqdm(data.videos.items(), unit='video', leave=False):
        if not path.is_dir():
            check_video(path, problems)
            continue
        found = numbered_images(path)
        images += found.values()
        _check_numbers(path, set(found), annotated[name], problems)
    check_images(images, problems)


def _check_numbers(
    folder: Path, numbers: set[int], annotated: set[int], problems: Problems
) -> None:
    gaps = sorted((annotated | set(range(1, max(numbers, default=0) + 1))) - numbers)
    if gaps:
        more = ' …' if len(gaps) > 5 else ''
        problems.missing(
            folder, f'{len(gaps)} frame(s), numbers {str(gaps[:5])[1:-1]}{more}'
        )


def write_action_set(
    out: Path, data: ActionSet, every: int, margin: int, clips: bool = True
) -> None:
    """Write a data set.

    Existing frames and links are kept, so the next call continues an interrupted one.

    Args:
        out: Folder of the data set.
        data: The content of the data set.
        every: Every n-th frame is a keyframe for detectors of clips.
        margin: Number of frames that must follow a keyframe.
        clips: Whether to write the annotations for detectors of clips.

    Raises:
        SystemExit: If a video cannot be decoded, frames are missing, or a split would
            be empty.
    """
    frames, sizes, by_video = {}, {}, defaultdict(list)
    for item in data.annotations:
        by_video[item.video].append(item)
    for name, path in tqdm(data.videos.items(), unit='video'):
        folder = out / 'rawframes' / name
        if path.is_dir():
            link_frames(numbered_images(path), folder)
        else:
            try:
                extract_frames(path, folder, (data.files or {}).get(name))
            except ValueError as error:
                raise SystemExit(f'{error}\nsee --check and --skip-missing') from error
        found = numbered_images(folder)
        files = (data.files or {}).get(name, {}).values()
        wanted = {number for those in files for number in those}
        lacking = (wanted | {item.frame for item in by_video[name]}) - set(found)
        if lacking:
            raise SystemExit(
                f'{len(lacking)} frame(s) are missing in {folder}, such as '
                f'{min(lacking)}. If it was made with other options, remove it and '
                'convert again; see --check'
            )
        frames[name] = {i: f'{name}/{file.name}' for i, file in found.items()}
        first = next(iter(found.values()), path)
        size = image_size(first)
        if size is None:
            raise SystemExit(f'{first} cannot be read: see --check')
        sizes[name] = size
    for split, videos in data.splits.items():
        videos = sorted(set(videos) & set(frames))
        mine = [item for video in videos for item in by_video[video]]
        if not mine:
            raise SystemExit(f'the {split} split is empty')
        here = {video: frames[video] for video in videos}
        write_coco(out / f'annotations/{split}.json', here, sizes, mine, data.classes)
        print(f'{split}: {len(videos)} videos, {len(mine)} boxes')
        if not clips:
            continue
        # Counted from the start of the video, so that all people share the keyframes.
        keys = [
            item
            for item in mine
            if (item.frame - 1) % every == 0
            and item.frame <= max(frames[item.video]) - margin
        ]
        if not keys:
            raise SystemExit(
                f'the {split} split has no keyframe with {margin} frames after it: '
                'see --margin'
            )
        write_annotations(out / 'annotations', split, keys, data.classes)
        print(f'{split}: {len(keys)} boxes in keyframes of clips')
    if clips:
        write_tubes(out / 'annotations/tubes.json', by_video, sizes, data.classes)


def write_tubes(
    path: Path,
    annotations: Mapping[str, Sequence[Annotation]],
    sizes: Mapping[str, tuple[int, int]],
    classes: Sequence[str],
) -> None:
    """Write tubes for :func:`mmanon.datasets.formats.ava_reader.read_tube_file`.

    The boxes of one person doing one action are a tube, which is cut where frames are
    missing.
    """
    clips = {}
    for video, items in annotations.items():
        if video not in sizes:
            continue
        full = sizes[video] * 2
        tubes = [
            dict(
                label=classes[run[0].label - 1],
                start_frame=run[0].frame - 1,
                end_frame=run[-1].frame,
                boxes=[
                    [round(s * f, 3) for s, f in zip(item.box, full, strict=True)]
                    for item in run
                ],
            )
            for run in _runs(items)
        ]
        clips[video] = dict(
            annotation_width=full[0], annotation_height=full[1], tubes=tubes
        )
    with written_whole(path) as beside:
        beside.write_text(json.dumps(dict(classes=list(classes), clips=clips)))


def _runs(items: Sequence[Annotation]) -> Iterator[list[Annotation]]:
    """Yield the boxes of one person doing one action in consecutive frames."""
    run: list[Annotation] = []
    for item in sorted(items, key=lambda a: (a.person, a.label, a.frame)):
        if run and (
            (run[-1].person, run[-1].label, run[-1].frame + 1)
            != (item.person, item.label, item.frame)
        ):
            yield run
            run = []
        run.append(item)
    if run:
        yield run


def check_action_set(out: Path, problems: Problems) -> None:
    """Report problems of a prepared data set: files, numbers, boxes, images."""
    folder = out / 'annotations'
    for part in (folder, out / 'rawframes'):
        if not part.is_dir():
            problems.missing(part)
            return
    used: dict[Path, tuple[int, int] | None] = {}
    for path in sorted(folder.glob('*.json')):
        if path.name == 'tubes.json':
            _try(problems, path, read_tube_file)
        else:
            used |= _check_coco(path, out / 'rawframes', problems)
    names = folder / 'labels.pbtxt'
    clips = sorted(folder.glob('*.csv'))
    classes = _try(problems, names, read_label_map) if clips else None
    if not clips and not list(folder.glob('*.json')):
        problems.missing(folder / '*.json', 'no annotations')
    for path in clips:
        used |= dict.fromkeys(_check_ava(path, out, classes, problems) - set(used))
    sizes = check_images(list(used), problems)
    for (path, wanted), size in zip(used.items(), sizes, strict=True):
        if wanted and size and wanted != size:
            problems.wrong(path, f'it is {size}, but the annotations say {wanted}')


def _try(problems: Problems, path: Path, read: Callable[[Path], Any]) -> Any:
    try:
        return read(path)
    except FileNotFoundError:
        problems.missing(path)
    except ValueError as error:
        problems.wrong(path, str(error))


def _check_coco(
    path: Path, frames: Path, problems: Problems
) -> dict[Path, tuple[int, int]]:
    try:
        content = json.loads(path.read_text())
        images = {image['id']: image for image in content['images']}
        categories = {category['id'] for category in content['categories']}
        for annotation in content['annotations']:
            image = images.get(annotation['image_id'])
            x, y, w, h = annotation['bbox']
            if image is None:
                problems.wrong(path, f'annotation {annotation["id"]} has no image')
            elif annotation['category_id'] not in categories:
                problems.wrong(path, f'annotation {annotation["id"]} has no category')
            elif not (
                min(x, y) >= 0
                and min(w, h) > 0
                and x + w <= image['width'] + 0.01
                and y + h <= image['height'] + 0.01
            ):
                problems.wrong(
                    path,
                    f'box {annotation["bbox"]} is not within {image["file_name"]}',
                )
        return {
            frames / image['file_name']: (image['width'], image['height'])
            for image in images.values()
        }
    except (ValueError, KeyError, TypeError) as error:
        problems.wrong(path, f"not annotations in COCO's format: {error!r}")
        return {}


def _check_ava(
    path: Path, out: Path, classes: dict[int, str] | None, problems: Problems
) -> set[Path]:
    lines = _try(problems, path, read_ava_boxes)
    if lines is None:
        return set()
    unknown = set(lines.ids.tolist()) - set(classes or lines.ids.tolist())
    for number in sorted(unknown):
        problems.wrong(path, f'action {number} is not in labels.pbtxt')
    stored: dict[str, dict[int, Path]] = {}
    used, keys = set(), set()
    for video, frame in zip(lines.videos, lines.timestamps.tolist(), strict=True):
        keys.add(f'{video},{frame:04d}')
        if video not in stored:
            folder = out / 'rawframes' / video
            stored[video] = numbered_images(folder) if folder.is_dir() else {}
            if not stored[video]:
                problems.missing(folder, f'frames of a video of {path.name}')
        if frame in stored[video]:
            used.add(stored[video][frame])
        elif stored[video]:
            problems.missing(
                out / 'rawframes' / video, f'frame {frame}, annotated in {path.name}'
            )
    proposals = path.with_name(f'{path.stem}_proposals.npz')
    if not proposals.is_file():
        problems.missing(proposals)
        return used
    try:
        with np.load(proposals, allow_pickle=False) as file:
            for key in sorted(keys - set(file.files)):
                problems.wrong(proposals, f'no proposals for {key}')
    except (OSError, ValueError) as error:
        problems.unreadable(proposals, str(error))
    return used
