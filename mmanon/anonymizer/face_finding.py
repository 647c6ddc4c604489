"""Where the faces of a frame are: by a face detector, or as somebody has written down.

Whatever happens here a frame comes out: one that could not be examined says so, and is
covered whole.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from mmanon.face_detectors import BaseFaceDetector, build_face_detector
from mmanon.face_detectors.named import named_detector
from mmanon.structures.faces import Faces
from mmanon.utils.log import print_log

from .io.sources import InputError
from .options import DETECTORS, SURE

__all__ = [
    'DETECTORS',
    'DetectedFaces',
    'FaceFinder',
    'GivenFaces',
    'Watch',
    'build_detector',
]

CANDIDATE = 0.3  # the least score of a face that is told of
# Likeness of two frames, see `thumbnail`, below which faces are looked for anew.
_ALIKE = 0.9
# Overlap (IoU) of a face's boxes in two frames that are looked at.
_SAME_FACE = 0.3
# Pixels from which on a face is found in a picture of half the size, and some more.
_SEEN_AT_A_GLANCE = 48
_TILE = 2048
_OVERLAP = 512

Find = Callable[[int, np.ndarray], Faces]


class FaceFinder(Protocol):
    """Finds the faces of one source after the other.

    Attributes:
        parallel (bool): Whether several threads may find at a time.
    """

    parallel: bool

    def open(self, name: str) -> Find:
        """Begin a source.

        Args:
            name (str): Its path below the folder of all sources.

        Returns:
            callable: Of a frame's index from 0 and its upright picture, uint8
            (H, W, 3) RGB, to its faces.

        Raises:
            InputError: When nothing is known of the source.
        """


def build_detector(
    detector: str | Mapping | BaseFaceDetector | None = None,
    weights: str | Path | None = None,
    device: str = 'cpu',
) -> BaseFaceDetector:
    """Build a face detector that also reports candidates it is not sure of.

    Args:
        detector (str, Mapping or BaseFaceDetector, optional): ``'centerface'``,
            ``'mtcnn'``, ``'yunet'`` or ``'thorough'``, see :func:`named_detector`; the
            config of a face detector, or one that is built. Defaults to
            ``'centerface'``.
        weights (str or Path, optional): ONNX file of YuNet, for ``'yunet'`` and
            ``'thorough'``.
        device (str): Where ``'mtcnn'`` runs.

    Returns:
        BaseFaceDetector: The detector.

    Raises:
        FileNotFoundError: When there are no such weights.
        ImportError: When what the detector needs is not installed.
        ValueError: When the detector is unknown or lacks its weights.
    """
    if isinstance(detector, BaseFaceDetector | Mapping):
        return build_face_detector(detector)
    config = named_detector(detector or 'centerface', weights, CANDIDATE, device)
    return build_face_detector(config)


class DetectedFaces:
    """Faces as a detector finds them.

    Large pictures are searched in overlapping tiles beside the whole at a smaller
    size, so that memory does not grow with them.

    Args:
        detector (BaseFaceDetector): What finds faces.
        scale (float): By how much the picture is made smaller before, in (0, 1]; the
            smallest face that is found grows as much. Defaults to 1.

    Raises:
        ValueError: When the scale is out of its range.
    """

    def __init__(self, detector: BaseFaceDetector, scale: float = 1.0) -> None:
        if not 0 < scale <= 1:
            raise ValueError(f'scale must be in (0, 1], got {scale}')
        self.detector, self.scale = detector, scale
        self.parallel = detector.parallel

    def open(self, name: str) -> Find:
        """Begin a source; see :class:`FaceFinder`."""
        told = False

        def find(index: int, image: np.ndarray) -> Faces:
            nonlocal told
            try:
                return self._find(image)
            # Whatever a detector's code may raise: the frame must not come through.
            except Exception as error:
                if not told:
                    print_log(
                        f'{name}: frame {index} could not be examined '
                        f'({type(error).__name__}: {error}); it is covered whole, as '
                        'is each that follows of which this is true',
                        level=logging.WARNING,
                    )
                told = True
                return Faces.whole_frame()

        return find

    def _find(self, image: np.ndarray) -> Faces:
        if self.scale < 1:
            small = [max(1, round(side * self.scale)) for side in image.shape[1::-1]]
            image = np.asarray(
                Image.fromarray(image).resize(tuple(small), Image.Resampling.BOX)
            )
        height, width = image.shape[:2]
        if max(height, width) <= 2 * _TILE:
            boxes, scores, marks = self._detect(image)
        else:
            boxes, scores, marks = self._detect_in_tiles(image)
        size = np.float64([width, height, width, height])
        boxes = np.clip(boxes / size, 0, 1).astype(np.float32)
        kept = (boxes[:, 2:] > boxes[:, :2]).all(1)
        return Faces(
            boxes[kept],
            scores[kept].astype(np.float32),
            (marks / size[:2]).astype(np.float32)[kept],
            np.full(int(kept.sum()), -1, np.int32),
        )

    def _detect(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        found = self.detector.detect(image)
        boxes, scores = np.asarray(found.boxes), np.asarray(found.scores)
        if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
            raise ValueError('the detector answered with numbers that are not finite')
        return (
            boxes.reshape(-1, 4).astype(np.float64),
            scores.reshape(-1),
            np.asarray(found.landmarks, np.float64).reshape(-1, 5, 2),
        )

    def _detect_in_tiles(self, image: np.ndarray) -> tuple[np.ndarray, ...]:
        height, width = image.shape[:2]
        step = -(-max(height, width) // _TILE)
        # Faces that no tile holds are large enough to be seen with pixels left out.
        boxes, scores, marks = self._detect(np.ascontiguousarray(image[::step, ::step]))
        found = [(boxes * step, scores, marks * step)]
        for top, left in product(_begins(height), _begins(width)):
            tile = np.ascontiguousarray(
                image[top : top + _TILE, left : left + _TILE],
            )
            boxes, scores, marks = self._detect(tile)
            shift = np.float64([left, top])
            found.append((boxes + np.tile(shift, 2), scores, marks + shift))
        return tuple(np.concatenate(one) for one in zip(*found, strict=True))


class Watch:
    """Which frames of a video to look at closely: each n-th, and where much changes.

    Args:
        every (int): n. Defaults to every frame.
        scale (float): By how much the detector makes each picture smaller before.

    Raises:
        ValueError: When ``every`` is below 1.
    """

    def __init__(self, every: int = 1, scale: float = 1.0) -> None:
        if every < 1:
            raise ValueError(f'every must be at least 1, got {every}')
        self.every = every
        self._seen_at_a_glance = _SEEN_AT_A_GLANCE / scale
        self._waited, self._then = every, np.zeros(0)

    def wants(self, small: np.ndarray) -> bool:
        """Whether to look closely at the next frame.

        Args:
            small (np.ndarray): Its :func:`thumbnail`.
        """
        self._waited += 1
        if self._waited < self.every and (small * self._then).sum() >= _ALIKE:
            return False
        self._waited, self._then = 0, small
        return True

    def doubts(
        self,
        before: Faces,
        between: Sequence[Faces],
        after: Faces,
        size: Sequence[int],
    ) -> bool:
        """Whether to look closely at the frames between two after all.

        A face too small for a glance that is there in one and not in the other, or has
        moved by more than its tracks would bridge well, came, went, or was missed; and
        nothing is known of the frames beside one that could not be examined.

        Args:
            before (Faces): Of the frame that was looked at closely last.
            between (Sequence[Faces]): Of glances at the frames in between.
            after (Faces): Of the next one.
            size (Sequence[int]): Width and height of the frames.
        """
        if not all(one.examined for one in (before, *between, after)):
            return True
        least = self._seen_at_a_glance / np.asarray(size)
        return _unmatched(before, after, least) or _unmatched(after, before, least)


def _unmatched(some: Faces, others: Faces, least: np.ndarray) -> bool:
    """Whether a face that is sure, and below a size, is in no place of the others."""
    small = (some.boxes[:, 2:] - some.boxes[:, :2] < least).any(1)
    small &= some.scores >= SURE
    for box in some.boxes[small]:
        low = np.maximum(box[:2], others.boxes[:, :2])
        high = np.minimum(box[2:], others.boxes[:, 2:])
        shared = (high - low).clip(0).prod(1)
        sizes = (others.boxes[:, 2:] - others.boxes[:, :2]).prod(1)
        if not (
            shared > _SAME_FACE * ((box[2:] - box[:2]).prod() + sizes - shared)
        ).any():
            return True
    return False


def _begins(side: int) -> list[int]:
    """Where tiles along a side begin."""
    if side <= _TILE:
        return [0]
    count = -(-(side - _OVERLAP) // (_TILE - _OVERLAP))
    return np.linspace(0, side - _TILE, count).round().astype(int).tolist()


class GivenFaces:
    """Faces from a face table, or from a JSON file of one's own.

    The JSON file maps names of images and videos (their paths below the folder that is
    anonymized) to boxes in pixels of the upright picture: of an image a list of
    ``[x1, y1, x2, y2]``, of a video such a list for each frame's number from 0 ::

        {"photo.jpg": [[10, 20, 60, 80]],
         "clips/a.mp4": {"0": [[5, 5, 40, 50]], "1": []}}

    A frame without an entry counts as never examined.

    Args:
        path (str or Path): ``*.json``, or a table of ``tools/detect_faces.py``.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it is of another kind.
    """

    parallel = False

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f'boxes {path} do not exist')
        self._given = None
        if self.path.suffix.lower() != '.json':
            from mmanon.structures.face_table import FaceTable

            self._table = FaceTable(self.path)
            return
        try:
            self._given = json.loads(self.path.read_text(encoding='utf-8'))
        except ValueError as error:
            raise ValueError(f'{path} is not JSON: {error}') from error
        if not isinstance(self._given, dict):
            raise ValueError(f'{path} must map names of files to boxes')

    def open(self, name: str) -> Find:
        """Begin a source; see :class:`FaceFinder`."""
        if self._given is None:
            return self._open_table(name)
        if name not in self._given:
            some = ', '.join(list(self._given)[:3])
            raise InputError(f'{self.path} has no boxes of {name!r}; it has {some} …')
        frames = self._given[name]
        if isinstance(frames, list):
            frames = {'0': frames}
        try:
            boxes = {
                int(number): np.asarray(one, np.float64).reshape(-1, 4)
                for number, one in frames.items()
            }
        except (ValueError, TypeError, AttributeError) as error:
            raise InputError(
                f'{self.path}: boxes of {name!r} must be [x1, y1, x2, y2]: {error}'
            ) from error
        for number, one in boxes.items():
            if not np.isfinite(one).all() or (one[:, 2:] <= one[:, :2]).any():
                raise InputError(
                    f'{self.path}: frame {number} of {name!r} has a box that is not '
                    'x1 < x2, y1 < y2'
                )

        def find(index: int, image: np.ndarray) -> Faces:
            if index not in boxes:
                return Faces.whole_frame()
            height, width = image.shape[:2]
            part = np.clip(boxes[index] / [width, height, width, height], 0, 1)
            return _as_faces(part[(part[:, 2:] > part[:, :2]).all(1)])

        return find

    def _open_table(self, name: str) -> Find:
        stem = name.rsplit('.', 1)[0]
        if stem not in self._table:
            raise InputError(
                f'face table {self.path} has no video {stem!r}; a video is named by '
                'its path below the folder of all, without extension'
            )

        def find(index: int, image: np.ndarray) -> Faces:
            faces = self._table.lookup(stem, index)
            unknown = not faces.examined and (faces.boxes == [[0, 0, 1, 1]]).all(1)
            if np.any(unknown) and not faces.scores.any():
                return faces
            # Written down as faces: none of them is a mere candidate.
            return replace(faces, scores=np.ones_like(faces.scores), examined=True)

        return find


def _as_faces(boxes: np.ndarray) -> Faces:
    count = len(boxes)
    return Faces(
        boxes.astype(np.float32),
        np.ones(count, np.float32),
        np.full((count, 5, 2), np.nan, np.float32),
        np.full(count, -1, np.int32),
    )
