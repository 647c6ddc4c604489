import sys

import numpy as np
import pytest

from mmanon.anonymizer.recognizer import build_recognizer, embed_face

MARKS = np.array([[20, 20], [40, 20], [30, 30], [22, 42], [38, 42]], float)


def test_without_pytorch_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, 'torch', None)
    with pytest.raises(ImportError, match=r'a recognizer needs .*mmanon\[train\]'):
        build_recognizer('any.pt')


def test_a_recognizer_without_weights_is_refused():
    pytest.importorskip('torch', reason='recognizers are networks of PyTorch')
    backbone = dict(type='mmanon.MobileFaceNet')
    with pytest.raises(ValueError, match='no weights'):
        build_recognizer(dict(type='mmanon.FaceClassifier', backbone=backbone))


def test_weights_that_are_none_are_told_with_their_file(tmp_path):
    pytest.importorskip('torch', reason='recognizers are networks of PyTorch')
    with pytest.raises(FileNotFoundError, match='nowhere.pt'):
        build_recognizer(tmp_path / 'nowhere.pt')
    (tmp_path / 'text.pt').write_text('Dear Eve, ' * 100)
    with pytest.raises(ValueError, match='text.pt'):
        build_recognizer(tmp_path / 'text.pt')


def test_a_face_becomes_a_vector_of_length_1_whatever_its_size():
    torch = pytest.importorskip('torch', reason='recognizers are networks of PyTorch')

    class Colours(torch.nn.Module):
        margin = 0.5

        def __init__(self):
            super().__init__()
            self.backbone = torch.nn.Module()
            self.backbone.input_size = (32, 32)

        def embed(self, faces):
            assert faces.shape == (1, 3, 64, 64)
            return faces.mean((2, 3))

    red = np.full((60, 60, 3), (250, 10, 10), np.uint8)
    vector = embed_face(Colours(), red, MARKS)
    assert np.linalg.norm(vector) == pytest.approx(1)
    assert vector[0] > 0.5 and (vector[1:] < -0.5).all()
    large = np.repeat(np.repeat(red, 3, 0), 3, 1)
    assert np.allclose(embed_face(Colours(), large, 3 * MARKS), vector, atol=1e-3)
