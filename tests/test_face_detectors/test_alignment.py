"""Faces onto the template."""

import math

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from mmanon.face_detectors import BaseFaceDetector, CenterFaceDetector
from mmanon.face_detectors.alignment import align_face, find_face
from mmanon.structures.landmark_template import TEMPLATE


def corners(size, margin, angle, scale, shift):
    """Landmarks of a template turned, scaled and shifted."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (TEMPLATE @ turn.T) * scale + shift


@pytest.mark.parametrize('margin, size', [(0.0, 112), (0.25, 168), (0.6, 64)])
@pytest.mark.parametrize('angle, scale', [(0.0, 1.0), (0.4, 0.7), (-0.8, 2.5)])
def test_landmarks_land_on_the_template(margin, size, angle, scale):
    image = np.zeros((500, 500, 3), np.uint8)
    marks = corners(size, margin, angle, scale, (170, 150))
    zoom = size / (112 * (1 + 2 * margin))
    expected = (TEMPLATE + 0.5 + 112 * margin) * zoom - 0.5
    for mark, place in zip(marks, expected, strict=True):
        spot = image.copy()
        cv2.circle(spot, tuple(np.rint(mark).astype(int).tolist()), 6, (255,) * 3, -1)
        face = align_face(spot, marks, size, margin)[..., 0].astype(float)
        weight = face / face.sum()
        y, x = np.mgrid[:size, :size]
        found = ((weight * x).sum(), (weight * y).sum())
        # Half a pixel of the photograph was rounded away.
        assert np.abs(found - place).max() < 0.75 * zoom / scale + 0.05


def test_a_face_as_the_template_is_cut_without_resampling():
    image = np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8)
    face = align_face(image, TEMPLATE, 112, 0.0)
    assert np.array_equal(face, image)


def test_beyond_the_photograph_its_edge_goes_on():
    image = np.full((112, 112, 3), 90, np.uint8)
    assert (align_face(image, TEMPLATE, 64, 1.0) == 90).all()


def test_a_large_face_is_averaged_into_a_small_crop():
    image = np.zeros((896, 896, 3), np.uint8)
    image[:, ::2] = 255
    face = align_face(image, TEMPLATE * 8, 32, 0.0)
    assert np.abs(face[:, 1:-1].astype(int) - 127).max() < 3


@pytest.mark.parametrize('margin, size', [(0.0, 112), (0.25, 168), (0.6, 32)])
@pytest.mark.parametrize('angle, scale', [(0.0, 1.0), (0.4, 0.7), (-2.8, 2.5)])
def test_it_draws_as_opencv_does(margin, size, angle, scale):
    image = astronaut()
    marks = corners(size, margin, angle, scale, (170, 100))
    face = align_face(image, marks, size, margin)
    # The least-squares similarity, its crop drawn so fine that no pixel is skipped.
    zoom = size / (112 * (1 + 2 * margin))
    finer = math.ceil(scale / zoom)
    target = ((TEMPLATE + 0.5 + 112 * margin) * zoom * finer - 0.5).astype(np.float32)
    matrix = cv2.getAffineTransform(marks[:3].astype(np.float32), target[:3])
    theirs = cv2.warpAffine(
        image,
        matrix,
        (size * finer, size * finer),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    theirs = cv2.resize(theirs, (size, size), interpolation=cv2.INTER_AREA)
    difference = np.abs(face.astype(int) - theirs)
    # Pillow leaves out fractions of a level, OpenCV of a place (1/32 of a pixel).
    assert np.percentile(difference, 99) <= 1 and difference.max() <= 3


class Given(BaseFaceDetector):
    """Finds faces that are given: the middle's x and y, and a side of each."""

    def __init__(self, *squares):
        self.squares = squares

    def _detect(self, image):
        marks = [
            np.array([x, y]) + (TEMPLATE / 112 - 0.5) * side
            for x, y, side in self.squares
        ]
        boxes = [
            [x - side / 2, y - side / 2, x + side / 2, y + side / 2]
            for x, y, side in self.squares
        ]
        return boxes, [0.9] * len(boxes), marks


def test_of_several_faces_the_central_and_large_one_is_taken():
    image = np.zeros((64, 64, 3), np.uint8)
    middle = find_face(image, Given((11, 11, 20), (53, 53, 18), (32, 32, 20)))
    assert middle.mean(0) == pytest.approx((32, 34), abs=3)
    larger = find_face(image, Given((23, 31, 30), (48, 34, 8)))
    assert larger.mean(0) == pytest.approx((23, 33), abs=3)
    assert find_face(image, Given()) is None


@pytest.mark.parametrize('degrees', [0, 25, -25])
def test_a_photographed_face_comes_to_stand_upright_on_the_template(degrees):
    detector = CenterFaceDetector()
    leaning = np.asarray(Image.fromarray(astronaut()).rotate(degrees))
    crop = align_face(leaning, find_face(leaning, detector), 224, 0.5)
    assert np.abs(find_face(crop, detector) - (TEMPLATE + 56)).max() < 8
