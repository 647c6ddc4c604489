import cv2
import numpy as np
import pytest
from made_videos import RedSquareDetector, picture, write_video

from mmanon.datasets import face_table_builder
from mmanon.datasets.face_table_builder import (
    FaceSearch,
    build_face_table,
    find_faces,
    parts_of,
)
from mmanon.structures import FaceTable, VideoInfo


def write_frames(folder, times, number=lambda t: t + 1):
    folder.mkdir(parents=True, exist_ok=True)
    for t in times:
        image = cv2.cvtColor(picture(t), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(folder / f'img_{number(t):05}.png'), image)


@pytest.fixture
def data(tmp_path):
    root = tmp_path / 'data'
    write_frames(root / 'a/one', [0, 1, 2, 4])
    write_frames(root / 'two', range(2))
    write_video(root / 'a/clip.mkv', [picture(t) for t in range(6)])
    return root


@pytest.fixture
def out(tmp_path):
    return tmp_path / 'out/faces.parquet'


def search(interval=1, max_side=None, **detector):
    return FaceSearch(dict(type=RedSquareDetector, **detector), interval, max_side)


def square(t):
    """The box of the square in fractions of the frame."""
    return np.array([(8 + 2 * t) / 96, 20 / 64, (24 + 2 * t) / 96, 36 / 64])


def test_all_videos_are_examined_to_one_table(data, out):
    reports = build_face_table(data, out, search())
    assert [(r.video, r.frames, r.faces, r.failures) for r in reports] == [
        ('a/clip', 6, 6, []),
        ('a/one', 4, 4, []),
        ('two', 2, 2, []),
    ]
    table = FaceTable(out)
    assert table.videos() == {'a/clip', 'a/one', 'two'}
    assert (table.detector, table.interval) == ('RedSquareDetector', 1)
    assert table.frames('a/one').tolist() == [1, 2, 3, 5]
    assert table.frames('a/clip').tolist() == list(range(6))
    for video, number, t in [('a/one', 1, 0), ('a/one', 5, 4), ('a/clip', 5, 5)]:
        faces = table.lookup(video, number)
        np.testing.assert_allclose(faces.boxes, [square(t)], atol=0.04)
        assert faces.tracks.tolist() == [0]
    assert table.info('a/one') == VideoInfo('folder', 96, 64, 4)
    assert table.info('a/clip') == VideoInfo('file', 96, 64, 6)
    assert list(out.parent.iterdir()) == [out]


def test_every_nth_frame_and_the_last_are_examined(data, out):
    build_face_table(data, out, search(interval=4))
    table = FaceTable(out)
    assert table.interval == 4
    assert table.frames('a/clip').tolist() == [0, 4, 5]
    assert table.frames('a/one').tolist() == [1, 5]
    between = table.lookup('a/clip', 2).boxes
    first, last = table.lookup('a/clip', 0).boxes, table.lookup('a/clip', 4).boxes
    assert between[0, 0] == first[0, 0] and between[0, 2] == last[0, 2]


def test_a_smaller_search_gives_the_same_fractions():
    detector = RedSquareDetector()
    whole = find_faces(detector, picture(3)).boxes
    small = find_faces(detector, picture(3), max_side=48).boxes
    np.testing.assert_allclose(small, whole, atol=1 / 24)


def test_a_face_lost_in_between_is_filled_in(data, out):
    # Images are examined in the order of the videos: six of the clip come first.
    build_face_table(data, out, search(blind=[2]))
    lost = FaceTable(out).lookup('a/clip', 2)
    assert lost.scores.tolist() == [0] and lost.tracks.tolist() == [0]


def test_a_frame_on_which_the_detector_fails_has_no_row(data, out):
    reports = build_face_table(data, out, search(raising=[1, 3]))
    assert [report.undetected for report in reports] == [2, 0, 0]
    [why] = reports[0].failures
    assert why.endswith('clip.mkv, 2 frame(s), 1, 3: RuntimeError: no memory left')
    table = FaceTable(out)
    assert table.frames('a/clip').tolist() == [0, 2, 4, 5]
    assert table.lookup('a/clip', 1).is_cover


