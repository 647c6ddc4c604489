from pathlib import Path

import numpy as np
import pytest
from blue_plates import HEIGHT, WIDTH, picture_with_plate, write_detector

import mmanon.shipped
from mmanon.face_detectors import OnnxBoxDetector

PLATE = [60, 48, 60 + WIDTH, 48 + HEIGHT]


@pytest.mark.parametrize('rows', [True, False])
def test_what_the_file_finds_comes_in_pixels_of_the_picture(tmp_path, rows):
    detector = OnnxBoxDetector(write_detector(tmp_path / 'a.onnx', rows=rows))
    found = detector.detect(picture_with_plate(0))
    assert found.boxes.tolist() == [PLATE]
    assert found.scores == pytest.approx([0.9])
    assert np.isnan(found.landmarks).all()
    assert not len(detector.detect(np.full((70, 50, 3), 90, np.uint8)))


@pytest.mark.parametrize('size', [(320, 320), (64, 192)])
def test_a_picture_is_fitted_into_an_input_of_fixed_size(tmp_path, size):
    detector = OnnxBoxDetector(write_detector(tmp_path / 'a.onnx', size))
    (box,) = detector.detect(picture_with_plate(0)).boxes
    assert np.abs(box - PLATE).max() <= 1


def test_what_is_less_sure_is_left_out(tmp_path):
    file = write_detector(tmp_path / 'a.onnx')
    assert not len(OnnxBoxDetector(file, 0.95).detect(picture_with_plate(0)))


def test_other_files_are_refused_in_one_sentence(tmp_path):
    with pytest.raises(FileNotFoundError, match='gone.onnx does not exist'):
        OnnxBoxDetector(tmp_path / 'gone.onnx')
    (tmp_path / 'text.onnx').write_text('no network')
    with pytest.raises(ValueError, match=r'text.onnx cannot be read as an ONNX file'):
        OnnxBoxDetector(tmp_path / 'text.onnx')
    modifier = Path(mmanon.shipped.__file__).with_name('new_head.onnx')
    with pytest.raises(ValueError, match='must (have one input|return rows)'):
        OnnxBoxDetector(modifier)
