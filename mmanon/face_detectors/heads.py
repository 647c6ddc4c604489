"""Find heads without a visible face, from behind or far away, by their bodies."""

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

# Height in pixels of the picture in which the histograms search for people.
_LINES = 480
# The centre of the head, its height and its width, as fractions of the height of the
# histograms' window. The medians over 161 windows around people (tools/covering) are
# 0.17, 0.13 and 0.10. The size is larger here, because a window may be wrong by up to a
# twentieth of its height.
_WINDOW_HEAD = (0.17, 0.16, 0.13)
# Margins of the classifier: at the first, six of ten windows contain a person; at the
# second, one of ten. The first gives a head the score 0.6 (sure), the second 0.45 (no
# track begins with it).
_HOLDS, _HARDLY = 1.3, 0.3
# The head's height, for a standing body as a fraction of its box's height, for a
# sitting or cut body as a fraction of its width, and its maximum as a fraction of the
# height.
_STANDING, _CUT, _MOST = 0.15, 0.3, 0.5
_SURE = 0.6


class _Bodies(ABC):
    """Finds people, and returns boxes (k, 4) of their heads and scores (k,)."""

    places: tuple[Place, ...]

    @abstractmethod
    def heads(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find heads in a picture, uint8 (H, W, 3) RGB; boxes are in its pixels."""


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
    """Finds people with another detector."""

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
    """Boxes of heads, (k, 4), in the upper middle of boxes of bodies."""
    width, height = (bodies[:, 2:] - bodies[:, :2]).T
    high = np.maximum(_STANDING * height, np.minimum(_CUT * width, _MOST * height))
    middle, top = bodies[:, [0, 2]].mean(1), bodies[:, 1]
    wide = 0.8 * high
    return np.stack([middle - wide / 2, top, middle + wide / 2, top + high], 1)


class HeadDetector(BaseFaceDetector):
    """Finds faces, and heads of people without a visible face.

    A head is the upper middle of a body. A head is dropped if the centre of a face with
    a score of at least 0.6 lies in it: the face itself is covered. Heads have no
    landmarks (NaN).

    Args:
        faces: The config of a face detector, or the detector itself.
        people: The detector of people: an ONNX file for :class:`.OnnxBoxDetector`,
            whose first class must be people; the config of a detector; or a detector.
            Defaults to OpenCV's histograms of gradients, which find three of ten heads
            without a face on the clips of ``tools/covering``.
        device: Where the ONNX file runs, ``'cpu'`` or a GPU such as ``'cuda:0'``.

    Raises:
        FileNotFoundError: If the file does not exist.
        ImportError: If OpenCV is not installed and ``people`` is None.
        ValueError: If the file has another input or output.
    """

    def __init__(
        self,
        faces: str | Mapping | BaseFaceDetector,
        people: str | Path | Mapping | BaseFaceDetector | None = None,
        device: str = 'cpu',
    ) -> None:
        from .build import build_face_detector  # it imports this module

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
