import copy
import os
import subprocess
import sys
import traceback

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmanon.structures.face_table import Faces, FaceTable, FaceTableWriter, VideoInfo


def faces(*boxes, tracks=None, landmarks=None):
    k = len(boxes)
    if landmarks is None:
        landmarks = np.full((k, 5, 2), np.nan, np.float32)
    return Faces(
        np.array(boxes, np.float32).reshape(k, 4),
        np.linspace(0.9, 0.5, k, dtype=np.float32),
        landmarks,
        np.array(tracks if tracks is not None else [-1] * k, np.int32),
    )


A, B = [0.1, 0.2, 0.3, 0.5], [0.5, 0.25, 1.0, 0.75]


def write(path, rows, **kwargs):
    with FaceTableWriter(path, 'test', **kwargs) as writer:
        for video, frame, found in rows:
            writer.add(video, frame, found)
    return FaceTable(path)


def rewrite(path, **columns):
    """Change columns of a table behind the writer's back."""
    table = pq.read_table(path)
    for name, values in columns.items():
        i = table.column_names.index(name)
        table = table.set_column(i, name, pa.array(values, table.schema.field(i).type))
    pq.write_table(table, path)


def test_a_table_gives_back_what_was_written(tmp_path):
    points = np.random.default_rng(0).random((2, 5, 2)).astype(np.float32)
    points[1] = np.nan
    table = write(
        tmp_path / 'f.parquet',
        [('a', 1, faces(A, B, tracks=[4, 7], landmarks=points)), ('a', 2, faces())],
    )
    got = table.lookup('a', 1)
    np.testing.assert_array_equal(got.boxes, np.array([A, B], np.float32))
    np.testing.assert_array_equal(got.scores, np.array([0.9, 0.5], np.float32))
    np.testing.assert_array_equal(got.tracks, [4, 7])
    np.testing.assert_array_equal(got.landmarks, points)
    assert got.examined and table.detector == 'test'
    nothing = table.lookup('a', 2)
    assert len(nothing) == 0 and nothing.examined
    assert nothing.boxes.shape == (0, 4) and nothing.landmarks.shape == (0, 5, 2)


