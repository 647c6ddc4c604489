import numpy as np
import pytest
from made_videos import RED, SIDE, RedSquareDetector, anonymizer, is_red, picture

from mmanon.anonymizer.live import LiveAnonymizer


def covered(frames, found_by=None, delay=2, **options):
    detector = found_by or RedSquareDetector()
    live = LiveAnonymizer(anonymizer(detector=detector, **options), delay)
    return [live.put(frame) for frame in frames]


def test_each_frame_comes_covered_after_the_delay():
    frames = [picture(t) for t in range(8)]
    for t, frame in enumerate(frames):
        frame[-1, -1] = t
    shown = covered(frames, delay=3)
    assert [one.image is None for one in shown] == [True] * 3 + [False] * 5
    for t, one in enumerate(shown[3:]):
        assert not is_red(one.image).any() and len(one.masks) == 1
        assert one.image[-1, -1].tolist() == [t] * 3  # of the frame three before
    assert is_red(frames[4]).any()  # what was given is not changed


def test_a_face_is_covered_before_it_is_found_and_where_it_is_lost():
    frames = [picture(t) for t in range(12)]
    shown = covered(frames, RedSquareDetector(blind=[0, 1, 6, 7]), delay=2)
    for one in shown[2:]:
        assert not is_red(one.image).any()


def test_what_cannot_be_examined_or_drawn_is_masked_whole(monkeypatch):
    frames = [picture(t) for t in range(6)]
    shown = covered(frames, RedSquareDetector(raising=[2]), delay=1)
    assert (shown[3].image == 127).all()
    assert not (shown[5].image == 127).all()
    live = LiveAnonymizer(anonymizer(), 1)

    def fail(*_):
        raise RuntimeError('out of memory')

    monkeypatch.setattr(live.faces.compositor, 'apply', fail)
    live.put(frames[0])
    assert (live.put(frames[1]).image == 127).all()


def test_another_size_begins_anew():
    live = LiveAnonymizer(anonymizer(), 1)
    live.put(picture(0))
    assert live.put(picture(1)).image.shape == (64, 96, 3)
    other = np.full((80, 60, 3), 110, np.uint8)
    other[10 : 10 + SIDE, 10 : 10 + SIDE] = RED
    assert live.put(other).image is None
    second = live.put(other).image
    assert second.shape == (80, 60, 3) and not is_red(second).any()


def test_regions_of_the_camera_are_covered():
    shown = covered([picture(t) for t in range(3)], regions=['cover:60,40 96,40 96,64'])
    assert (shown[2].image[42:48, 88:94] == 127).all()


def test_nothing_grows_however_long_it_runs():
    live = LiveAnonymizer(anonymizer(), 2)
    for t in range(300):
        last = live.put(picture(t % 30))
    (planner,) = live._planners
    assert len(planner._waiting) == 2 and len(planner._tracks) < 10
    assert last.rate > 0 and 0 < last.seconds < 5


def test_a_delay_of_nothing_is_refused():
    with pytest.raises(ValueError, match='delay must be at least 1 frame, got 0'):
        LiveAnonymizer(anonymizer(), 0)
