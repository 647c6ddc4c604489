"""The cascade around MTCNN's networks, beside the one of the package they come from."""

import cv2
import numpy as np
import pytest
import torch

from mmanon.face_detectors import MTCNNFaceDetector, mtcnn_networks
from mmanon.face_detectors.mtcnn_networks import load_networks


@pytest.fixture
def photos(shared_data):
    paths = sorted((shared_data / 'faces/lfw10').glob('*/*_0001.jpg'))
    return [cv2.cvtColor(cv2.imread(str(one)), cv2.COLOR_BGR2RGB) for one in paths]


def test_it_finds_what_the_package_finds(photos):
    from facenet_pytorch import MTCNN

    theirs = MTCNN(min_face_size=20, keep_all=True).eval()
    ours = MTCNNFaceDetector(thresholds=(0.6, 0.7, 0.7))
    for photo in photos:
        boxes, scores, marks = theirs.detect(photo, landmarks=True)
        found = ours.detect(photo)
        surest = int(np.argmax(scores))
        assert np.abs(found.boxes[0] - boxes[surest]).max() < 6
        assert np.abs(found.landmarks[0] - marks[surest]).max() < 4
        assert found.scores[0] == pytest.approx(scores[surest], abs=0.01)


def test_onnx_runtime_and_pytorch_answer_alike(tmp_path, monkeypatch):
    pytest.importorskip('onnx')
    pytest.importorskip('onnxruntime')
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    fast = load_networks()
    files = sorted(one.name for one in tmp_path.rglob('*.*') if one.is_file())
    assert files == ['onet.onnx', 'pnet.onnx', 'rnet.onnx']
    monkeypatch.setattr(mtcnn_networks, 'find_spec', lambda _: None)
    slow = load_networks()
    rng = np.random.default_rng(0)
    for one, other, shape in zip(
        fast, slow, [(1, 50, 70, 3), (5, 24, 24, 3), (5, 48, 48, 3)], strict=True
    ):
        images = rng.integers(0, 256, shape, np.uint8)
        answers, expected = one(images), other(images)
        assert len(answers) == len(expected)
        for answer, wanted in zip(answers, expected, strict=True):
            np.testing.assert_allclose(answer, wanted, atol=1e-4)


def test_where_no_files_can_be_made_pytorch_does_the_work(
    tmp_path, monkeypatch, caplog
):
    (tmp_path / 'mmanon').write_text('in the way of a folder')
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    networks = load_networks()
    assert 'PyTorch runs MTCNN' in caplog.text
    assert networks[1](np.zeros((2, 24, 24, 3), np.uint8))[1].shape == (2, 2)


def test_candidates_in_any_number_are_looked_at(monkeypatch):
    detector = MTCNNFaceDetector(thresholds=(0.0, 0.0, 0.9))
    torch.set_num_threads(1)
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    assert detector.detect(noise).boxes.shape[1] == 4