def test_every_frame_is_found_across_small_row_groups(tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for video in ['a/1', 'a/10', 'a/2', 'b', 'ö']:
        for frame in range(3, 20):
            corner = rng.uniform(0, 0.5, (rng.integers(0, 3), 2))
            rows.append((video, frame, faces(*np.hstack([corner, corner + 0.25]))))
    table = write(tmp_path / 'f.parquet', rows, rows_per_group=7)
    assert table._file.num_row_groups > 10
    for i in rng.permutation(len(rows)):
        video, frame, found = rows[i]
        np.testing.assert_array_equal(table.lookup(video, frame).boxes, found.boxes)
    assert len(table._groups) <= 8
    for video in ('a/1', 'a/2', 'ö'):
        assert table.frames(video).tolist() == list(range(3, 20))
    with pytest.raises(KeyError):
        table.frames('a/3')
    assert table.videos() == {'a/1', 'a/10', 'a/2', 'b', 'ö'}
    assert 'a/10' in table and 'a/11' not in table and 'a' not in table


def test_a_lookup_reads_only_the_groups_near_the_frame(tmp_path):
    rows = [('v', frame, faces(A)) for frame in range(100)]
    table = write(tmp_path / 'f.parquet', rows, rows_per_group=10)
    table.lookup('v', 55)
    assert list(table._groups) == [5]


def test_an_unexamined_frame_is_covered_whole_and_said_once(tmp_path):
    table = write(tmp_path / 'f.parquet', [('v', 5, faces()), ('v', 9, faces(A))])
    warned = []
    table.warn = warned.append
    for frame in (4, 7, 10, 1000):
        got = table.lookup('v', frame)
        np.testing.assert_array_equal(got.boxes, [[0, 0, 1, 1]])
        assert not got.examined
    assert len(warned) == 1 and "'v'" in warned[0] and 'frame 4' in warned[0]


def test_it_is_said_in_the_log_of_mmanon_by_default(tmp_path, caplog):
    table = write(tmp_path / 'f.parquet', [('v', 5, faces())])
    table.lookup('v', 6)
    assert 'was never examined' in caplog.text


def test_between_examined_frames_tracked_faces_are_enclosed(tmp_path):
    moved = [0.2, 0.1, 0.4, 0.4]
    table = write(
        tmp_path / 'f.parquet',
        [
            ('v', 0, faces(A, B, tracks=[1, 2])),
            ('v', 4, faces(B, moved, tracks=[2, 1])),
            ('v', 8, faces(A, tracks=[1])),
            ('v', 13, faces(A, tracks=[1])),
        ],
        interval=4,
    )
    got = table.lookup('v', 3)
    np.testing.assert_allclose(got.boxes, [[0.1, 0.1, 0.4, 0.5], B])
    assert not got.examined and not got.is_cover and list(got.tracks) == [1, 2]
    # 5 lies beside a track that ends; 9 and 12 in a gap wider than the interval, where
    # an examination has failed; 14 has no frame behind it.
    for frame in (5, 9, 12, 14):
        np.testing.assert_array_equal(table.lookup('v', frame).boxes, [[0, 0, 1, 1]])


@pytest.mark.parametrize(
    ('before', 'after'),
    [
        (faces(), faces()),
        (faces(A, tracks=[1]), faces()),
        (faces(A, tracks=[1]), faces(A, B, tracks=[1, 2])),
        (faces(A, tracks=[1]), faces(A, tracks=[2])),
        (faces(A), faces(A)),
    ],
)
def test_between_examined_frames_whoever_may_come_is_covered(tmp_path, before, after):
    warned = []
    rows = [(v, t, (before, after)[t % 4 // 2]) for v in 'vw' for t in (0, 2, 4)]
    table = write(tmp_path / 'f.parquet', rows, interval=2)
    table.warn = warned.append
    for video in 'vw':
        for frame in (1, 3):
            got = table.lookup(video, frame)
            assert got.is_cover
            np.testing.assert_array_equal(got.boxes, [[0, 0, 1, 1]])
    assert len(warned) == 1 and 'one frame in 2' in warned[0]
    assert not table.lookup('v', 0).is_cover


def test_a_face_as_large_as_its_frame_is_no_cover(tmp_path):
    table = write(tmp_path / 'f.parquet', [('v', 0, faces([0, 0, 1, 1]))])
    assert not table.lookup('v', 0).is_cover
    assert table.lookup('v', 1).is_cover


def test_a_table_tells_what_its_videos_were(tmp_path):
    path = tmp_path / 'f.parquet'
    infos = {
        'a': VideoInfo('file', 720, 1280, 9, 'quarter'),
        'b': VideoInfo('folder'),
        'c': None,
        'ö': VideoInfo('folder', 64, 48, 2),
    }
    with FaceTableWriter(path, 'test', rows_per_group=2) as writer:
        for video, info in infos.items():
            if info is not None:
                writer.describe(video, info)
            for frame in range(3):
                writer.add(video, frame, faces(A))
    table = copy.copy(FaceTable(path))
    assert {video: table.info(video) for video in infos} == infos
    assert table.info('d') is None and table.detector == 'test'
    with pytest.raises(ValueError, match="'file' or 'folder'"):
        VideoInfo('frames')
    with pytest.raises(ValueError, match="'quarter'"):
        VideoInfo('file', turned='left')


def test_what_videos_were_is_known_without_reading_once_all_are_listed(tmp_path):
    path = tmp_path / 'f.parquet'
    infos = {f'{i:02}': VideoInfo('folder', 64, 48, i % 3) for i in range(40)}
    infos['07'] = None
    with FaceTableWriter(path, 'test', rows_per_group=7) as writer:
        for video, info in infos.items():
            if info is not None:
                writer.describe(video, info)
            for frame in range(3):
                writer.add(video, frame, faces(A, B) if frame else faces())
    table = FaceTable(path)
    before = {video: (table.info(video), video in table) for video in [*infos, '99']}
    assert before == {v: (info, True) for v, info in infos.items()} | {
        '99': (None, False)
    }
    table = FaceTable(path)
    assert table.videos() == set(infos)
    after = {video: (table.info(video), video in table) for video in before}
    assert after == before and not table._groups


def test_a_video_is_described_before_its_frames(tmp_path):
    with FaceTableWriter(tmp_path / 'f.parquet', 'test') as writer:
        writer.add('b', 0, faces(A))
        for late in 'ab':
            with pytest.raises(ValueError, match=f"'{late}' is described after"):
                writer.describe(late, VideoInfo('folder'))


def test_a_table_of_an_earlier_release_says_nothing_of_its_videos(tmp_path):
    path = tmp_path / 'f.parquet'
    write(path, [('v', 1, faces(A))])
    pq.write_table(pq.read_table(path).drop_columns('video_info'), path)
    table = FaceTable(path)
    assert table.info('v') is None
    np.testing.assert_allclose(table.lookup('v', 1).boxes, [A])


def test_opening_a_table_does_not_read_what_grows_with_its_videos(tmp_path):
    sizes = []
    for videos in (100, 200):
        path = tmp_path / f'{videos}.parquet'
        with FaceTableWriter(path, 'test') as writer:
            for i in range(videos):
                writer.describe(f'{i:03}', VideoInfo('folder', 640, 480, i))
                writer.add(f'{i:03}', 0, faces(A))
        sizes.append(pq.read_metadata(path).serialized_size)
    assert abs(sizes[1] - sizes[0]) < 100


@pytest.mark.parametrize(
    ('height', 'width', 'same'),
    [
        (1080, 1920, True),
        (256, 456, True),
        (90, 160, True),
        (1920, 1080, False),
        (256, 342, False),
        (256, 256, False),
    ],
)
def test_a_shape_is_the_same_at_any_scale(height, width, same):
    assert VideoInfo('file', 1920, 1080).has_shape(height, width) is same
    assert VideoInfo('file').has_shape(height, width)


def test_a_missing_video_is_named_with_the_ones_there(tmp_path):
    table = write(tmp_path / 'f.parquet', [('there', 1, faces(A))])
    with pytest.raises(KeyError, match='gone.*there.*detect-faces'):
        table.lookup('gone', 1)
    table.check(['there', 'there'])
    with pytest.raises(KeyError, match='lacks 2 video.*x, y'):
        table.check(['there', 'y', 'x', 'x'])


@pytest.mark.parametrize(
    'columns',
    [
        {'x1': [0.1, np.nan]},
        {'x2': [0.3, 1.01]},
        {'y1': [0.2, -0.01]},
        {'y2': [0.5, 0.2]},
        {'y2': [0.5, None]},
    ],
)
def test_an_impossible_box_is_named_when_read(tmp_path, columns):
    path = tmp_path / 'f.parquet'
    write(path, [('v', 1, faces(A)), ('v', 2, faces(B))])
    rewrite(path, **columns)
    with pytest.raises(ValueError, match=r"f\.parquet.*'v', frame 2.*box"):
        FaceTable(path).lookup('v', 1)


def test_the_writer_refuses_impossible_boxes_and_disorder(tmp_path):
    path = tmp_path / 'f.parquet'
    with pytest.raises(ValueError, match='frame 3.*box'):
        write(path, [('v', 3, faces([0.5, 0.1, 0.4, 0.2]))])
    with pytest.raises(ValueError, match='sorted'):
        write(path, [('v', 3, faces()), ('v', 3, faces())])
    with pytest.raises(ValueError, match='sorted'):
        write(path, [('v', 3, faces()), ('u', 4, faces())])
    with pytest.raises(ValueError, match='interval'):
        FaceTableWriter(path, 'test', interval=0)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_writer_leaves_the_old_table(tmp_path):
    path = tmp_path / 'f.parquet'
    write(path, [('old', 1, faces(A))])
    with pytest.raises(RuntimeError), FaceTableWriter(path, 'test') as writer:
        writer.add('new', 1, faces(A))
        raise RuntimeError
    assert FaceTable(path).videos() == {'old'}
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_writer_left_is_replaced(tmp_path):
    path = tmp_path / 'f.parquet'
    (tmp_path / '.f.parquet.part').write_text('half a table')
    write(path, [('v', 1, faces(A))])
    assert list(tmp_path.iterdir()) == [path]


def test_files_that_are_no_table_are_refused(tmp_path):
    path = tmp_path / 'f.parquet'
    with pytest.raises(FileNotFoundError, match='detect-faces'):
        FaceTable(path)
    path.write_text('video,frame')
    with pytest.raises(ValueError, match='not a Parquet file'):
        FaceTable(path)
    pq.write_table(pa.table({'video': ['v'], 'frame': [1]}), path)
    with pytest.raises(ValueError, match="lacks the columns.*'x1'"):
        FaceTable(path)
    write(path, [('v', 1, faces(A)), ('w', 1, faces(A))])
    rewrite(path, video=['w', 'v'])
    with pytest.raises(ValueError, match='not sorted'):
        FaceTable(path).lookup('v', 1)
    write(path, [('v', 1, faces(A)), ('v', 2, faces(A))])
    rewrite(path, frame=[2, 1])
    with pytest.raises(ValueError, match='not sorted'):
        FaceTable(path).lookup('v', 1)


def test_a_copy_in_another_process_carries_the_path_alone(tmp_path):
    rows = [('v', frame, faces(A)) for frame in range(1000)]
    table = write(tmp_path / 'f.parquet', rows)
    table.lookup('v', 3)
    # What a data loader sends to its workers, and what they make of it.
    assert table.__getstate__() == {'path': table.path, 'warn': table.warn}
    np.testing.assert_allclose(copy.copy(table).lookup('v', 7).boxes, [A])


def test_reading_a_table_imports_no_pandas(tmp_path):
    path = tmp_path / 'f.parquet'
    write(path, [('v', 1, faces(A, B)), ('v', 2, faces())])
    code = """
import sys
from mmanon.structures.face_table import FaceTable

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == 'pandas':
            sys.exit('a worker imports pandas: half a second and 40 MB')

loaded = {name for name in sys.modules if name.split('.')[0] == 'pandas'}
for name in loaded:
    del sys.modules[name]
sys.meta_path.insert(0, Finder())
table = FaceTable(sys.argv[1])
assert len(table.lookup('v', 1)) == 2 and len(table.lookup('v', 2)) == 0
assert table.info('v') is None and table.videos() == {'v'}
"""
    subprocess.run([sys.executable, '-c', code, path], check=True)


def test_a_table_without_any_row_opens_and_has_no_video(tmp_path):
    table = write(tmp_path / 'f.parquet', [])
    assert table.videos() == set()
    with pytest.raises(KeyError):
        table.lookup('v', 1)


def test_forked_processes_read_the_table_that_they_inherit(tmp_path):
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 0.5, (3000, 2)).astype(np.float32)
    boxes = np.hstack([corners, corners + 0.25])
    rows = [('v', frame, faces(box)) for frame, box in enumerate(boxes)]
    table = write(tmp_path / 'f.parquet', rows, rows_per_group=50)
    table.lookup('v', 1500)

    def read(seed):
        for frame in np.random.default_rng(seed).permutation(3000)[:600]:
            np.testing.assert_array_equal(
                table.lookup('v', frame).boxes[0], boxes[frame]
            )

    children = []
    for seed in range(4):
        child = os.fork()
        if not child:
            code = 1
            try:
                read(seed)
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        children.append(child)
    # While they read, so does this process, and the file is replaced.
    read(9)
    write(tmp_path / 'f.parquet', [('v', 0, faces())])
    read(10)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
