import json
import shutil

import numpy as np
import pytest
from made_videos import RedSquareDetector, anonymizer, picture, write_video
from PIL import Image

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


@pytest.mark.parametrize(
    ('wrong', 'said'),
    [
        ([[5, 5, 5, 9]], r'frame 0: .*\[5.0, 5.0, 5.0, 9.0\] x1 must be less'),
        ([[1, 2, 3]], r'four numbers .* in pixels, got \[1, 2, 3\]'),
        ([['a', 1, 2, 3]], 'four numbers'),
        ([[True, 1, 2, 3]], 'four numbers'),
        ([[float('nan'), 1, 2, 3]], 'less than'),
        ([5, 5, 9, 9], 'four numbers .* got 5'),
        ('x', 'list of boxes'),
        ({'first': []}, "'first' is no frame number"),
        ({'-1': []}, 'no frame number'),
        ({'3': 'x'}, 'frame 3: must be a list'),
        ([[0.42, 0.19, 0.53, 0.37]], 'not in fractions'),
    ],
)
def test_boxes_that_are_none_are_refused_in_plain_words(tmp_path, wrong, said):
    path = tmp_path / 'boxes.json'
    path.write_text(json.dumps({'a.jpg': wrong}))
    with pytest.raises(InputError, match=r"boxes.json, 'a.jpg'.*" + said):
        GivenFaces(path).open('a.jpg')


@pytest.mark.parametrize('box', [[300, 10, 320, 30], [-30, 5, 0, 40], [5, 101, 9, 120]])
def test_a_box_outside_the_picture_is_refused(tmp_path, box):
    path = tmp_path / 'boxes.json'
    path.write_text(json.dumps({'a.jpg': [[20, 10, 60, 50], box]}))
    find = GivenFaces(path).open('a.jpg')
    with pytest.raises(InputError, match='outside the picture, which has 200x100'):
        find(0, IMAGE)


@pytest.mark.parametrize('box', [[0.42, 0.19, 0.53, 0.37], [300, 10, 320, 30]])
@pytest.mark.parametrize('name', ['a.png', 'a.mp4'])
def test_a_file_with_boxes_that_cover_nothing_fails(tmp_path, name, box):
    source = tmp_path / name
    if name == 'a.png':
        Image.fromarray(picture(0)).save(source)
    else:
        write_video(source, [picture(0)] * 3)
    boxes = tmp_path / 'boxes.json'
    boxes.write_text(json.dumps({name: {str(t): [box] for t in range(3)}}))
    (outcome,) = anonymizer(boxes=boxes)(source, tmp_path / 'out')
    assert outcome.status == 'failed' and 'pixels' in outcome.reason
    assert not list((tmp_path / 'out').iterdir())


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


def test_boxes_of_frames_that_a_video_does_not_have_are_told(tmp_path):
    write_video(tmp_path / 'a.mp4', [picture(0)] * 3)
    boxes = tmp_path / 'boxes.json'
    boxes.write_text(
        json.dumps({'a.mp4': {str(t): [[8, 20, 24, 36]] for t in range(1, 4)}})
    )
    (outcome,) = anonymizer(boxes=boxes)(tmp_path / 'a.mp4', tmp_path / 'out')
    assert outcome.whole == 1  # frame 0
    assert any('no frame 3' in word for word in outcome.problems)


@pytest.fixture
def table(tmp_path):
    """A face table of a folder that holds ``talk.mp4``."""
    builder = pytest.importorskip('mmanon.datasets.face_table_builder')
    write_video(tmp_path / 'films/talk.mp4', [picture(t) for t in range(4)])
    search = builder.FaceSearch(dict(type=RedSquareDetector))
    builder.build_face_table(tmp_path / 'films', tmp_path / 'faces.parquet', search)
    return tmp_path / 'faces.parquet'


def test_a_face_table_is_for_the_files_it_was_made_of(table, tmp_path):
    (outcome,) = anonymizer(boxes=table)(tmp_path / 'films/talk.mp4', tmp_path / 'out')
    assert (outcome.status, outcome.faces, outcome.whole) == ('written', 4, 0)


@pytest.mark.parametrize('name', ['talk.mov', 'talk.png', 'other/talk.mp4', 'talk.MP4'])
def test_a_face_table_is_not_for_another_file_of_that_name(table, tmp_path, name):
    films = tmp_path / 'films'
    if name == 'talk.png':
        Image.fromarray(picture(0)).save(films / name)
    elif name == 'talk.MP4':
        shutil.move(films / 'talk.mp4', films / name)
    else:
        (films / 'other').mkdir()
        write_video(films / name, [picture(t) for t in range(3, 8)])
    (outcome,) = anonymizer(boxes=table)(films / name, tmp_path / 'out')
    assert outcome.status == 'failed' and 'talk' in outcome.reason
    assert str(table) in outcome.reason and not list((tmp_path / 'out').iterdir())
