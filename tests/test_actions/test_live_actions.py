import time
from threading import Lock

import numpy as np
import pytest

from mmanon.actions.detector import ActionDetector
from mmanon.actions.live import LiveActions
from mmanon.anonymizer.frame_plan import FaceMask


@pytest.fixture(scope='module')
def detector(plain):
    return ActionDetector(plain / 'plain.py', plain / 'plain.pth')


def mask(track=4, x=40.0):
    return FaceMask(np.array([x, 20, x + 10, 32]), track, True, 0.9)


def frame(value, size=(64, 96)):
    return np.full((*size, 3), value, np.uint8)


def done(live):
    """Wait until it has looked."""
    until = time.monotonic() + 20
    while live._thread is not None and live._thread.is_alive():
        assert time.monotonic() < until
        time.sleep(0.01)
    return live.seen


def test_the_newest_window_is_looked_at_and_people_have_their_numbers(
    detector, monkeypatch
):
    looked = []

    def look(frames, people):
        looked.append(([int(one[0, 0, 0]) for one in frames], people))
        return ActionDetector.look(detector, frames, people)

    monkeypatch.setattr(detector, 'look', look)
    live = LiveActions(detector, Lock(), score_thr=0.0, top=2)
    for value in range(3):
        assert live.seen == [] and looked == []
        live.put(frame(value), [mask()])
    seen = done(live)
    ((values, people),) = looked
    assert values == [0, 2]  # two apart, as the config says, and the last is there
    assert len(people) == 1 and people[0][0] <= 40 <= people[0][2]
    assert [one.track for one in seen] == [4, 4]
    assert seen[0].score >= seen[1].score and seen[0].action.startswith('action ')
    live.put(frame(3), [])
    assert done(live) == []  # nobody is there any more
    assert looked[-1][0] == [1, 3]


def test_frames_do_not_wait_for_the_detector(detector):
    lock = Lock()
    live = LiveActions(detector, lock, score_thr=0.0)
    with lock:  # somebody else is asking
        start = time.monotonic()
        for value in range(50):
            live.put(frame(value), [mask()])
        assert time.monotonic() - start < 2
    assert done(live)
    assert len(live._frames) == 3


def test_large_frames_are_kept_small_with_their_boxes(detector):
    live = LiveActions(detector, Lock())
    live.put(frame(0, (480, 640)), [mask(x=320.0)])
    kept = live._frames[-1]
    assert max(kept.image.shape) == 340
    assert kept.boxes[0, 0] < 325 * 340 / 640 < kept.boxes[0, 2]
    live.put(frame(0), [])  # another size begins anew
    assert len(live._frames) == 1


def test_a_detector_of_single_frames_is_refused(detector, monkeypatch):
    monkeypatch.setattr(detector, 'takes_people', False)
    with pytest.raises(ValueError, match='needs a detector of clips'):
        LiveActions(detector, Lock())
