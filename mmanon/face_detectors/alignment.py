"""Align photographed faces: rotate, scale and shift them onto one template."""

from __future__ import annotations

import math

import numpy as np

from mmanon.structures.landmark_template import TEMPLATE, TEMPLATE_SIDE

from .base import BaseFaceDetector

__all__ = ['align_face', 'find_face']


def find_face(image: np.ndarray, detector: BaseFaceDetector) -> np.ndarray | None:
    """Find the main face of a photograph.

    Of several faces, this is the one with the largest value of: area of its box minus
    twice the squared distance of the box's centre from the image's centre.

    Args:
        image: uint8 (H, W, 3) RGB.
        detector: The face detector.

    Returns:
        The landmarks of the face in pixels, (5, 2); None if there is no face.
    """
    found = detector.detect(image)
    boxes = np.asarray(found.boxes, np.float64)
    marks = np.asarray(found.landmarks, np.float64)
    spread = marks.std(1).max(1, initial=0) if len(marks) else np.zeros(0)
    whole = np.isfinite(marks).all((1, 2)) & (spread > 0)
    boxes, marks = boxes[whole], marks[whole]
    if not len(boxes):
        return None
    height, width = image.shape[:2]
    away = (boxes[:, :2] + boxes[:, 2:]) / 2 - (width / 2, height / 2)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return marks[np.argmax(area - 2 * (away**2).sum(1))]


def align_face(
    image: np.ndarray, landmarks: np.ndarray, size: int, margin: float
) -> np.ndarray:
    """Cut out a face, rotated, scaled and shifted onto ArcFace's five points.

    The face box is the template's square with a side of 112; the crop shows this box
    enlarged by the margin. Beyond the photograph's edge, the nearest pixel is repeated.

    Args:
        image: uint8 (H, W, 3).
        landmarks: In pixels of the image, (5, 2): left eye, right eye, nose, left and
            right corner of the mouth; left and right as in the image.
        size: S, side of the crop in pixels.
        margin: The box is enlarged on each side by this fraction of its side.

    Returns:
        uint8 (S, S, 3).
    """
    from PIL import Image

    # In complex numbers, a similarity is z -> a z + b, and the least-squares solution
    # is one division.
    source = landmarks[:, 0] + 1j * landmarks[:, 1]
    target = TEMPLATE[:, 0] + 1j * TEMPLATE[:, 1]
    spread = source - source.mean()
    a = np.vdot(spread, target - target.mean()) / np.vdot(spread, spread).real
    b = target.mean() - a * source.mean()
    zoom = size / (TEMPLATE_SIDE * (1 + 2 * margin))
    # To shrink without skipping pixels, draw a larger crop first and then average it.
    finer = math.ceil(1 / (abs(a) * zoom))
    # From positions in that crop back to positions in the photograph; the centre of a
    # pixel is half a pixel from its corner.
    half = 0.5 + 0.5j
    back = 1 / (a * zoom * finer)
    shift = half - (b + half + TEMPLATE_SIDE * margin * (1 + 1j)) / a
    side = size * finer
    corners = back * np.array([0, side, 1j * side, (1 + 1j) * side]) + shift
    part, (left, top) = _around(image, corners)
    shift -= left + 1j * top
    face = Image.fromarray(part).transform(
        (side, side),
        Image.Transform.AFFINE,
        (back.real, -back.imag, shift.real, back.imag, back.real, shift.imag),
        Image.Resampling.BILINEAR,
    )
    return np.array(face.reduce(finer) if finer > 1 else face)


def _around(
    image: np.ndarray, places: np.ndarray
) -> tuple[np.ndarray, tuple[int, int]]:
    """The part of an image around some points, with repeated edges, and its corner."""
    starts = []
    for axis, one in enumerate((places.imag, places.real)):
        low, high = math.floor(one.min()) - 2, math.ceil(one.max()) + 2
        starts.append(low)
        side = image.shape[axis]
        if low >= 0 and high <= side:
            image = image[(slice(None),) * axis + (slice(low, high),)]
        else:
            image = image.take(np.arange(low, high).clip(0, side - 1), axis)
    return np.ascontiguousarray(image), (starts[1], starts[0])
