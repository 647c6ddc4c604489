"""The window: with an OpenCV that is made up, as there is no display here."""

import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import av
import numpy as np
import pytest
from made_videos import (
    RedSquareDetector,
    anonymizer,
    is_red,
    main,
    picture,
    read_frames,
    write_video,
)

from mmanon.anonymizer import inferencer, viewing
from mmanon.anonymizer.io.sources import InputError, Source
from mmanon.anonymizer.viewing import newest_frames, view

LENGTH = 12


@pytest.fixture
def window(monkeypatch):
    """Keeps what is shown in a window, in place of showing it."""
    seen = SimpleNamespace(shown=[], title='', key=-1, open=1.0, closed=False)

    class Error(Exception):
        pass

    def close():
        seen.closed = True

    cv2 = SimpleNamespace(
        error=Error,
        WINDOW_NORMAL=0,
        WINDOW_GUI_NORMAL=16,
        resizeWindow=lambda _, *size: setattr(seen, 'size', size),
        WND_PROP_VISIBLE=4,
        namedWindow=lambda *_: None,
        imshow=lambda _, image: seen.shown.append(image),
        setWindowTitle=lambda _, title: setattr(seen, 'title', title),
        waitKey=lambda _: seen.key,
        getWindowProperty=lambda *_: seen.open,
        destroyAllWindows=close,
    )
    seen.cv2 = cv2
    monkeypatch.setattr(viewing, 'opencv', lambda user: cv2)
    monkeypatch.setenv('DISPLAY', ':7')
    return seen


@pytest.fixture
def finds_squares(monkeypatch):
    """The command finds red squares."""
    monkeypatch.setattr(inferencer, 'build_detector', lambda *_: RedSquareDetector())


@pytest.fixture
def source(tmp_path):
    return write_video(tmp_path / 'a.mp4', [picture(t) for t in range(LENGTH)])


def test_a_video_is_shown_before_and_after(window, source):
    assert view(anonymizer(), source) == LENGTH - 2  # it lags two frames behind
    assert len(window.shown) == LENGTH - 2 and window.closed
    for both in window.shown:
        before, after = both[:, :96, ::-1], both[:, 96:, ::-1]
        assert is_red(before).any() and not is_red(after).any()
    assert window.size == (2 * 96, 64)
    assert '1 faces' in window.title and 'frames per second' in window.title


def test_q_or_closing_the_window_ends_it(window, source):
    window.key = ord('q')
    assert view(anonymizer(), source) == 1
    window.key, window.open = -1, 0.0
    assert view(anonymizer(), source) == 1


def test_the_command_writes_nothing(window, source, tmp_path, capsys):
    before = sorted(tmp_path.rglob('*'))
    assert main([str(source), '--view']) == 0
    assert 'frames were shown, and nothing was written' in capsys.readouterr().out
    assert sorted(tmp_path.rglob('*')) == before
    for argv, said in (
        (['--view', '-o', str(tmp_path / 'out')], 'leave out -o/--out-dir'),
        ([], 'the following arguments are required: -o/--out-dir'),
    ):
        with pytest.raises(SystemExit):
            main([str(source), *argv])
        assert said in capsys.readouterr().err


def test_what_is_recorded_is_covered_and_r_pauses_it(
    window, source, finds_squares, tmp_path, capsys
):
    record = tmp_path / 'covered.mp4'
    keys = iter([-1, -1, ord('r'), -1, -1, ord('r')])
    window.cv2.waitKey = lambda _: next(keys, -1)
    assert main([str(source), '--view', '--record', str(record)]) == 0
    assert f'the covered frames are in {record}' in capsys.readouterr().out
    kept = read_frames(record)
    # Three before r is pressed, and after three more what is left of ten.
    assert len(kept) == 3 + 4 and kept[0].shape == (64, 96, 3)
    assert not any(is_red(frame).any() for frame in kept)
    assert sorted(one.name for one in tmp_path.iterdir()) == ['a.mp4', 'covered.mp4']
    assert 'recording' in window.title
    for argv, said in (
        (['--view', '--record', str(record)], 'exists; --overwrite replaces it'),
        (['--view', '--record', 'a.avi'], 'must be a *.mp4 file'),
        (['-o', 'out', '--record', 'b.mp4'], '--record needs --view'),
    ):
        with pytest.raises(SystemExit):
            main([str(source), *argv])
        assert said in capsys.readouterr().err


@contextmanager
def camera_that_goes_away(path, whole):
    """The address of a stream that ends in the middle of what it has announced."""
    content = path.read_bytes()

    class Camera(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header('Content-Length', str(10 * len(content)))
            self.end_headers()
            self.wfile.write(content[: int(whole * len(content))])

        def log_message(self, *_):
            pass

    with HTTPServer(('127.0.0.1', 0), Camera) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}/camera.ts'
        server.shutdown()


