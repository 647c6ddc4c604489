import pytest

from mmanon.face_detectors.named import named_detector

CENTERFACE = dict(type='mmanon.CenterFaceDetector')
YUNET = dict(type='mmanon.YuNetFaceDetector', weights='x.onnx')


def test_a_name_is_a_config():
    assert named_detector('centerface') == CENTERFACE
    assert named_detector('yunet', 'x.onnx') == YUNET
    assert named_detector('mtcnn', device='cuda') == dict(
        type='mmanon.MTCNNFaceDetector', device='cuda'
    )


def test_a_score_is_what_each_detector_calls_it():
    assert named_detector('centerface', score=0.5)['score_threshold'] == 0.5
    assert named_detector('yunet', 'x.onnx', score=0.5)['score_threshold'] == 0.5
    assert named_detector('mtcnn', score=0.5)['thresholds'] == (0.6, 0.7, 0.5)


def test_thorough_looks_several_times():
    [alone] = named_detector('thorough')['detectors']
    assert alone['detector'] == CENTERFACE and 'mirrored' in alone['views']
    both = named_detector('thorough', 'x.onnx')['detectors']
    assert [one['detector'] for one in both] == [CENTERFACE, YUNET]


def test_wrong_names_and_weights_are_refused():
    with pytest.raises(ValueError, match="no face detector is called 'haar': there"):
        named_detector('haar')
    for name in ('centerface', 'mtcnn'):
        with pytest.raises(ValueError, match=f'{name}.* has its own weights'):
            named_detector(name, 'x.onnx')
    with pytest.raises(ValueError, match="'yunet' needs its weights"):
        named_detector('yunet')
