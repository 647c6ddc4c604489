import av
import numpy as np
import pytest
from made_videos import read_frames, read_times

from mmanon.anonymizer.io.sources import InputError
from mmanon.anonymizer.recording import Recording


class Clock:
    now = 5.0

    def __call__(self):
        return self.now


def frame(value, size=(48, 64)):
    return np.full((*size, 3), value, np.uint8)


def test_frames_keep_the_times_at_which_they_come_but_for_pauses(tmp_path):
    clock = Clock()
    recording = Recording(tmp_path / 'a.mp4', now=clock)
    for value, gap in ((20, 0), (60, 0.5), (100, 0.25)):
        clock.now += gap
        recording.put(frame(value))
    recording.pause()
    clock.now += 100
    recording.put(frame(200))
    assert recording.finish() == tmp_path / 'a.mp4'
    times = [float(one) for one in read_times(tmp_path / 'a.mp4')]
    assert times == pytest.approx([0, 0.5, 0.75, 0.79], abs=0.002)
    means = [one.mean() for one in read_frames(tmp_path / 'a.mp4')]
    assert means == pytest.approx([20, 60, 100, 200], abs=4)


def test_a_frame_of_another_size_is_fitted_into_the_first(tmp_path):
    recording = Recording(tmp_path / 'a.mp4')
    recording.put(frame(90, (49, 63)))
    recording.put(frame(90, (80, 40)))
    first, second = read_frames(recording.finish())
    assert first.shape == second.shape == (50, 64, 3)
    assert abs(int(first[-1, -1, 0]) - 90) < 5  # no black edge
    assert second[25, 32, 0] > 80 and second[25, 2, 0] < 30


def test_it_is_whole_or_not_there(tmp_path):
    recording = Recording(tmp_path / 'a.mp4')
    recording.put(frame(20))
    assert not (tmp_path / 'a.mp4').exists()
    recording.discard()
    recording.put(frame(30))
    assert recording.finish() is None and list(tmp_path.iterdir()) == []
    empty = Recording(tmp_path / 'b.mp4')
    assert empty.finish() is None and list(tmp_path.iterdir()) == []
    with pytest.raises(
        InputError, match=r'a recording is an MP4 file: write it to .*a.mp4'
    ):
        Recording(tmp_path.relative_to(tmp_path) / 'a.avi')


def test_it_grows_no_longer_than_it_may(tmp_path):
    clock = Clock()
    recording = Recording(tmp_path / 'a.mp4', longest=2, now=clock)
    for value in range(10):
        recording.put(frame(value * 20))
        clock.now += 1
    assert recording.is_full
    with av.open(str(recording.finish())) as container:
        assert len(list(container.decode(video=0))) == 3
