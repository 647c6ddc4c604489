from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from mmanon.registry import MODELS

from .base import BaseFaceDetector

# Longer side, in pixels, of an image in which no face is too large for the network.
_COARSEST_SIDE = 640
_LARGEST_FACE = 300
# On images of 32 pixels or less OpenCV 4.11 now and then returns faces that are not
# there, of score 1 and different from call to call.
_SMALLEST_SIDE = 64


@MODELS.register_module()
class YuNetFaceDetector(BaseFaceDetector):
    """YuNet run by OpenCV: many times faster than MTCNN on a processor.

    Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", 2023.

    Args:
        weights: The network's ONNX file (``face_detection_yunet_2023mar.onnx`` of
            OpenCV's model zoo).
        score_threshold: Faces below this confidence, in [0, 1], are left out.
        nms_threshold: Overlap (IoU), in [0, 1], above which the weaker of two boxes
            is left out.

    Raises:
        FileNotFoundError: If ``weights`` does not exist.
        ValueError: If ``weights`` cannot be read or a threshold is out of its range.
    """

    def __init__(
        self,
        weights: str | Path,
        score_threshold: float = 0.6,
        nms_threshold: float = 0.3,
    ) -> None:
        for name, value in (
            ('score_threshold', score_threshold),
            ('nms_threshold', nms_threshold),
        ):
            if not 0 <= value <= 1:
                raise ValueError(f'{name} must be in [0, 1], got {value}')
        if not Path(weights).is_file():
            raise FileNotFoundError(
                f'YuNet weights {weights} do not exist; download '
                'face_detection_yunet_2023mar.onnx from the opencv_zoo repository and '
                'name it by `weights`'
            )
        self._nms_threshold = nms_threshold
        try:
            self._yunet = cv2.FaceDetectorYN.create(
                str(weights), '', (320, 320), score_threshold, nms_threshold, 5000
            )
        except cv2.error as error:
            raise ValueError(
                f'OpenCV {cv2.__version__} cannot read {weights} as YuNet ({error}); '
                'use face_detection_yunet_2023mar.onnx'
            ) from error

    def _detect(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        # YuNet finds faces of some 10 to 300 pixels and breaks larger ones in parts:
        # look for those in smaller copies of the image.
        found = []
        scale = 1.0
        while True:
            faces = self._detect_at(image, scale)
            coarsest = max(image.shape[:2]) * scale <= _COARSEST_SIDE
            if not coarsest:
                faces = faces[faces[:, 2:4].max(1) * scale <= _LARGEST_FACE]
            found.insert(0, faces)
            if coarsest:
                break
            scale /= 2
        faces = _drop_parts(np.concatenate(found), len(found[0]), self._nms_threshold)
        boxes = faces[:, :4].copy()
        boxes[:, 2:] += boxes[:, :2]
        # "right" in OpenCV's list is the person's right: it is on the image's left.
        return boxes, faces[:, 14], faces[:, 4:14].reshape(-1, 5, 2)

    def _detect_at(self, image: np.ndarray, scale: float) -> np.ndarray:
        """Rows (k, 15) of OpenCV, in pixels of ``image``, found at ``scale``."""
        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        if scale != 1:
            bgr = cv2.resize(
                bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
            )
        h, w = bgr.shape[:2]
        short = [max(0, _SMALLEST_SIDE - side) for side in (h, w)]
        bgr = cv2.copyMakeBorder(bgr, 0, short[0], 0, short[1], cv2.BORDER_REPLICATE)
        self._yunet.setInputSize((w + short[1], h + short[0]))
        _, faces = self._yunet.detect(bgr)
        if faces is None:
            return np.zeros((0, 15), np.float32)
        faces[:, 0:14:2] *= image.shape[1] / w
        faces[:, 1:14:2] *= image.shape[0] / h
        return faces


def _drop_parts(faces: np.ndarray, sure: int, threshold: float) -> np.ndarray:
    """Drop from rows ``sure`` on what repeats, or lies mostly in, a row kept before.

    Args:
        faces: Rows (k, 15) that begin with x, y, width, height; coarse scales first.
        sure: How many rows of the coarsest scale lead the list; they are kept.
        threshold: IoU above which a row repeats another.
    """
    kept = list(range(sure))
    for i in range(sure, len(faces)):
        x, y, w, h = faces[i, :4]
        px, py, pw, ph = faces[kept, :4].T
        overlap = np.clip(np.minimum(x + w, px + pw) - np.maximum(x, px), 0, None)
        overlap *= np.clip(np.minimum(y + h, py + ph) - np.maximum(y, py), 0, None)
        iou = overlap / (w * h + pw * ph - overlap)
        if not ((iou > threshold) | (overlap > 0.6 * w * h)).any():
            kept.append(i)
    return faces[kept]