def test_a_camera_that_goes_away_is_told_of_and_what_was_recorded_is_kept(
    window, finds_squares, tmp_path, capsys
):
    source = write_video(tmp_path / 'a.ts', [picture(t) for t in range(30)])
    record = tmp_path / 'covered.mp4'
    with camera_that_goes_away(source, 0.7) as address:
        assert main([address, '--view', '--record', str(record)]) == 0
    said = capsys.readouterr()
    assert 'ends early' in said.err and 'Traceback' not in said.err
    assert window.closed and window.shown
    assert not any(is_red(frame).any() for frame in read_frames(record))


def test_where_no_window_can_be_opened_it_is_one_sentence(
    window, source, tmp_path, monkeypatch
):
    with pytest.raises(InputError, match='shows one camera, stream or video: give one'):
        view(anonymizer(), [source, source])

    def fail(*_):
        raise window.cv2.error('The function is not implemented')

    monkeypatch.setattr(window.cv2, 'namedWindow', fail)
    with pytest.raises(InputError, match='install opencv-python instead of'):
        view(anonymizer(), source)
    monkeypatch.setattr(viewing.sys, 'platform', 'linux')
    for name in ('DISPLAY', 'WAYLAND_DISPLAY'):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match='there is no display to open a window on'):
        view(anonymizer(), source)


def test_frames_of_a_camera_that_come_too_fast_are_left_out(source, monkeypatch):
    file = Source(str(source), 'a.mp4', 'video')
    assert len(list(newest_frames(file))) == LENGTH
    opened = viewing.VideoReader

    def slowly(where, live, *args):
        return opened(where, False, *args)

    monkeypatch.setattr(viewing, 'VideoReader', slowly)
    camera = Source(str(source), 'a.mp4', 'live')
    taken = []
    for image in newest_frames(camera):
        taken.append(image)
        time.sleep(0.3)
    assert 2 <= len(taken) < LENGTH
    # The last is there: what was left out is older.
    assert is_red(taken[-1])[:, 8 + 2 * (LENGTH - 1) + 4].any()
    assert not np.array_equal(taken[0], taken[-1])


def test_a_video_that_cannot_be_read_is_told_of(window, tmp_path):
    (tmp_path / 'a.mp4').write_bytes(b'no video')
    with pytest.raises(InputError, match='cannot be opened'):
        view(anonymizer(), tmp_path / 'a.mp4')


SHOW = """
import sys
from made_videos import RedSquareDetector, main
from mmanon.anonymizer import inferencer
inferencer.build_detector = lambda *_: RedSquareDetector()
sys.exit(main([sys.argv[1], '--view']))
"""


@pytest.fixture
def display():
    """The name of a display that nobody sees."""
    if shutil.which('Xvfb') is None:
        pytest.skip('there is no Xvfb to open a window on (Debian: xvfb)')
    cv2 = pytest.importorskip('cv2')
    if re.search(r'GUI: +NONE', cv2.getBuildInformation()):
        pytest.skip('this OpenCV cannot open windows')
    read, write = os.pipe()
    command = ['Xvfb', '-displayfd', str(write), '-screen', '0', '800x500x24']
    server = subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    try:
        yield f':{os.read(read, 16).decode().strip()}'
    finally:
        os.close(read)
        server.terminate()
        server.wait(20)


def test_a_real_window_shows_the_face_on_the_left_alone(display, tmp_path):
    frames = [np.kron(picture(t % 30), np.ones((4, 4, 1), np.uint8)) for t in range(90)]
    source = write_video(tmp_path / 'a.mp4', frames)
    tests = Path(__file__).parents[1]
    paths = os.pathsep.join(map(str, (tests, tests.parent)))
    shown = subprocess.Popen(
        [sys.executable, '-c', SHOW, str(source)],
        env={**os.environ, 'DISPLAY': display, 'PYTHONPATH': paths},
        stdout=subprocess.PIPE,
        text=True,
    )
    seen = []
    size = {'video_size': '800x500', 'framerate': '20'}
    with av.open(display, format='x11grab', options=size) as screen:
        for frame in screen.decode(video=0):
            if shown.poll() is not None:
                break
            seen.append(is_red(frame.to_ndarray(format='rgb24')))
    assert shown.returncode == 0
    assert '88 frames were shown' in shown.stdout.read()
    # The window is as large as both pictures.
    with_face = [one for one in seen if one.sum() > 1000]
    assert with_face
    for one in with_face:
        columns = np.flatnonzero(one.any(0))
        assert np.ptp(columns) < 80, 'there is a second one'
