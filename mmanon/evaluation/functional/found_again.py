"""Does a face detector find a redrawn face in the same place, with its landmarks?"""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mmanon.face_detectors import BaseFaceDetector, FaceDetections

__all__ = ['FoundAgain', 'find_again']

# Side in pixels of the crops in which the detector searches.
_SEARCHED_SIDE = 256
# Least intersection over union of two boxes in the same place.
_SAME_PLACE = 0.5


class FoundAgain(NamedTuple):
    """What a face detector finds of a face before and after the redrawing.

    Attributes:
        seen: Whether it finds the original; if not, the others have no meaning.
        found: Whether it finds the redrawn face in the same place.
        distance: Mean distance of the five landmarks, relative to the distance between
            the original's eyes; NaN if the redrawn face was not found.
    """

    seen: bool
    found: bool
    distance: float


def find_again(
    original: Tensor, modified: Tensor, detector: BaseFaceDetector
) -> list[FoundAgain]:
    """Search for faces in crops, and for the same faces in redrawn crops.

    Two boxes are in the same place if their IoU is at least 0.5.

    Args:
        original (Tensor): Crops with the face in the middle, (K, 3, S, S) in [-1, 1].
        modified (Tensor): The redrawn crops, (K, 3, S, S) in [-1, 1].
        detector (BaseFaceDetector): A detector; its threshold decides when a face
            counts as found.

    Returns:
        list[FoundAgain]: One for each face.
    """
    return [
        _compare(_search(before, detector), _search(after, detector))
        for before, after in zip(original, modified, strict=True)
    ]


def _search(face: Tensor, detector: BaseFaceDetector) -> FaceDetections:
    shown = F.interpolate(
        face[None].float().cpu(), size=_SEARCHED_SIDE, mode='bicubic', antialias=True
    )
    pixels = ((shown[0].clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return detector.detect(np.ascontiguousarray(pixels.permute(1, 2, 0).numpy()))


def _compare(before: FaceDetections, after: FaceDetections) -> FoundAgain:
    if not len(before):
        return FoundAgain(False, False, float('nan'))
    centres = (before.boxes[:, :2] + before.boxes[:, 2:]) / 2
    middle = int(np.abs(centres - _SEARCHED_SIDE / 2).sum(1).argmin())
    box, landmarks = before.boxes[middle], before.landmarks[middle]
    overlaps = _overlaps(box, after.boxes)
    if not len(overlaps) or overlaps.max() < _SAME_PLACE:
        return FoundAgain(True, False, float('nan'))
    moved = after.landmarks[int(overlaps.argmax())] - landmarks
    eyes = np.linalg.norm(landmarks[1] - landmarks[0])
    return FoundAgain(
        True, True, float(np.linalg.norm(moved, axis=1).mean() / max(eyes, 1.0))
    )


def _overlaps(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[2:], others[:, 2:])
    common = (high - low).clip(0).prod(1)
    whole = (box[2:] - box[:2]).prod() + (others[:, 2:] - others[:, :2]).prod(1)
    return common / (whole - common)
