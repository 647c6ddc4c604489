from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .base import BaseFaceDetector
from .mtcnn_networks import Network, load_with_place
from .opencv import opencv

_CELL, _STRIDE = 12, 2  # of PNet, in pixels of its input
_SHRINK = 0.709  # each picture of the pyramid has half the pixels of the previous one
_MOST_AT_ONCE = 64  # crops in one batch of RNet or ONet


class MTCNNFaceDetector(BaseFaceDetector):
    """MTCNN, with the networks of facenet-pytorch and the weights in its wheel.

    Zhang et al., "Joint Face Detection and Alignment using Multi-task Cascaded
    Convolutional Networks", 2016. PNet proposes boxes everywhere in a pyramid of
    pictures; RNet and ONet then confirm or reject each box and correct it.

    The cascade around the networks is not that of facenet-pytorch, for speed: a picture
    of 720x480 takes about 25 ms of one processor core instead of 160. The boxes are the
    same within a pixel or two.

    Args:
        min_face: Side in pixels of the smallest face to find. The time grows with its
            inverse square.
        thresholds: The minimum scores, in [0, 1], of a face in the three stages.
        device: Torch device of the networks, such as ``'cuda:0'``. They run on the CPU
            if PyTorch cannot use it; see :attr:`places`.

    Raises:
        ImportError: If OpenCV or facenet-pytorch is not installed.
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
        opencv(type(self).__name__)
        self.min_face, self.thresholds = min_face, tuple(thresholds)
        (self._pnet, self._rnet, self._onet), place = load_with_place(device)
        self.places = (place,)
        self.parallel = place.device == 'cpu'

    def _detect(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        # The pyramid is empty if a side is smaller than the smallest face: pad such an
        # image by repeating its border.
        h, w = image.shape[:2]
        short = [max(0, self.min_face + 1 - side) for side in (h, w)]
        if any(short):
            import cv2

            image = cv2.copyMakeBorder(
                image, 0, short[0], 0, short[1], cv2.BORDER_REPLICATE
            )
        boxes = self._refine(image, self._propose(image))
        return self._locate(image, boxes)

    def _propose(self, image: np.ndarray) -> np.ndarray:
        """Square boxes (k, 4) in which PNet finds a face."""
        import cv2

        height, width = image.shape[:2]
        scale = _CELL / self.min_face
        with np.errstate(divide='ignore'):
            least = np.log(self.thresholds[0]) - np.log1p(-self.thresholds[0])
        boxes, scores, moves = [np.zeros((0, 4))], [np.zeros(0)], [np.zeros((0, 4))]
        while min(height, width) * scale >= _CELL:
            size = int(width * scale + 1), int(height * scale + 1)
            # Each size is made from the previous one, not from the whole picture.
            image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
            move, (none, one) = (answer[0] for answer in self._pnet(image[None]))
            rows, columns = np.nonzero(one - none >= least)
            corner = _STRIDE * np.stack([columns, rows, columns, rows], 1) + 1
            found = np.floor((corner + [0, 0, _CELL - 1, _CELL - 1]) / scale)
            some = 1 / (1 + np.exp((none - one)[rows, columns]))
            kept = _suppress(found, some, 0.5)
            boxes.append(found[kept])
            scores.append(some[kept])
            moves.append(move[:, rows, columns].T[kept])
            scale *= _SHRINK
        found, some = np.concatenate(boxes), np.concatenate(scores)
        move = np.concatenate(moves)
        kept = _suppress(found, some, 0.7)
        return _square(_moved(found[kept], move[kept], 0))

    def _refine(self, image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """The boxes in which RNet finds a face, corrected, (k, 4)."""
        boxes, crops = _cut_out(image, boxes, 24)
        move, score = _in_parts(self._rnet, crops)
        sure = score[:, 1] > self.thresholds[1]
        boxes, move, score = boxes[sure], move[sure], score[sure, 1]
        kept = _suppress(boxes, score, 0.7)
        return _square(_moved(boxes[kept], move[kept], 1))

    def _locate(
        self, image: np.ndarray, boxes: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Boxes, scores and landmarks of the faces that ONet finds."""
        boxes, crops = _cut_out(image, boxes, 48)
        if not len(boxes):
            return np.zeros((0, 4)), np.zeros(0), np.zeros((0, 5, 2))
        move, points, score = _in_parts(self._onet, crops)
        sure = score[:, 1] > self.thresholds[2]
        boxes, move, score = boxes[sure], move[sure], score[sure, 1]
        corner, side = boxes[:, None, :2], boxes[:, None, 2:] - boxes[:, None, :2] + 1
        marks = points[sure].reshape(-1, 2, 5).swapaxes(1, 2) * side + corner - 1
        boxes = _moved(boxes, move, 1)
        kept = _leave_parts_out(boxes, score, 0.7)
        return boxes[kept], score[kept], marks[kept]


