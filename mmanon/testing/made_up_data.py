"""Writes made-up data at the paths where a config expects its own.

Its data sets, pipelines and metrics then run unchanged. Paths in the frameworks'
configs are relative: call :func:`write_made_up_data` in an empty folder.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import cv2
import mmengine
import numpy as np
import torch
from mmengine.config import Config, ConfigDict

from mmanon.registry import DATASETS
from mmanon.structures.face_table import Faces, FaceTableWriter, VideoInfo

# Height and width of frames, for which the shrunk configs are made.
SHAPE = (64, 80)
# All frames of a clip around a keyframe exist: clips have up to 64 frames.
NUM_FRAMES = 140
PERSON = (0.125, 0.0625, 0.875, 0.9375)
FACE = (0.3, 0.1, 0.55, 0.4)
# AVA-Kinetics recognizes AVA's videos by the length of their names.
_AVA_VIDEO = 'made_up_vid'


def write_made_up_data(config: Config) -> None:
    """Write videos, annotations, proposals, feature banks and face tables.

    Each data set has two keyframes, and each frame shows one person and one face.

    Args:
        config (Config): Config with mmaction2's AVA-like data sets or mmdet's COCO-like
            ones.

    Raises:
        TypeError: If a data set is of another kind.
    """
    videos: dict[Path, dict] = defaultdict(dict)
    for dataset in _datasets(config):
        if 'proposal_file' in dataset:
            folder, video = _write_ava(dataset)
        elif 'Coco' in dataset.type:
            folder, video = _write_coco(dataset)
        else:
            raise TypeError(
                f'no data can be made up for a {dataset.type}: it has neither the '
                '`proposal_file` of AVA-like data sets nor annotations like COCO'
            )
        # The face table of a folder of videos is beside that folder.
        videos[folder.parent] |= video
    for folder, known in videos.items():
        _write_faces(folder / 'faces.parquet', known)
    for stage in ('val', 'test'):
        evaluator = config.get(f'{stage}_evaluator')
        if evaluator and evaluator.get('type') == 'MultiSportsMetric':
            _write_tubes(evaluator, config[f'{stage}_dataloader'].dataset)
    write_feature_bank(config)


def _datasets(config: Config) -> Iterator[ConfigDict]:
    for stage in ('train', 'val', 'test'):
        loader = config.get(f'{stage}_dataloader')
        if loader is None:
            continue
        dataset = loader.dataset
        while 'dataset' in dataset:
            dataset = dataset.dataset
        yield dataset


def _write_ava(dataset: ConfigDict) -> tuple[Path, dict]:
    """Write an AVA-like data set.

    Returns:
        tuple[Path, dict]: The folder of videos, and by name their kind and frames.
    """
    root = Path(dataset.data_prefix.img)
    files = not dataset.get('use_frames', True)
    video = f'{_AVA_VIDEO}.mp4' if files else _AVA_VIDEO
    first, last = _key_frames(dataset)
    if files:
        _write_video(root / video)
    else:
        _write_frames(root / video, [f'img_{i:05}.jpg' for i in range(NUM_FRAMES)])
    box = ','.join(map(str, PERSON))
    rows = [f'{video},{when:04},{box},{when % 2 + 1},0' for when in (first, last)]
    _write_text(dataset.ann_file, rows)
    if dataset.get('exclude_file'):
        _write_text(dataset.exclude_file, [])
    if dataset.get('label_file'):
        items = [f'item {{\n  name: "action {i}"\n  id: {i}\n}}' for i in (1, 2)]
        _write_text(dataset.label_file, items)
    _write_object(
        dataset.proposal_file,
        {
            f'{video},{when:04d}': np.array(
                [[*PERSON, 0.99], [0.2, 0.2, 0.8, 0.9, 0.95]]
            )
            for when in (first, last)
        },
    )
    kind = 'file' if files else 'folder'
    return root, {_AVA_VIDEO: (kind, range(NUM_FRAMES))}


def _key_frames(dataset: ConfigDict) -> tuple[int, int]:
    """Return two keyframes in the data set's unit: seconds or frames (MultiSports)."""
    start = dataset.get('timestamp_start', 900)
    if dataset.get('fps', 30) == 1:
        return start + 60, start + 61
    return start + 2, start + 3


