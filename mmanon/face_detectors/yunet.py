from __future__ import annotations

from pathlib import Path

import numpy as np

from mmanon.utils.devices import Place

from .base import BaseFaceDetector, check_thresholds
from .opencv import opencv
from .suppression import drop_parts

# Longer side, in pixels, of an image in which no face is too large for the network.
_COARSEST_SIDE = 640
_LARGEST_FACE = 300
# On images of 32 pixels or less, OpenCV 4.11 sometimes returns faces that do not exist,
# with a score of 1 and different from call to call.
_SMALLEST_SIDE = 64


class YuNetFaceDetector(BaseFaceDetector):
    """YuNet, run by OpenCV: on a CPU it is many times faster than MTCNN.

    Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", 2023.

    Args:
        weights: The network's ONNX file (``face_detection_yunet_2023mar.onnx`` of
            OpenCV's model zoo).
        score_threshold: Faces below this score, in [0, 1], are dropped.
        nms_threshold: If two boxes overlap by more than this IoU, in [0, 1], the one
            with the lower score is dropped.
        device: OpenCV's builds for pip support only the CPU, so it always runs there;
            :attr:`places` reports that if another device is requested.

    Raises:
        ImportError: If OpenCV is not installed.
        FileNotFoundError: If ``weights`` does not exist.
        ValueError: If ``weights`` cannot be read or a threshold is out of its range.
    """

    def __init__(
        self,
        weights: str | Path,
        score_threshold: float = 0.6,
        nms_threshold: float = 0.3,
        device: str = 'cpu',
    ) -> None:
        check_thresholds(score_threshold=score_threshold, nms_threshold=nms_threshold)
        if not Path(weights).is_file():
            raise FileNotFoundError(
                f'YuNet weights {weights} do not exist; download '
                'face_detection_yunet_2023mar.onnx from the opencv_zoo repository and '
                'give its path as `weights`'
            )
        cv2 = opencv(type(self).__name__)
        self._nms_threshold = nms_threshold
        missing = None if device == 'cpu' else 'OpenCV runs YuNet on the CPU only'
        self.places = (Place('cpu', 'OpenCV', missing),)
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
        # YuNet finds faces of about 10 to 300 pixels and breaks larger ones into parts:
        # search for those in smaller copies of the image.
        found = []
        scale = 1.0
        while True:
            found.append(self._detect_at(image, scale))
            if max(image.shape[:2]) * scale <= _COARSEST_SIDE:
                break
            faces = found[-1]
            found[-1] = faces[faces[:, 2:4].max(1) * scale <= _LARGEST_FACE]
            scale /= 2
        faces = found.pop()
        while found:
            finer = found.pop()
            stay = drop_parts(_boxes(finer), _boxes(faces), self._nms_threshold)
            faces = np.concatenate([faces, finer[stay]])
        # "right" in OpenCV's list is the person's right, which is the image's left.
        return _boxes(faces), faces[:, 14], faces[:, 4:14].reshape(-1, 5, 2)

    def _detect_at(self, image: np.ndarray, scale: float) -> np.ndarray:
        """Rows (k, 15) of OpenCV, in pixels of ``image``, found at ``scale``."""
        import cv2

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


def _boxes(faces: np.ndarray) -> np.ndarray:
    """Boxes (k, 4) of OpenCV's rows, which begin with x, y, width, height."""
    return np.concatenate([faces[:, :2], faces[:, :2] + faces[:, 2:4]], 1)
