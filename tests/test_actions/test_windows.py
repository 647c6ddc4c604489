import gc
import weakref

import numpy as np
import pytest

from mmanon.actions.windows import TimedFrame, sliding_windows


def numbered(count):
    return (TimedFrame(np.full((1, 1, 3), k, np.uint8), k / 10) for k in range(count))


@pytest.mark.parametrize('count', [0, 1, 5, 23])
@pytest.mark.parametrize('offsets', [[0], [-4, 0], [-6, -3, 0, 3], [-1, 0, 1, 2]])
@pytest.mark.parametrize('step', [1, 4, 11])
def test_a_window_is_taken_around_each_step_and_ends_are_repeated(count, offsets, step):
    windows = list(sliding_windows(numbered(count), offsets, step))
    assert [one.index for one in windows] == list(range(0, count, step))
    for one in windows:
        places = [one.index + offset for offset in offsets]
        inside = [min(max(place, 0), count - 1) for place in places]
        assert [int(frame[0, 0, 0]) for frame in one.frames] == inside
        assert one.repeated == (inside != places)
        assert one.time == one.index / 10 and one.middle[0, 0, 0] == one.index


def test_no_more_frames_are_held_than_a_window_needs():
    alive = set()

    def frames():
        for k in range(300):
            image = np.zeros((4, 4, 3), np.uint8)
            alive.add(k)
            weakref.finalize(image, alive.discard, k)
            yield TimedFrame(image, k)
            del image

    most = 0
    for _ in sliding_windows(frames(), [-16, -8, 0, 8], 8):
        gc.collect()
        most = max(most, len(alive))
    # Four of a window, its first, what comes next, and the last two.
    assert most <= 8
