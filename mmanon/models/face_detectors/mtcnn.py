from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from mmanon.registry import MODELS

from .base import BaseFaceDetector


@MODELS.register_module()
class MTCNNFaceDetector(BaseFaceDetector):
    """MTCNN of facenet-pytorch, with the weights that come in its wheel.

    Zhang et al., "Joint Face Detection and Alignment using Multi-task Cascaded
    Convolutional Networks", 2016.

    Args:
        min_face: Side in pixels of the smallest face looked for; small values cost
            time (it grows with the inverse square).
        thresholds: The scores in [0, 1] a face must pass in the three stages.
        device: Torch device the networks run on, such as ``'cuda:0'``.

    Raises:
        ValueError: If an argument is out of its range.
    """

    def __init__(
        self,
        min_face: int = 20,
        thresholds: Sequence[float] = (0.6, 0.7, 0.7),
        device: str = 'cpu',
    ) -> None:
        if min_face < 1:
            raise ValueError(f'min_face must be at least 1 pixel, got {min_face}')
        if len(thresholds) != 3 or not all(0 <= t <= 1 for t in thresholds):
            raise ValueError(
                f'thresholds must be three numbers in [0, 1], got {thresholds}'
            )
        import torch
        from facenet_pytorch import MTCNN

        self.min_face = min_face
        self._mtcnn = MTCNN(
            min_face_size=min_face,
            thresholds=list(thresholds),
            keep_all=True,
            device=torch.device(device),
        ).eval()

    def _detect(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        # The networks' pyramid is empty, and their code fails, when a side is below
        # the smallest face: lengthen such an image by its own border.
        h, w = image.shape[:2]
        short = [max(0, self.min_face + 1 - side) for side in (h, w)]
        if any(short):
            image = cv2.copyMakeBorder(
                image, 0, short[0], 0, short[1], cv2.BORDER_REPLICATE
            )
        # One image a call: for several, the package builds arrays of unequal lengths
        # that numpy refuses.
        boxes, scores, landmarks = self._mtcnn.detect(image, landmarks=True)
        if boxes is None:
            return np.zeros((0, 4)), np.zeros(0), np.zeros((0, 5, 2))
        return boxes, scores, landmarks
