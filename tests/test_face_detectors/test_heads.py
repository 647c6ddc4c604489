import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from mmanon.anonymizer import AnonymizerInferencer, DetectionOptions
from mmanon.cli.anonymize_arguments import parse_args
from mmanon.face_detectors import BaseFaceDetector, HeadDetector


class Given(BaseFaceDetector):
    """Finds the faces that it is given."""

    def __init__(self, *boxes, score=0.9):
        self.boxes, self.score = np.reshape(boxes, (-1, 4)), score

    def _detect(self, image):
        count = len(self.boxes)
        return self.boxes, np.full(count, self.score), np.zeros((count, 5, 2))


def detector_of(path, rows, labels=False):
    """A network that answers the same of every picture of 64 x 64: ``rows``."""
    picture = helper.make_tensor_value_info('image', TensorProto.FLOAT, [1, 3, 64, 64])
    parts = {'rows': np.array([rows], np.float32)}
    if labels:
        boxes = np.array(rows, np.float32)
        parts = dict(boxes=boxes[:, :4], scores=boxes[:, 4], labels=boxes[:, 5])
    nodes = [
        helper.make_node('ReduceSum', ['image'], ['sum'], keepdims=0),
        helper.make_node('Mul', ['sum', 'null'], ['zero']),
    ]
    known = [helper.make_tensor('null', TensorProto.FLOAT, [], [0.0])]
    outputs = []
    for name, part in parts.items():
        nodes.append(helper.make_node('Add', [f'{name}_', 'zero'], [name]))
        flat = part.ravel()
        known.append(
            helper.make_tensor(f'{name}_', TensorProto.FLOAT, part.shape, flat)
        )
        outputs.append(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, part.shape)
        )
    graph = helper.make_graph(nodes, 'g', [picture], outputs, known)
    opset = [helper.make_opsetid('', 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))
    return path


# Somebody who stands, in the input of 64 x 64, and a dog.
PERSON, DOG = [8, 0, 24, 32, 0.81, 0], [40, 30, 60, 50, 0.9, 16]


@pytest.mark.parametrize('labels', [False, True])
def test_a_head_is_the_upper_middle_of_a_body(tmp_path, labels):
    rows = [[*row[:5], row[5] + labels] for row in (PERSON, DOG)]
    people = detector_of(tmp_path / 'p.onnx', rows, labels)
    found = HeadDetector(Given(), people).detect(np.zeros((128, 128, 3), np.uint8))
    # The body is 32 wide and 64 high in the picture of 128, around (32, 32).
    (head,), (score,) = found.boxes, found.scores
    assert score == pytest.approx(0.81, abs=1e-4)
    assert head[[0, 2]].mean() == pytest.approx(32) and head[1] == pytest.approx(0)
    assert 0.13 < (head[3] - head[1]) / 64 < 0.2
    assert np.isnan(found.landmarks).all()


@pytest.mark.parametrize('score, count', [(0.9, 1), (0.4, 2)])
def test_a_head_with_a_sure_face_is_left_to_the_face(tmp_path, score, count):
    people = detector_of(tmp_path / 'p.onnx', [PERSON])
    detector = HeadDetector(Given(30, 3, 34, 8, score=score), people)
    found = detector.detect(np.zeros((128, 128, 3), np.uint8))
    assert len(found) == count and [30, 3, 34, 8] in found.boxes.tolist()


def test_bodies_are_found_without_a_network():
    body = np.full((480, 320, 3), 220, np.uint8)
    y, x = np.mgrid[:480, :320]
    dark = (((x - 160) / 22) ** 2 + ((y - 120) / 28) ** 2 < 1) | (
        (abs(x - 160) < 42) & (abs(y - 215) < 65)
    )
    dark |= (abs(abs(x - 160) - 22) < 17) & (y >= 275) & (y < 410)
    body[dark] = 60
    found = HeadDetector(Given()).detect(body)
    middles = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    assert len(found) and np.abs(middles - [160, 120]).max(1).min() < 25
    empty = HeadDetector(Given()).detect(np.full((480, 320, 3), 220, np.uint8))
    assert len(empty) == 0


def test_pictures_smaller_than_the_window_have_no_heads():
    assert len(HeadDetector(Given()).detect(np.zeros((900, 5, 3), np.uint8))) == 0


def test_files_that_are_no_person_detector_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match='gone.onnx does not exist'):
        HeadDetector(Given(), tmp_path / 'gone.onnx')
    (tmp_path / 'text.onnx').write_text('no network')
    with pytest.raises(ValueError, match='cannot be read as an ONNX file'):
        HeadDetector(Given(), tmp_path / 'text.onnx')
    odd = detector_of(tmp_path / 'odd.onnx', [[1, 2, 3]])
    with pytest.raises(ValueError, match='must return rows'):
        HeadDetector(Given(), odd)


def test_the_command_and_the_options_know_heads():
    assert parse_args(['in.mp4', '-o', 'out']).heads is None
    assert parse_args(['--heads', 'in.mp4', '-o', 'out']).heads is True
    assert parse_args(['--heads-by', 'p.onnx', 'in.mp4', '-o', 'o']).heads == 'p.onnx'
    with pytest.raises(ValueError, match='heads need a detector'):
        DetectionOptions(boxes='a.json', heads=True)


def test_heads_are_masked_in_a_picture(tmp_path):
    people = detector_of(tmp_path / 'p.onnx', [PERSON])
    picture = np.random.default_rng(0).integers(90, 160, (128, 128, 3), np.uint8)
    anonymize = AnonymizerInferencer('green', detection=DetectionOptions(heads=people))
    (result,) = anonymize(picture)
    changed = (result.image != picture).any(2)
    assert changed[1:8, 30:34].all() and not changed[40:].any()
