"""Writes the exact annotations of the drawn clips in AVA's formats."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmengine.fileio import dump

from mmanon.datasets.formats import proposals  # noqa: F401  (teaches mmengine the npz format)
from mmanon.structures.face_table import Faces, FaceTableWriter, VideoInfo

from .actions import ACTIONS
from .people import PersonView
from .plan import stream
from .settings import KEY_FRAME

__all__ = ['KnownClip', 'write_face_table', 'write_labels', 'write_split']


@dataclass(frozen=True)
class KnownClip:
    """The annotations of a drawn clip of K people and T frames.

    Attributes:
        video: Name of its folder of frames.
        identities: Names of the people.
        labels: Numbers of each person's actions, from 1.
        boxes: Boxes of the people as fractions of the frame, (T, K, 4) in [0, 1].
        face_boxes: Face boxes in the same format, (T, K, 4).
        landmarks: Landmarks as fractions of the frame, (T, K, 5, 2); they may be
            outside the frame.
    """

    video: str
    identities: tuple[str, ...]
    labels: tuple[list[int], ...]
    boxes: np.ndarray
    face_boxes: np.ndarray
    landmarks: np.ndarray

    @classmethod
    def from_views(
        cls,
        video: str,
        identities: Sequence[str],
        labels: Sequence[list[int]],
        views: list[list[PersonView]],
        size: int,
    ) -> KnownClip:
        """Convert the positions of the drawing in pixels to annotations."""

        def gather(name: str) -> np.ndarray:
            return np.array([[getattr(v, name) for v in frame] for frame in views])

        return cls(
            video,
            tuple(identities),
            tuple(labels),
            (gather('box') / size).clip(0, 1),
            (gather('face_box') / size).clip(0, 1),
            gather('landmarks') / size,
        )


def write_labels(folder: Path) -> None:
    """Write the label map ``actions.pbtxt``."""
    items = [
        f'item {{\n  name: "{name}"\n  id: {number}\n}}\n'
        for number, name in enumerate(ACTIONS, 1)
    ]
    (folder / 'actions.pbtxt').write_text(''.join(items))


def write_split(
    folder: Path, split: str, clips: Sequence[KnownClip], seed: int
) -> None:
    """Write boxes and actions, identities, proposals and exclusions of a split."""
    rows, identities, found = [], [], {}
    rng = stream(seed, split, 'proposals')
    for clip in clips:
        boxes = clip.boxes[KEY_FRAME - 1]
        for person, (box, labels) in enumerate(zip(boxes, clip.labels, strict=True)):
            corners = ','.join(f'{value:.6f}' for value in box)
            for label in labels:
                rows.append(f'{clip.video},{KEY_FRAME:04d},{corners},{label},{person}')
            identities.append(f'{clip.video},{person},{clip.identities[person]}')
        found[f'{clip.video},{KEY_FRAME:04d}'] = _detect_people(boxes, rng)
    _write_lines(folder / f'{split}.csv', rows)
    _write_lines(folder / f'identities_{split}.csv', identities)
    # AVAMetric needs a list of excluded timestamps; it is empty.
    _write_lines(folder / f'excluded_{split}.csv', [])
    dump(found, folder / f'proposals_{split}.npz')


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    path.write_text(''.join(f'{line}\n' for line in lines))


def _detect_people(boxes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Imitate a person detector: boxes (K, 4) to noisy boxes with scores, (P, 5)."""
    found = []
    for box in boxes:
        size = np.tile(box[2:] - box[:2], 2)
        found.append([*(box + rng.normal(0, 0.015, 4) * size), rng.uniform(0.92, 1)])
        if rng.random() < 0.2:
            worse = box + rng.normal(0, 0.1, 4) * size
            found.append([*worse, rng.uniform(0.3, 0.89)])
    for _ in range(rng.integers(0, 3)):
        corner, size = rng.uniform(0, 0.6, 2), rng.uniform(0.15, 0.4, 2)
        score = rng.uniform(0.3, 0.89) if rng.random() < 0.9 else rng.uniform(0.9, 0.94)
        found.append([*corner, *(corner + size), score])
    detections = np.array(found, np.float32)
    detections[:, :4] = detections[:, :4].clip(0, 1)
    return detections[np.argsort(-detections[:, 4], kind='stable')]


def write_face_table(path: Path, clips: Iterable[KnownClip], size: int) -> None:
    """Write the faces in all frames of all clips; ``size`` is their side in pixels."""
    with FaceTableWriter(path, detector='mini benchmark (exact)') as table:
        for clip in sorted(clips, key=lambda clip: clip.video):
            count = len(clip.face_boxes)
            table.describe(clip.video, VideoInfo('folder', size, size, count))
            for frame, (boxes, landmarks) in enumerate(
                zip(clip.face_boxes, clip.landmarks, strict=True), 1
            ):
                count = len(boxes)
                table.add(
                    clip.video,
                    frame,
                    Faces(
                        boxes=boxes.astype(np.float32),
                        scores=np.ones(count, np.float32),
                        landmarks=landmarks.astype(np.float32),
                        tracks=np.arange(count, dtype=np.int32),
                    ),
                )
