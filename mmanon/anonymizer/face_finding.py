"""Find the faces of a frame with a face detector.

Every frame gets a result. A frame that could not be examined is marked, and is covered
whole.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from mmanon.face_detectors import BaseFaceDetector, build_face_detector
from mmanon.face_detectors.named import named_detector
from mmanon.structures.faces import Faces
from mmanon.utils.devices import check_device
from mmanon.utils.log import print_log

from .options import DETECTORS

__all__ = ['DetectedFaces', 'FaceFinder', 'Find', 'build_detector']

# Minimum scores of reported faces: a face of a low score counts if it continues a
# track.
_CANDIDATE, _THOROUGH_CANDIDATE = 0.3, 0.42
_TILE = 2048
_OVERLAP = 512  # of neighbouring tiles, in pixels

Find = Callable[[int, np.ndarray], Faces]
"""Takes a frame's index, from 0, and its upright picture, uint8 (H, W, 3) RGB; returns
its faces."""


class FaceFinder(Protocol):
    """Finds the faces of one source after the other.

    Attributes:
        parallel (bool): Whether several threads may search at the same time.
    """

    parallel: bool

    def open(self, name: str, path: Path | None = None) -> Find:
        """Begin a source.

        Args:
            name (str): Its path relative to the input folder.
            path (Path, optional): Its file, if it is one.

        Returns:
            Find: A function that finds the faces of its frames.

        Raises:
            InputError: When the source is unknown, in a file of boxes.
        """


def build_detector(
    detector: str | Mapping | BaseFaceDetector | None = None,
    weights: str | Path | None = None,
    device: str = 'cpu',
    heads: bool | str | Path = False,
) -> BaseFaceDetector:
    """Build a face detector that also reports candidates with low scores.

    Args:
        detector (str, Mapping or BaseFaceDetector, optional): ``'centerface'``,
            ``'mtcnn'``, ``'yunet'`` or ``'thorough'``, see :func:`named_detector`; the
            config of a face detector, or a face detector. Defaults to ``'centerface'``.
        weights (str or Path, optional): ONNX file of YuNet, for ``'yunet'`` and
            ``'thorough'``.
        device (str): The requested device of its networks, such as ``'cuda'``; the
            detector's ``places`` name the actual ones.
        heads (bool, str or Path): Whether it also reports heads without a visible face,
            or an ONNX file that finds people; see :class:`.HeadDetector`.

    Returns:
        BaseFaceDetector: The detector.

    Raises:
        FileNotFoundError: When the weights do not exist.
        ImportError: When a package that the detector needs is not installed.
        ValueError: When the detector is unknown or lacks its weights.
    """
    device = check_device(device)
    if isinstance(detector, BaseFaceDetector | Mapping):
        return _with_heads(build_face_detector(detector), heads, device)
    # 'thorough' searches many views and covers what persists: a lower limit would cover
    # too much.
    score = _THOROUGH_CANDIDATE if detector == 'thorough' else _CANDIDATE
    config = named_detector(detector or DETECTORS[0], weights, score, device)
    return _with_heads(build_face_detector(config), heads, device)


def _with_heads(
    detector: BaseFaceDetector, heads: bool | str | Path, device: str
) -> BaseFaceDetector:
    if heads is False:
        return detector
    people = None if heads is True else heads
    return build_face_detector(
        dict(type='mmanon.HeadDetector', faces=detector, people=people, device=device)
    )


class DetectedFaces:
    """Finds faces with a face detector.

    Large pictures are searched in overlapping tiles and as a whole at a smaller size,
    so that memory does not grow with them, unless the detector takes any size.

    Args:
        detector (BaseFaceDetector): The face detector.
        scale (float): Factor by which the picture is shrunk first, in (0, 1]; the
            smallest face that is found grows accordingly. Defaults to 1.

    Raises:
        ValueError: When the scale is out of its range.
    """

    def __init__(self, detector: BaseFaceDetector, scale: float = 1.0) -> None:
        if not 0 < scale <= 1:
            raise ValueError(f'scale must be in (0, 1], got {scale}')
        self.detector, self.scale = detector, scale
        self.parallel = detector.parallel

    def open(self, name: str, path: Path | None = None) -> Find:
        """Begin a source; see :class:`FaceFinder`."""
        told = False

        def find(index: int, image: np.ndarray) -> Faces:
            nonlocal told
            try:
                return self._find(image)
            # Whatever error a detector raises: the frame must not pass uncovered.
            except Exception as error:
                if not told:
                    print_log(
                        f'{name}: frame {index} could not be examined '
                        f'({type(error).__name__}: {error}); it is covered whole, as '
                        'is every later frame that cannot be examined',
                        level=logging.WARNING,
                    )
                told = True
                return Faces.whole_frame()

        return find

    def _find(self, image: np.ndarray) -> Faces:
        if self.scale < 1:
            height, width = (
                max(1, round(side * self.scale)) for side in image.shape[:2]
            )
            whole = Image.fromarray(image)
            image = np.asarray(whole.resize((width, height), Image.Resampling.BOX))
        height, width = image.shape[:2]
        if self.detector.any_size or max(height, width) <= 2 * _TILE:
            boxes, scores, marks = self._detect(image)
        else:
            boxes, scores, marks = self._detect_in_tiles(image)
        size = np.array([width, height, width, height], np.float64)
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
            raise ValueError('the detector returned numbers that are not finite')
        return (
            boxes.reshape(-1, 4).astype(np.float64),
            scores.reshape(-1),
            np.asarray(found.landmarks, np.float64).reshape(-1, 5, 2),
        )

    def _detect_in_tiles(self, image: np.ndarray) -> tuple[np.ndarray, ...]:
        height, width = image.shape[:2]
        step = -(-max(height, width) // _TILE)
        # Faces larger than a tile are found in the picture without most of its pixels.
        boxes, scores, marks = self._detect(np.ascontiguousarray(image[::step, ::step]))
        found = [(boxes * step, scores, marks * step)]
        for top, left in product(_begins(height), _begins(width)):
            tile = np.ascontiguousarray(
                image[top : top + _TILE, left : left + _TILE],
            )
            boxes, scores, marks = self._detect(tile)
            shift = np.array([left, top], np.float64)
            found.append((boxes + np.tile(shift, 2), scores, marks + shift))
        return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def _begins(side: int) -> list[int]:
    """The starts of the tiles along a side."""
    if side <= _TILE:
        return [0]
    count = -(-(side - _OVERLAP) // (_TILE - _OVERLAP))
    return np.linspace(0, side - _TILE, count).round().astype(int).tolist()
