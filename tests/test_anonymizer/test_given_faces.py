import json

import numpy as np
import pytest

from mmanon.anonymizer.given_faces import GivenFaces
from mmanon.anonymizer.io.sources import InputError
from mmanon.structures.face_table import FaceTableWriter
from mmanon.structures.faces import Faces

IMAGE = np.zeros((100, 200, 3), np.uint8)


def test_boxes_of_ones_own_in_pixels(tmp_path):
    path = tmp_path / 'boxes.json'
    path.write_text(
        json.dumps(
            {'a.jpg': [[20, 10, 60, 50]], 'd/v.mp4': {'0': [[0, 0, 20, 10]], '2': []}}
        )
    )
    given = GivenFaces(path)
    (box,) = given.open('a.jpg')(0, IMAGE).boxes
    assert box == pytest.approx([0.1, 0.1, 0.3, 0.5])
    find = given.open('d/v.mp4')
    assert len(find(0, IMAGE)) == 1 and find(2, IMAGE).examined
    assert len(find(2, IMAGE)) == 0 and not find(1, IMAGE).examined
    with pytest.raises(InputError, match='no boxes'):
        given.open('b.jpg')


@pytest.mark.parametrize('wrong', [[[5, 5, 5, 9]], [[1, 2, 3]], 'x', [['a', 1, 2, 3]]])
def test_boxes_that_are_none_are_refused(tmp_path, wrong):
    path = tmp_path / 'boxes.json'
    path.write_text(json.dumps({'a.jpg': wrong}))
    with pytest.raises(InputError, match='a.jpg'):
        GivenFaces(path).open('a.jpg')


def test_faces_come_from_a_face_table(tmp_path):
    def faces(*boxes, score=0.0):
        count = len(boxes)
        return Faces(
            np.array(boxes, np.float32).reshape(-1, 4),
            np.full(count, score, np.float32),
            np.full((count, 5, 2), np.nan, np.float32),
            np.zeros(count, np.int32),
        )

    with FaceTableWriter(tmp_path / 'faces.parquet', 'made up') as table:
        table.add('d/v', 0, faces([0.1, 0.1, 0.2, 0.2]))
        table.add('d/v', 1, faces())
    find = GivenFaces(tmp_path / 'faces.parquet').open('d/v.mp4')
    # A box that the table has counts, whatever its score.
    assert find(0, IMAGE).scores.tolist() == [1] and len(find(1, IMAGE)) == 0
    assert not find(2, IMAGE).examined
    with pytest.raises(InputError, match='no video'):
        GivenFaces(tmp_path / 'faces.parquet').open('w.mp4')