def _write_coco(dataset: ConfigDict) -> tuple[Path, dict]:
    """Write a COCO-like data set: a folder of images, which LoadFaces reads as a video.

    Returns:
        tuple[Path, dict]: As :func:`_write_ava`.
    """
    data_root = Path(dataset.get('data_root', ''))
    root = data_root / dataset.data_prefix.img
    names = [f'{i:012}.jpg' for i in (1, 2)]
    _write_frames(root, names)
    height, width = SHAPE
    x1, y1, x2, y2 = np.multiply(PERSON, [width, height, width, height]).tolist()
    kind = DATASETS.get(f'mmdet.{dataset.type.rpartition(".")[2]}')
    classes = (dataset.get('metainfo') or kind.METAINFO)['classes']
    annotations = [
        dict(
            id=i,
            image_id=i,
            category_id=1,
            bbox=[x1, y1, x2 - x1, y2 - y1],
            area=(x2 - x1) * (y2 - y1),
            iscrowd=0,
            segmentation=[[x1, y1, x2, y1, x2, y2, x1, y2]],
        )
        for i in (1, 2)
    ]
    images = [
        dict(id=i, file_name=name, height=height, width=width)
        for i, name in enumerate(names, 1)
    ]
    categories = [dict(id=i, name=name) for i, name in enumerate(classes, 1)]
    _write_object(
        data_root / dataset.ann_file,
        dict(images=images, annotations=annotations, categories=categories),
    )
    return root, {root.name: ('folder', (1, 2))}


def _write_tubes(evaluator: ConfigDict, dataset: ConfigDict) -> None:
    first, last = _key_frames(dataset)
    height, width = SHAPE
    box = np.multiply(PERSON, [width, height, width, height])
    tube = np.array([[when, *box] for when in (first, last)])
    _write_object(
        evaluator.ann_file,
        dict(
            labels=[f'action {i}' for i in range(dataset.num_classes)],
            train_videos=[[]],
            test_videos=[[_AVA_VIDEO]],
            nframes={_AVA_VIDEO: NUM_FRAMES},
            resolution={_AVA_VIDEO: SHAPE},
            gttubes={_AVA_VIDEO: {1: [tube]}},
        ),
    )


def write_feature_bank(config: Config) -> None:
    """Write the long-term feature bank that a model reads, if it reads one."""
    roi_head = config.model.get('roi_head') or {}
    bank = (roi_head.get('shared_head') or {}).get('lfb_cfg')
    if not bank:
        return
    generator = torch.Generator().manual_seed(0)
    for mode in bank.dataset_modes:
        features = {
            second: list(torch.randn(2, bank.lfb_channels, generator=generator).half())
            for second in range(900, 905)
        }
        path = _parent_made(Path(bank.lfb_prefix_path) / f'lfb_{mode}.pkl')
        torch.save({_AVA_VIDEO: features}, path)


def _write_frames(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pictures = [cv2.imencode('.jpg', one)[1].tobytes() for one in _pictures(4)]
    for index, name in enumerate(names):
        (folder / name).write_bytes(pictures[index % len(pictures)])


def _write_video(path: Path) -> None:
    height, width = SHAPE
    code = cv2.VideoWriter.fourcc(*'mp4v')
    writer = cv2.VideoWriter(str(_parent_made(path)), code, 25, (width, height))
    for picture in _pictures(NUM_FRAMES):
        writer.write(picture)
    writer.release()


def _pictures(count: int) -> Iterator[np.ndarray]:
    random = np.random.default_rng(0)
    for _ in range(count):
        yield random.integers(0, 256, (*SHAPE, 3), np.uint8)


def _write_faces(path: Path, videos: dict) -> None:
    height, width = SHAPE
    face = Faces(
        boxes=np.array([FACE], np.float32),
        scores=np.ones(1, np.float32),
        landmarks=np.full((1, 5, 2), np.nan, np.float32),
        tracks=np.zeros(1, np.int32),
    )
    with FaceTableWriter(path, detector='made up') as table:
        for video, (kind, frames) in sorted(videos.items()):
            info = VideoInfo(
                kind, width, height, NUM_FRAMES if kind == 'file' else None
            )
            table.describe(video, info)
            for frame in frames:
                table.add(video, frame, face)


def write_made_up_people(root: Path, side: int, people: int = 3) -> None:
    """Write identity folders of two face crops each, ``side`` pixels wide."""
    random = np.random.default_rng(1)
    for person in range(people):
        folder = root / f'person{person}'
        folder.mkdir(parents=True, exist_ok=True)
        for index in range(2):
            face = random.integers(0, 256, (side, side, 3), np.uint8)
            cv2.imwrite(str(folder / f'{index}.png'), face)


def _write_text(path: str, lines: list[str]) -> None:
    _parent_made(Path(path)).write_text(''.join(f'{line}\n' for line in lines))


def _write_object(path: str | Path, value: object) -> None:
    mmengine.dump(value, str(_parent_made(Path(path))))


def _parent_made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
