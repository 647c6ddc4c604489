"""Heads that show no face, from behind or far away, by the bodies below them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mmanon.utils.devices import Place

from .base import BaseFaceDetector
from .boxes_by_onnx import OnnxBoxDetector
from .opencv import opencv

__all__ = ['HeadDetector']

# Lines of the picture that people are looked for in, by the histograms.
_LINES = 480
# Of the histograms' window: where the middle of the head is, and the head's height and
# width. Medians of 161 windows around people (tools/covering) are 0.17, 0.13 and 0.10;
# larger, since windows are up to a twentieth of their height off.
_WINDOW_HEAD = (0.17, 0.16, 0.13)
# Their margin on which six of ten windows hold a person, and where one of ten does. A
# head is sure (0.6) on the first, and no candidate for a track (0.45) on the other.
_HOLDS, _HARDLY = 1.3, 0.3
# Of a body's box: the head of somebody who stands in parts of the height, and of
# somebody who is cut off or sits in parts of the width.
_STANDING, _CUT, _MOST = 0.15, 0.3, 0.5
_SURE = 0.6


class _Bodies(ABC):
    """Finds people; boxes (k, 4) of their heads and scores (k,)."""

    places: tuple[Place, ...]

    @abstractmethod
    def heads(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of a uint8 (H, W, 3) RGB picture, in its pixels."""


class _Histograms(_Bodies):
    """OpenCV's linear classifier on histograms of gradients.

    Dalal and Triggs, "Histograms of Oriented Gradients for Human Detection", 2005.
    """

    def __init__(self) -> None:
        self._cv2 = opencv('finding heads from bodies')
        self._hog = self._cv2.HOGDescriptor()
        people = self._cv2.HOGDescriptor_getDefaultPeopleDetector()
        self._hog.setSVMDetector(people)
        self.places = (Place('cpu', 'OpenCV'),)

    def heads(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        cv2 = self._cv2
        scale = _LINES / min(image.shape[:2])
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        seen = cv2.resize(image, None, fx=scale, fy=scale, interpolation=way)
        if seen.shape[0] < 128 or seen.shape[1] < 64:  # smaller than the window
            return np.zeros((0, 4)), np.zeros(0)
        windows, margins = self._hog.detectMultiScale(
            cv2.cvtColor(seen, cv2.COLOR_RGB2BGR), 0, (8, 8), (16, 16), 1.05
        )
        windows = np.asarray(windows, float).reshape(-1, 4) / scale
        middle, height, width = (
            part * windows[:, 3:] for part in np.array(_WINDOW_HEAD)
        )
        low = windows[:, :2] + windows[:, 2:] * [0.5, 0]
        low = low + np.concatenate([-width / 2, middle - height / 2], 1)
        scores = np.interp(
            np.asarray(margins, float).reshape(-1),
            (0, _HARDLY, _HOLDS, 2 * _HOLDS),
            (0.3, 0.45, _SURE, 0.8),
        )
        return np.concatenate(
            [low, low + np.concatenate([width, height], 1)], 1
        ), scores


class _Boxes(_Bodies):
    """Another detector's boxes of people."""

    def __init__(self, detector: BaseFaceDetector) -> None:
        self._detector = detector
        self.places = detector.places

    def heads(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = self._detector.detect(image)
        return _heads_of(found.boxes), found.scores


def _people_in(weights: str | Path, device: str) -> OnnxBoxDetector:
    found = OnnxBoxDetector(weights, device=device)
    return OnnxBoxDetector(weights, classes=[found.first_class], device=device)


def _heads_of(bodies: np.ndarray) -> np.ndarray:
    """The upper middle of bodies that fill their boxes, (k, 4)."""
    width, height = (bodies[:, 2:] - bodies[:, :2]).T
    high = np.maximum(_STANDING * height, np.minimum(_CUT * width, _MOST * height))
    middle, top = bodies[:, [0, 2]].mean(1), bodies[:, 1]
    wide = 0.8 * high
    return np.stack([middle - wide / 2, top, middle + wide / 2, top + high], 1)


class HeadDetector(BaseFaceDetector):
    """The faces that a face detector finds, and the heads of people who show none.

    A head is the upper middle of somebody's body. One in which a sure face lies is left
    out: the face is masked as it is. Heads have no landmarks (NaN).

    Args:
        faces: The config of a face detector, or the detector itself.
        people: What finds people: an ONNX file for :class:`.OnnxBoxDetector`, of whose
            classes the first is taken; the config of a detector; or one that is built.
            By default OpenCV's
            histograms of gradients, which find three of ten heads without a face on the
            clips of ``tools/covering``.
        device: Where the ONNX file runs, ``'cpu'`` or a GPU such as ``'cuda:0'``.

    Raises:
        FileNotFoundError: If the file does not exist.
        ImportError: If OpenCV is not installed and no file is given.
        ValueError: If the file is of another form.
    """

    def __init__(
        self,
        faces: str | Mapping | BaseFaceDetector,
        people: str | Path | Mapping | BaseFaceDetector | None = None,
        device: str = 'cpu',
    ) -> None:
        from .build import build_face_detector  # which knows this class

        self._faces = build_face_detector(faces)
        self.parallel = self._faces.parallel
        self._bodies: _Bodies
        if people is None:
            self._bodies = _Histograms()
        else:
            if isinstance(people, str | Path):
                finder: BaseFaceDetector = _people_in(people, device)
            else:
                finder = build_face_detector(people)
            self._bodies = _Boxes(finder)
            self.parallel = self.parallel and finder.parallel
        self.places = tuple(dict.fromkeys((*self._faces.places, *self._bodies.places)))

    def _detect(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        found = self._faces.detect(image)
        heads, scores = self._bodies.heads(image)
        sure = found.boxes[found.scores >= _SURE]
        middle = (sure[:, None, :2] + sure[:, None, 2:]) / 2
        known = ((middle > heads[:, :2]) & (middle < heads[:, 2:])).all(2).any(0)
        heads, scores = heads[~known], scores[~known]
        return (
            np.concatenate([found.boxes, heads]),
            np.concatenate([found.scores, scores]),
            np.concatenate([found.landmarks, np.full((len(heads), 5, 2), np.nan)]),
        )
