import cv2
import numpy as np
import pytest
import torch

from mmanon.face_detectors import BaseFaceDetector, MTCNNFaceDetector, YuNetFaceDetector
from mmanon.registry import MODELS


@pytest.fixture(scope='module', autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope='module')
def photo(shared_data):
    path = shared_data / 'faces/lfw10/Colin_Powell/Colin_Powell_0001.jpg'
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


@pytest.fixture(scope='module', params=['mtcnn', 'yunet'])
def detector(request):
    if request.param == 'mtcnn':
        return MODELS.build(dict(type='MTCNNFaceDetector'))
    shared_data = request.getfixturevalue('shared_data')
    weights = shared_data / 'weights/yunet_n_320_320.onnx'
    return MODELS.build(dict(type='YuNetFaceDetector', weights=str(weights)))


def test_one_face_is_found_with_landmarks_in_their_order(detector, photo):
    found = detector.detect(photo)
    assert len(found) == 1
    x1, y1, x2, y2 = found.boxes[0]
    assert 60 < x1 < 80 and 55 < y1 < 75 and 150 < x2 < 172 and 175 < y2 < 198
    assert found.scores[0] > 0.9
    left_eye, right_eye, nose, left_mouth, right_mouth = found.landmarks[0]
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < nose[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < left_mouth[1]
    assert (
        found.boxes.dtype == found.scores.dtype == found.landmarks.dtype == np.float32
    )


def test_a_mirrored_photograph_gives_mirrored_landmarks_in_the_same_order(
    detector, photo
):
    plain = detector.detect(photo)
    mirrored = detector.detect(np.ascontiguousarray(photo[:, ::-1]))
    back = mirrored.landmarks[0, [1, 0, 2, 4, 3]]
    back[:, 0] = photo.shape[1] - back[:, 0]
    assert np.abs(back - plain.landmarks[0]).max() < 6


def test_several_faces_come_with_the_surest_first(detector, photo):
    small = cv2.resize(photo, (125, 125), interpolation=cv2.INTER_AREA)
    canvas = np.full((270, 520, 3), 90, np.uint8)
    canvas[10:260, :250] = photo
    canvas[60:185, 300:425] = small
    found = detector.detect(canvas)
    assert len(found) == 2 and (np.diff(found.scores) <= 0).all()
    assert sorted(found.boxes[:, 0] > 260) == [False, True]


@pytest.mark.parametrize('shape', [(240, 320), (9, 5), (1, 1), (16, 220)])
def test_an_image_without_a_face_gives_empty_arrays(detector, shape):
    for _ in range(5):
        found = detector.detect(np.full((*shape, 3), 127, np.uint8))
        assert len(found) == 0
    assert found.boxes.shape == (0, 4) and found.landmarks.shape == (0, 5, 2)
    assert found.scores.shape == (0,)


@pytest.mark.filterwarnings('error')
def test_yunet_imagines_no_face_in_flat_images(shared_data):
    # OpenCV reads past its memory on tiny images, so only now and then: try many.
    weights = shared_data / 'weights/yunet_n_320_320.onnx'
    detector, rng = YuNetFaceDetector(weights), np.random.default_rng(0)
    for _ in range(100):
        shape = (rng.integers(8, 33), rng.integers(200, 400), 3)
        assert len(detector.detect(np.full(shape, 127, np.uint8))) == 0


def test_a_face_that_fills_a_large_image_is_found_whole(detector, photo):
    found = detector.detect(cv2.resize(photo, None, fx=6, fy=6))
    plain = detector.detect(photo)
    assert len(found) == 1
    assert np.abs(found.boxes / 6 - plain.boxes).max() < 12


def test_other_than_uint8_rgb_images_are_refused(detector):
    with pytest.raises(TypeError, match='uint8.*float32'):
        detector.detect(np.zeros((20, 20, 3), np.float32))
    with pytest.raises(TypeError, match='uint8.*Tensor'):
        detector.detect(torch.zeros(20, 20, 3, dtype=torch.uint8))
    for shape in [(20, 20), (20, 20, 4), (0, 20, 3), (1, 20, 20, 3)]:
        with pytest.raises(ValueError, match='shape'):
            detector.detect(np.zeros(shape, np.uint8))


def test_broken_boxes_are_left_out_and_the_rest_sorted():
    class Given(BaseFaceDetector):
        def _detect(self, image):
            boxes = [[5, 5, 3, 9], [0, 0, 2, 2], [np.nan, 0, 1, 1], [1, 1, 4, 4]]
            return boxes, [0.9, 0.2, 0.8, 0.7], np.zeros((4, 5, 2))

    found = Given().detect(np.zeros((9, 9, 3), np.uint8))
    np.testing.assert_array_equal(found.boxes, [[1, 1, 4, 4], [0, 0, 2, 2]])


def test_wrong_arguments_are_named(tmp_path):
    with pytest.raises(ValueError, match='min_face'):
        MTCNNFaceDetector(min_face=0)
    with pytest.raises(ValueError, match='thresholds'):
        MTCNNFaceDetector(thresholds=(0.5, 2, 0.1))
    with pytest.raises(FileNotFoundError, match='gone.onnx'):
        YuNetFaceDetector(tmp_path / 'gone.onnx')
    (tmp_path / 'not.onnx').write_text('not')
    with pytest.raises(ValueError, match='not.onnx'):
        YuNetFaceDetector(tmp_path / 'not.onnx')
    with pytest.raises(ValueError, match='score_threshold'):
        YuNetFaceDetector(tmp_path / 'not.onnx', score_threshold=2)