def test_failures_are_tried_again_and_nothing_else_is(data, out, monkeypatch):
    (data / 'a/one/img_00002.png').write_bytes(b'broken')
    (data / 'broken.mp4').write_bytes(b'broken')
    reports = build_face_table(data, out, search())
    failed = {report.video: report.failures for report in reports if report.failures}
    assert set(failed) == {'a/one', 'broken'}
    assert parts_of(out).is_dir() and 'broken' not in FaceTable(out)
    assert FaceTable(out).frames('a/one').tolist() == [1, 3, 5]

    examined = watched(monkeypatch)
    write_frames(data / 'a/one', [1])
    (data / 'broken.mp4').unlink()
    said = []
    build_face_table(data, out, search(), say=said.append)
    assert examined == ['a/one'] and said == ['2 of 3 videos are already finished']
    assert FaceTable(out).frames('a/one').tolist() == [1, 2, 3, 5]
    assert list(out.parent.iterdir()) == [out]


def watched(monkeypatch, most=99):
    """The names of the videos that are examined, until it is interrupted."""
    examined, examine = [], face_table_builder.examine_video

    def examine_video(source, *args):
        if len(examined) == most:
            raise KeyboardInterrupt
        examined.append(source.name)
        return examine(source, *args)

    monkeypatch.setattr(face_table_builder, 'examine_video', examine_video)
    return examined


def test_an_interrupted_run_continues_without_repeating(data, out, monkeypatch):
    with monkeypatch.context() as patched:
        assert watched(patched, most=1) == []
        with pytest.raises(KeyboardInterrupt):
            build_face_table(data, out, search())
    assert not out.exists()
    with pytest.raises(ValueError, match='interval: 1 then, 2 now'):
        build_face_table(data, out, search(interval=2))
    examined = watched(monkeypatch)
    build_face_table(data, out, search())
    assert examined == ['a/one', 'two']
    assert FaceTable(out).videos() == {'a/one', 'a/clip', 'two'}
    assert list(out.parent.iterdir()) == [out]


def test_what_a_killed_run_left_is_removed(data, out):
    out.parent.mkdir()
    (out.parent / '.faces.parquet.part').write_text('half a table')
    build_face_table(data, out, search())
    assert list(out.parent.iterdir()) == [out]


def test_a_finished_table_is_not_overwritten(data, out):
    build_face_table(data, out, search())
    before = out.read_bytes()
    with pytest.raises(FileExistsError, match='exists already: remove it or name'):
        build_face_table(data, out, search())
    assert out.read_bytes() == before


def test_it_is_said_before_the_search_what_is_left_out(data, out):
    write_frames(data, [0])
    said = []
    build_face_table(data, out, search(), say=said.append)
    assert 'not frames of a video' in said[0] and f'{data}: 1 (img_00001' in said[0]


def test_wrong_arguments_are_named(data, out, tmp_path):
    for wrong, message in [
        (dict(interval=0), 'interval must be at least 1, got 0'),
        (dict(max_side=0), 'max_side must be at least 1, got 0'),
    ]:
        with pytest.raises(ValueError, match=message):
            search(**wrong)
    with pytest.raises(ValueError, match='workers must be at least 1'):
        build_face_table(data, out, search(), workers=0)
    with pytest.raises(FileNotFoundError, match='DATA_ROOT .* is not a folder'):
        build_face_table(tmp_path / 'gone', out, search())
    with pytest.raises(OSError, match='is a folder: name a file'):
        build_face_table(data, tmp_path, search())
    (tmp_path / 'file').touch()
    with pytest.raises(OSError, match='cannot be written'):
        build_face_table(data, tmp_path / 'file/f.parquet', search())
