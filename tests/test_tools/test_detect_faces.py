import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from mmanon.face_detectors import FaceDetections, MTCNNFaceDetector
from mmanon.face_detectors.named import named_detector
from mmanon.structures.face_table import FaceTable, VideoInfo


def load_tool(name):
    path = Path(__file__).parents[2] / 'tools' / name
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up.
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


tool = load_tool('detect_faces.py')
FACE = cv2.resize(astronaut()[20:260, 120:340], (110, 120))


def frame(t, face=True):
    image = np.full((128, 176, 3), 60, np.uint8)
    if face:
        image[4:124, 10 + 4 * t : 120 + 4 * t] = FACE
    return image


def write_frames(folder, numbers, name='img_{:05}.jpg', **kwargs):
    folder.mkdir(parents=True, exist_ok=True)
    for t, number in enumerate(numbers):
        image = cv2.cvtColor(frame(t, **kwargs), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(folder / name.format(number)), image)


def write_video(path, count, turn=None, metadata=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), 'w') as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream('mpeg4', rate=25)
        stream.width, stream.height, stream.pix_fmt = 176, 128, 'yuv420p'
        stream.bit_rate = 2_000_000
        quarters = 0
        if turn is not None:
            quarters = turn // 90
            stream.set_display_rotation(turn)
        if quarters % 2:
            stream.width, stream.height = 128, 176
        for t in range(count):
            # As stored: a player turns it back to the left.
            image = np.ascontiguousarray(np.rot90(frame(t), -quarters))
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, 'rgb24')):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


@pytest.fixture
def data(tmp_path):
    root = tmp_path / 'data'
    write_frames(root / 'a/one', [1, 2, 3, 5])
    write_frames(root / 'two', range(2), 'two_{:03}.png', face=False)
    write_frames(root / 'two', range(2), 'flow_x_{:03}.png')
    write_video(root / 'a/clip.avi', 6)
    return root


def run(data, *more):
    out = data.parent / 'out/faces.parquet'
    return tool.main([str(data), '--out', str(out), *map(str, more)]), out


def test_frames_and_videos_are_examined_to_one_table(data, capsys):
    code, out = run(data)
    assert code == 0
    table = FaceTable(out)
    assert table.videos() == {'a/one', 'a/clip', 'two'}
    assert table.detector == 'mmanon.MTCNNFaceDetector' and table.interval == 1
    assert table.frames('a/one').tolist() == [1, 2, 3, 5]
    assert table.frames('a/clip').tolist() == list(range(6))
    assert table.frames('two').tolist() == [0, 1]
    assert len(table.lookup('two', 0)) == 0
    expected = MTCNNFaceDetector().detect(frame(0)).boxes[0] / [176, 128, 176, 128]
    for video, number, t in [('a/one', 1, 0), ('a/one', 5, 3), ('a/clip', 5, 5)]:
        faces = table.lookup(video, number)
        assert len(faces) == 1 and faces.tracks.tolist() == [0]
        moved = expected + [4 * t / 176, 0, 4 * t / 176, 0]
        assert np.abs(faces.boxes[0] - moved).max() < 0.04
        assert np.isfinite(faces.landmarks).all()
    assert list(out.parent.iterdir()) == [out]
    assert '3 videos, 12 frames, 10 faces' in capsys.readouterr().out
    assert table.info('a/one') == VideoInfo('folder', 176, 128, 4)
    assert table.info('a/clip') == VideoInfo('file', 176, 128, 6)
    assert table.info('two') == VideoInfo('folder', 176, 128, 2)


def test_faces_are_looked_for_in_upright_frames(tmp_path):
    root = tmp_path / 'data'
    turns = {0: 'no', 90: 'quarter', 180: 'other', 270: 'quarter'}
    for turn in turns:
        write_video(root / f'{turn}.mp4', 3, turn)
    code, out = run(root, '--interval', 2)
    table = FaceTable(out)
    assert code == 0
    expected = table.lookup('0', 0).boxes
    assert len(expected) == 1
    for turn, turned in turns.items():
        assert table.info(str(turn)) == VideoInfo('file', 176, 128, 3, turned)
        found = table.lookup(str(turn), 0).boxes
        np.testing.assert_allclose(found, expected, atol=0.03)


def test_images_beside_videos_are_no_frames(data, capsys):
    for folder in (data, data / 'a', data / 'about'):
        write_frames(folder, [1], 'thumb.jpg')
    write_frames(data / 'a', [7], 'cover_{}.jpg')
    code, out = run(data)
    assert code == 0
    assert FaceTable(out).videos() == {'a/one', 'a/clip', 'two'}
    said = capsys.readouterr().err
    assert 'not frames of a video' in said
    for line in (f'{data}: 1 (thumb.jpg', f'{data / "a"}: 2 (', f'{data / "about"}: 1'):
        assert line in said


