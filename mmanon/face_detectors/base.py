from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from mmanon.utils.devices import Place


@dataclass(frozen=True)
class FaceDetections:
    """The faces of one image, in pixels; a box may extend beyond the image.

    Attributes:
        boxes: float32 (k, 4), x1, y1, x2, y2 with x1 < x2 and y1 < y2.
        scores: float32 (k,), the detector's confidence in [0, 1], highest first. The
            anonymizer treats a face as sure from 0.6 on.
        landmarks: float32 (k, 5, 2), x and y of the eye on the image's left, the eye
            on its right, the nose, and the mouth's corner on its left and its right.
    """

    boxes: np.ndarray
    scores: np.ndarray
    landmarks: np.ndarray

    def __len__(self) -> int:
        return len(self.boxes)


class BaseFaceDetector(ABC):
    """Finds the faces of an image; a subclass implements :meth:`_detect`.

    Attributes:
        parallel (bool): Whether several threads may call :meth:`detect` at the same
            time, and this is faster.
        any_size (bool): Whether it finds small and large faces in pictures of hundreds
            of megapixels. Other detectors get such a picture in tiles.
        places (tuple[Place, ...]): Where its networks run; empty if unknown.
    """

    parallel: bool = False
    any_size: bool = False
    places: tuple[Place, ...] = ()

    def detect(self, image: np.ndarray) -> FaceDetections:
        """Find all faces of an image.

        Args:
            image: uint8 RGB array of shape (H, W, 3).

        Returns:
            The faces, highest score first; arrays of length 0 if there is none.

        Raises:
            TypeError: If ``image`` is not a uint8 numpy array.
            ValueError: If its shape is not (H, W, 3) with H and W at least 1.
        """
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
            got = f'{type(image).__name__} of {getattr(image, "dtype", None)}'
            raise TypeError(f'image must be a uint8 numpy array, got {got}')
        if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
            raise ValueError(
                f'image must have the shape (H, W, 3) of an RGB image, got '
                f'{image.shape}; stack a grey image three times'
            )
        boxes, scores, landmarks = self._detect(image)
        boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
        scores = np.asarray(scores, np.float32).reshape(-1)
        landmarks = np.asarray(landmarks, np.float32).reshape(-1, 5, 2)
        whole = np.isfinite(boxes).all(1) & (boxes[:, 2:] > boxes[:, :2]).all(1)
        kept = np.flatnonzero(whole)
        kept = kept[np.argsort(-scores[kept], kind='stable')]
        return FaceDetections(boxes[kept], scores[kept], landmarks[kept])

    @abstractmethod
    def _detect(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return boxes (k, 4), scores (k,) and landmarks (k, 5, 2), in any order."""


def check_thresholds(**thresholds: float) -> None:
    """Reject thresholds outside [0, 1].

    Raises:
        ValueError: If one is outside; the message names it.
    """
    for name, value in thresholds.items():
        if not 0 <= value <= 1:
            raise ValueError(f'{name} must be in [0, 1], got {value}')
