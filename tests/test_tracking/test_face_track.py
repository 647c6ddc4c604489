import numpy as np
import pytest

from mmanon.tracking.face_track import FaceTrack, Sighting


def track(*frames, step=4.0, seen=True):
    found = FaceTrack(0, 0)
    for frame in frames:
        box = np.array([10.0, 20, 30, 44]) + [step * frame, 0, step * frame, 0]
        found.add(Sighting(frame, box, 0.9, np.nan, 0.0, seen))
    return found


def test_between_two_frames_a_face_is_on_a_straight_line():
    place = track(0, 10).place(5, hold=0)
    # A frame before and a frame later as well.
    assert place.box == pytest.approx([26, 20, 54, 44])
    assert (place.seen, place.away, place.score) == (False, 5, 0.0)


def test_a_face_grows_in_the_direction_in_which_it_moves():
    still, fast = (track(0, 1, 2, step=step).place(1, hold=0).box for step in (0, 8))
    assert still == pytest.approx([10, 20, 30, 44])
    assert fast[3] - fast[1] == 24 and fast[2] - fast[0] == pytest.approx(36)


def test_beyond_its_frames_a_face_is_held_and_then_gone():
    held = track(5, 6, step=0)
    assert [held.place(frame, hold=2) is not None for frame in range(2, 11)] == [
        False,
        *[True] * 6,
        False,
        False,
    ]


def test_what_was_followed_is_where_it_was_found_and_not_seen():
    place = track(0, 1, seen=False).place(1, hold=0)
    assert (place.seen, place.away) == (False, 0)


def test_evidence_adds_up_and_has_a_most():
    found = track(0)
    for _ in range(5):
        found.weigh(2.0)
    found.weigh(-1.0)
    assert found.evidence == 5.0


def test_what_is_long_ago_is_forgotten():
    found = track(0, 1, 2, 3)
    found.forget_before(2)
    assert [sighting.frame for sighting in found.sightings] == [2, 3]


def test_a_box_that_trembles_is_steadied_and_one_that_moves_is_followed():
    trembling, moving = FaceTrack(0, 0), FaceTrack(1, 0)
    rng, box = np.random.default_rng(0), np.array([10.0, 20, 60, 80])
    for frame in range(20):
        shaken = box + rng.normal(0, 1.5, 4)
        trembling.add(Sighting(frame, shaken, 0.9, np.nan, 0.0))
        # It stands still, and begins to run.
        ran = box + [12 * max(frame - 10, 0), 0] * 2
        moving.add(Sighting(frame, ran, 0.9, np.nan, 0.0))
    seen = np.array([one.box for one in trembling.sightings])
    steady = np.array([trembling.place(frame, 0).steady for frame in range(20)])
    rough = np.abs(np.diff(seen[4:16], axis=0)).mean()
    assert np.abs(np.diff(steady[4:16], axis=0)).mean() < 0.25 * rough
    for frame in range(20):
        here = moving.sightings[frame].box
        away = np.abs(moving.place(frame, 0).steady - here)
        assert away.max() <= 6.0 + 1e-9
        assert frame not in (4, 15) or away.max() < 1e-9
