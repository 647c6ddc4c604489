"""A face detector of one's own: OpenCV's cascade of Haar features."""

from pathlib import Path

import cv2
import numpy as np

from mmanon.face_detectors import BaseFaceDetector
from mmanon.registry import MODELS

# Where eyes, nose and the mouth's corners are in its boxes, roughly: it does not look.
_LANDMARKS = np.array([(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.78), (0.65, 0.78)])


@MODELS.register_module()
class HaarFaceDetector(BaseFaceDetector):
    """Viola and Jones, CVPR 2001; upright frontal faces.

    Args:
        neighbours (int): Boxes that must agree on a face. Defaults to 4.
    """

    def __init__(self, neighbours: int = 4) -> None:
        folder = Path(cv2.__file__).parent / 'data'
        path = folder / 'haarcascade_frontalface_default.xml'
        self._cascade = cv2.CascadeClassifier(str(path))
        self.neighbours = neighbours

    def _detect(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        found, _, weights = self._cascade.detectMultiScale3(
            grey, minNeighbors=self.neighbours, outputRejectLevels=True
        )
        places = np.asarray(found, np.float32).reshape(-1, 4)
        corners, sides = places[:, :2], places[:, 2:]
        boxes = np.concatenate([corners, corners + sides], 1)
        scores = 1 / (1 + np.exp(-np.asarray(weights, np.float32).reshape(-1)))
        return boxes, scores, corners[:, None] + sides[:, None] * _LANDMARKS