def _in_parts(network: Network, crops: np.ndarray) -> tuple[np.ndarray, ...]:
    """A network's outputs for any number of crops, in bounded memory."""
    if not len(crops):
        return np.zeros((0, 4)), np.zeros((0, 2))
    parts = [
        network(crops[start : start + _MOST_AT_ONCE])
        for start in range(0, len(crops), _MOST_AT_ONCE)
    ]
    return tuple(np.concatenate(one) for one in zip(*parts, strict=True))


def _cut_out(
    image: np.ndarray, boxes: np.ndarray, side: int
) -> tuple[np.ndarray, np.ndarray]:
    """The boxes that overlap the image, and their crops, uint8 (k, side, side, 3)."""
    import cv2

    height, width = image.shape[:2]
    low = np.trunc(boxes[:, :2]).astype(int).clip(1) - 1
    high = np.minimum(np.trunc(boxes[:, 2:]).astype(int), (width, height))
    inside = (high > low).all(1)
    crops = np.empty((int(inside.sum()), side, side, 3), np.uint8)
    for place, (x1, y1), (x2, y2) in zip(
        range(len(crops)), low[inside], high[inside], strict=True
    ):
        part = image[y1:y2, x1:x2]
        cv2.resize(part, (side, side), dst=crops[place], interpolation=cv2.INTER_AREA)
    return boxes[inside], crops


def _moved(boxes: np.ndarray, moves: np.ndarray, more: int) -> np.ndarray:
    """Boxes with each coordinate moved by a fraction of their width or height."""
    return boxes + moves * np.tile(boxes[:, 2:] - boxes[:, :2] + more, 2)


def _square(boxes: np.ndarray) -> np.ndarray:
    """Squares with the side of the boxes' longer side, around the same centres."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(1, keepdims=True, initial=0) / 2
    return np.concatenate([centre - half, centre + half], 1)


def _suppress(boxes: np.ndarray, scores: np.ndarray, overlap: float) -> np.ndarray:
    """Indices of the boxes to keep (greedy NMS by IoU, ``overlap`` in [0, 1])."""
    import cv2

    if not len(boxes):
        return np.zeros(0, int)
    corner_and_size = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1)
    kept = cv2.dnn.NMSBoxes(corner_and_size.tolist(), scores.tolist(), 0.0, overlap)
    return np.asarray(kept, int).reshape(-1)


def _leave_parts_out(
    boxes: np.ndarray, scores: np.ndarray, overlap: float
) -> np.ndarray:
    """Indices of the boxes to keep (NMS by intersection over the smaller area)."""
    kept: list[int] = []
    area = (boxes[:, 2:] - boxes[:, :2] + 1).prod(1)
    for one in np.argsort(-scores, kind='stable'):
        low = np.maximum(boxes[one, :2], boxes[kept, :2])
        high = np.minimum(boxes[one, 2:], boxes[kept, 2:])
        shared = (high - low + 1).clip(0).prod(1)
        if not (shared > overlap * np.minimum(area[one], area[kept])).any():
            kept.append(one)
    return np.asarray(kept, int)
