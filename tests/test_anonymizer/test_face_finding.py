import numpy as np
import pytest

from mmanon.anonymizer.face_finding import DetectedFaces, build_detector
from mmanon.face_detectors import BaseFaceDetector, CenterFaceDetector

IMAGE = np.zeros((100, 200, 3), np.uint8)


class Answering(BaseFaceDetector):
    def __init__(self, answer):
        self.answer = answer

    def _detect(self, image):
        return self.answer(image)


@pytest.mark.parametrize('wrong', ['raises', 'nan'])
def test_a_detector_that_fails_leaves_a_frame_unexamined(wrong, monkeypatch):
    said = []
    monkeypatch.setattr(
        'mmanon.anonymizer.face_finding.print_log',
        lambda words, **_: said.append(words),
    )

    def answer(image):
        if wrong == 'raises':
            raise IndexError('out of range')
        return np.array([[0, 0, 9, 9.0]]), np.array([np.nan]), np.zeros((1, 5, 2))

    find = DetectedFaces(Answering(answer)).open('a.mp4')
    assert not find(0, IMAGE).examined and not find(1, IMAGE).examined
    assert len(said) == 1 and 'covered whole' in said[0]


@pytest.fixture
def astronaut():
    return pytest.importorskip('skimage.data').astronaut()


def test_centerface_finds_faces_unless_another_is_named(astronaut):
    default = build_detector()
    assert type(default) is type(build_detector('centerface')) is CenterFaceDetector
    scores = DetectedFaces(default).open('a.png')(0, astronaut).scores
    assert len(scores) == 1 and scores[0] > 0.9


def test_the_thorough_search_sees_faces_under_coloured_light(astronaut):
    red = astronaut // 30
    red[..., 0] = 255
    scores = [
        DetectedFaces(build_detector(name)).open('a.png')(0, red).scores.max(initial=0)
        for name in ('centerface', 'thorough')
    ]
    assert scores[0] < 0.3 and scores[1] > 0.6


def test_large_pictures_are_searched_in_tiles_and_as_a_whole():
    shapes = []

    def answer(image):
        shapes.append(image.shape[:2])
        ys, xs = np.nonzero(image[..., 0])
        if not len(xs):
            return np.zeros((0, 4)), np.zeros(0), np.zeros((0, 5, 2))
        box = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
        return np.array([box]), np.ones(1), np.zeros((1, 5, 2))

    image = np.zeros((3000, 5000, 3), np.uint8)
    image[2900:2920, 4000:4030] = 255
    faces = DetectedFaces(Answering(answer)).open('a.png')(0, image)
    assert max(max(one) for one in shapes) <= 2048
    boxes = faces.boxes * [5000, 3000, 5000, 3000]
    assert len(boxes) >= 2 and np.abs(boxes - [4000, 2900, 4030, 2920]).max() < 4


def test_detectors_that_lack_something_are_refused():
    with pytest.raises(ValueError, match='needs its weights'):
        build_detector('yunet')
    for name in (None, 'centerface', 'mtcnn'):
        with pytest.raises(ValueError, match='has its own weights'):
            build_detector(name, 'a.onnx')
    with pytest.raises(ValueError, match='is called'):
        build_detector('haar')
