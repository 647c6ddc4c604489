import json

import numpy as np
import pytest
from skimage.data import astronaut

from mmanon.anonymizer.face_finding import DetectedFaces, GivenFaces, build_detector
from mmanon.anonymizer.io.sources import InputError, Source, find_sources
from mmanon.face_detectors import BaseFaceDetector, CenterFaceDetector
from mmanon.structures.face_table import Faces, FaceTableWriter


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / 'data'
    for name in ('a.jpg', 'deep/b.MP4', 'deep/er/c.png', 'notes.doc', '.hidden.png'):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def names(inputs, out_dir=None):
    return [(one.name, one.kind) for one in find_sources(inputs, out_dir)[0]]


def test_a_folder_is_searched_with_all_folders_in_it(tree):
    assert names(tree) == [
        ('a.jpg', 'image'),
        ('deep/b.MP4', 'video'),
        ('deep/er/c.png', 'image'),
    ]
    others = find_sources(tree)[1]
    assert any(one.endswith('notes.doc') for one in others)


def test_outputs_within_the_folder_are_not_anonymized_again(tree):
    assert names(tree, tree / 'deep') == [('a.jpg', 'image')]


def test_files_patterns_and_lists(tree, tmp_path):
    assert names(tree / 'deep/b.MP4') == [('b.MP4', 'video')]
    assert names(str(tree / '**/*.[pM]*')) == [
        ('deep/b.MP4', 'video'),
        ('deep/er/c.png', 'image'),
    ]
    listed = tree / 'list.txt'
    listed.write_text('# mine\na.jpg\n\ndeep/er/c.png\nrtsp://eve:secret@host/door\n')
    found = names(listed)
    assert found[:2] == [('a.jpg', 'image'), ('deep/er/c.png', 'image')]
    assert found[2][1] == 'live' and found[2][0].startswith('host_door-')
    assert 'secret' not in found[2][0]


def test_cameras_and_streams_are_live():
    for one in (0, '1', 'http://host/cam.mjpg'):
        ((name, kind),) = names(one)
        assert kind == 'live' and name.endswith('.mp4')


@pytest.mark.parametrize('wrong', ['nowhere.mp4', 'nothing/*.mp4', 'a.doc', 'no.txt'])
def test_what_is_not_there_is_said(tmp_path, wrong):
    (tmp_path / 'a.doc').touch()
    (tmp_path / 'no.txt').write_text('# nothing\n')
    with pytest.raises(InputError, match=wrong.replace('*', r'\*')):
        find_sources(str(tmp_path / wrong))


def test_kinds_of_video_that_are_not_written_become_matroska(tmp_path):
    assert Source('', 'd/a.wmv', 'video').output(tmp_path) == tmp_path / 'd/a.mkv'
    assert Source('', 'd/a.MOV', 'video').output(tmp_path) == tmp_path / 'd/a.MOV'
    assert Source('', 'a.mp4', 'video').output(tmp_path, 'mkv') == tmp_path / 'a.mkv'


# --- Where faces come from ------------------------------------------------------------

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


def test_centerface_finds_faces_unless_another_is_named():
    default = build_detector()
    assert type(default) is type(build_detector('centerface')) is CenterFaceDetector
    scores = DetectedFaces(default).open('a.png')(0, astronaut()).scores
    assert len(scores) == 1 and scores[0] > 0.9


def test_the_thorough_search_sees_faces_under_coloured_light():
    red = astronaut() // 30
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


def test_detectors_that_lack_something_are_refused():
    with pytest.raises(ValueError, match='needs its weights'):
        build_detector('yunet')
    for name in (None, 'centerface', 'mtcnn'):
        with pytest.raises(ValueError, match='brings its own'):
            build_detector(name, 'a.onnx')
    with pytest.raises(ValueError, match='is called'):
        build_detector('haar')
