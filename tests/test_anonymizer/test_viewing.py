"""The window: with an OpenCV that is made up, as there is no display here."""

import time
from types import SimpleNamespace

import numpy as np
import pytest
from made_videos import anonymizer, is_red, main, picture, write_video

from mmanon.anonymizer import viewing
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
def source(tmp_path):
    return write_video(tmp_path / 'a.mp4', [picture(t) for t in range(LENGTH)])


def test_a_video_is_shown_before_and_after(window, source):
    assert view(anonymizer(), source) == LENGTH - 2  # it lags two frames behind
    assert len(window.shown) == LENGTH - 2 and window.closed
    for both in window.shown:
        before, after = both[:, :96, ::-1], both[:, 96:, ::-1]
        assert is_red(before).any() and not is_red(after).any()
    assert '1 faces' in window.title and 'frames a second' in window.title


def test_q_or_closing_the_window_ends_it(window, source):
    window.key = ord('q')
    assert view(anonymizer(), source) == 1
    window.key, window.open = -1, 0.0
    assert view(anonymizer(), source) == 1


def test_the_command_writes_nothing(window, source, tmp_path, capsys):
    before = sorted(tmp_path.rglob('*'))
    assert main([str(source), '--view']) == 0
    assert 'frames were shown, and none was written' in capsys.readouterr().out
    assert sorted(tmp_path.rglob('*')) == before
    for argv, said in (
        (['--view', '-o', str(tmp_path / 'out')], 'leave out -o/--out-dir'),
        ([], 'the following arguments are required: -o/--out-dir'),
    ):
        with pytest.raises(SystemExit):
            main([str(source), *argv])
        assert said in capsys.readouterr().err


def test_where_no_window_can_be_opened_it_is_one_sentence(
    window, source, tmp_path, monkeypatch
):
    with pytest.raises(InputError, match='shows one camera, stream or video: name one'):
        view(anonymizer(), [source, source])

    def fail(*_):
        raise window.cv2.error('The function is not implemented')

    monkeypatch.setattr(window.cv2, 'namedWindow', fail)
    with pytest.raises(InputError, match='install opencv-python in the place of'):
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