def test_a_smaller_search_gives_the_same_fractions(data):
    _, out = run(data)
    full = FaceTable(out).lookup('a/one', 1).boxes
    out.unlink()
    _, out = run(data, '--max-side', 88)
    assert np.abs(FaceTable(out).lookup('a/one', 1).boxes - full).max() < 0.05


def test_several_workers_write_the_same_table(data):
    _, out = run(data)
    one = {v: FaceTable(out).frames(v).tolist() for v in FaceTable(out).videos()}
    boxes = FaceTable(out).lookup('a/one', 5).boxes
    out.unlink()
    # As a program: worker processes import the tool by its file.
    program = [sys.executable, tool.__file__, str(data), '--out', str(out)]
    subprocess.run([*program, '--workers', '2'], check=True, capture_output=True)
    table = FaceTable(out)
    assert {v: table.frames(v).tolist() for v in table.videos()} == one
    np.testing.assert_allclose(table.lookup('a/one', 5).boxes, boxes, atol=1e-4)


def test_what_cannot_be_read_is_named_and_left_without_a_row(data, capsys):
    (data / 'a/one/img_00002.jpg').write_bytes(b'broken')
    (data / 'a/broken.mp4').write_bytes(b'broken')
    write_frames(data / 'same', [1], 'x_{:02}.png')
    write_frames(data / 'same', [1], 'y_{:02}.png')
    code, out = run(data)
    assert code == 1
    error = capsys.readouterr().err
    for name in ('img_00002.jpg', 'broken.mp4', 'x_01.png and y_01.png'):
        assert name in error
    table = FaceTable(out)
    assert table.videos() == {'a/one', 'a/clip', 'two'}
    assert table.frames('a/one').tolist() == [1, 3, 5]
    np.testing.assert_array_equal(table.lookup('a/one', 2).boxes, [[0, 0, 1, 1]])

    # Mended, the same command examines only those again.
    write_frames(data / 'a/one', [1, 2, 3, 5])
    (data / 'a/broken.mp4').unlink()
    (data / 'same/y_01.png').unlink()
    code, out = run(data)
    assert code == 0 and FaceTable(out).frames('a/one').tolist() == [1, 2, 3, 5]
    assert 'same' in FaceTable(out) and list(out.parent.iterdir()) == [out]


@pytest.mark.parametrize(
    'error', [RuntimeError, ValueError, TypeError, MemoryError, cv2.error]
)
def test_a_frame_on_which_the_detector_fails_has_no_row(
    data, monkeypatch, capsys, error
):
    def failing(self, image):
        if image.mean() < 61:
            raise error('no luck')
        return FaceDetections(np.zeros((0, 4)), np.zeros(0), np.zeros((0, 5, 2)))

    monkeypatch.setattr(MTCNNFaceDetector, 'detect', failing)
    code, out = run(data)
    said = capsys.readouterr().err
    assert code == 1 and 'failed on 2 frames: they are covered as a' in said
    assert f'two, 2 frame(s), 0, 1: {error.__name__}: no luck' in said
    table = FaceTable(out)
    assert 'two' not in table and table.frames('a/one').tolist() == [1, 2, 3, 5]


def test_an_interrupted_run_says_how_to_go_on(data, monkeypatch, capsys):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(tool, 'build_face_table', interrupted)
    code, out = run(data)
    assert code == 130 and not out.exists()
    said = capsys.readouterr().err
    assert f'interrupted: the same command continues from {out}.parts' in said


def test_options_become_a_face_detector(data):
    def detector(*more):
        args = tool.parse_args([str(data), '--out', 'f.parquet', *more])
        return args.face_detector

    assert detector('--score-thr', '0.8') == named_detector('mtcnn', score=0.8)
    weights = ('--detector', 'yunet', '--detector-weights', 'x.onnx')
    assert detector(*weights) == named_detector('yunet', 'x.onnx')
    with pytest.warns(
        DeprecationWarning, match='--weights was renamed to --detector-weights'
    ):
        assert detector('--detector', 'yunet', '--weights', 'x.onnx') == named_detector(
            'yunet', 'x.onnx'
        )


def test_bad_arguments_end_before_any_work(data, tmp_path, capsys):
    for more, message in [
        (['--interval', 0], 'at least 1'),
        (['--score-thr', 2], r'in \[0, 1\]'),
        (['--detector', 'yunet'], '--detector-weights: .*needs its weights'),
        (['--detector-weights', 'x.onnx'], 'has its own weights'),
    ]:
        with pytest.raises(SystemExit):
            run(data, *more)
        assert re.search(message, capsys.readouterr().err)
    with pytest.raises(SystemExit, match='gone.onnx'):
        run(data, '--detector', 'yunet', '--detector-weights', 'gone.onnx')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(SystemExit, match='holds neither'):
        tool.main([str(tmp_path / 'empty'), '--out', str(tmp_path / 'f.parquet')])
    assert not list(tmp_path.glob('*.parquet*')) and not (tmp_path / 'out').exists()
