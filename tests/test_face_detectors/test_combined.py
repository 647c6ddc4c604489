import numpy as np
import pytest

from mmanon.face_detectors import BaseFaceDetector, CombinedFaceDetector

MARKS = np.array([[2, 2], [6, 2], [4, 4], [2, 6], [6, 6]], np.float32)


class Brightest(BaseFaceDetector):
    """Finds the square of pixels that are 200 at least in every channel."""

    def __init__(self, score=0.9):
        self.score = score

    def _detect(self, image):
        ys, xs = np.nonzero((image >= 200).all(2))
        if not len(xs):
            return np.zeros((0, 4)), np.zeros(0), np.zeros((0, 5, 2))
        corner = np.array([xs.min(), ys.min()])
        box = [*corner, xs.max() + 1, ys.max() + 1]
        return np.array([box]), np.array([self.score]), (corner + MARKS)[None]


def image_with(colour, x=20):
    image = np.zeros((40, 60, 3), np.uint8)
    image[10:18, x : x + 8] = colour
    return image


def combined(*views, **kwargs):
    return CombinedFaceDetector([dict(detector=Brightest(), views=views)], **kwargs)


@pytest.mark.parametrize('channel', ['red', 'green', 'blue'])
def test_a_face_that_shows_in_one_colour_only_is_found(channel):
    colour = [250 * (one == channel) for one in ('red', 'green', 'blue')]
    assert len(combined('plain').detect(image_with(colour))) == 0
    found = combined('plain', 'red', 'green', 'blue').detect(image_with(colour))
    assert found.boxes.tolist() == [[20, 10, 28, 18]]


def test_what_is_found_in_a_mirror_is_turned_back():
    found = combined('mirrored').detect(image_with(250))
    assert found.boxes.tolist() == [[20, 10, 28, 18]]
    # Brightest puts its marks from the left corner of the mirrored square.
    assert found.landmarks[0].tolist() == [
        *([22, 12], [26, 12], [24, 14]),
        *([22, 16], [26, 16]),
    ]


@pytest.mark.parametrize(
    ('shape', 'shown'), [((40, 60), (80, 120)), ((480, 720), (640, 960))]
)
def test_what_is_found_in_a_larger_picture_is_where_it_was(shape, shown):
    class Seeing(Brightest):
        def _detect(self, image):
            seen.append(image.shape[:2])
            return super()._detect(image)

    image, seen = np.zeros((*shape, 3), np.uint8), []
    image[10:18, 20:28] = 250
    both = dict(detector=Seeing(), views=['enlarged'])
    found = CombinedFaceDetector([both]).detect(image)
    assert seen == [shown]
    assert np.abs(found.boxes - [20, 10, 28, 18]).max() <= 0.5
    assert np.abs(found.landmarks[0] - [20, 10]).min() > 0.9


def test_a_picture_that_is_large_is_not_enlarged():
    image = np.zeros((500, 960, 3), np.uint8)
    image[10:18, 20:28] = 250
    assert len(combined('enlarged').detect(image)) == 0
    assert len(combined('enlarged', 'plain').detect(image)) == 1


def test_a_face_found_twice_is_kept_once_as_the_surer_saw_it():
    both = [dict(detector=Brightest(score)) for score in (0.4, 0.8, 0.6)]
    found = CombinedFaceDetector(both).detect(image_with(250))
    assert found.scores.tolist() == [np.float32(0.8)]


def test_faces_of_different_places_are_all_kept():
    image = image_with([250, 0, 0], x=5)
    image += image_with([0, 250, 0], x=40)
    assert len(combined('red', 'green').detect(image)) == 2


def test_no_face_is_no_face():
    assert len(combined('plain', 'mirrored').detect(image_with(0))) == 0


@pytest.mark.parametrize(
    ('detectors', 'said'),
    [([], 'one face detector'), ([dict(detector=Brightest(), views=['x'])], "'x'")],
)
def test_what_makes_no_sense_is_refused(detectors, said):
    with pytest.raises(ValueError, match=said):
        CombinedFaceDetector(detectors)
