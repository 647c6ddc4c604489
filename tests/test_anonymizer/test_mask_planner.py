from dataclasses import replace

import numpy as np
import pytest

from mmanon.anonymizer.mask_planner import MaskPlanner, SearchedFrame, thumbnail
from mmanon.structures.face_table import Faces

SIZE = (200, 100)


def faces(*boxes, score=0.9, examined=True):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    return Faces(
        boxes / np.float32([*SIZE, *SIZE]),
        np.full(len(boxes), score, np.float32),
        np.full((len(boxes), 5, 2), np.nan, np.float32),
        np.full(len(boxes), -1, np.int32),
        examined,
    )


def scenery(seed=0, brightness=1.0):
    image = np.random.default_rng(seed).integers(0, 255, (24, 32, 3))
    return thumbnail((image * brightness).astype(np.uint8))


def at(t, step=4, **kwargs):
    return faces([10 + step * t, 30, 30 + step * t, 50], **kwargs)


def plan(frames, thumbnails=None, similarity=None, **kwargs):
    thumbnails = thumbnails or [scenery()] * len(frames)
    seen = [
        SearchedFrame(
            t, found, SIZE, small, None if similarity is None else similarity[t]
        )
        for t, (found, small) in enumerate(zip(frames, thumbnails, strict=True))
    ]
    planned = list(MaskPlanner(**kwargs).plan(seen))
    assert [frame.picture for frame in planned] == list(range(len(frames)))
    return planned


def holds(cover, box):
    box = np.asarray(box, float)
    return (cover.box[:2] <= box[:2] + 1e-3).all() and (
        cover.box[2:] >= box[2:] - 1e-3
    ).all()


def test_a_gap_is_bridged_where_the_face_must_have_been():
    frames = [faces() if 5 <= t < 15 else at(t) for t in range(25)]
    for t, frame in enumerate(plan(frames, hold=2)):
        assert len(frame.masks) == 1, t
        assert holds(frame.masks[0], [10 + 4 * t, 30, 30 + 4 * t, 50])
        assert frame.masks[0].seen == (not 5 <= t < 15)
    assert len({frame.masks[0].track for frame in plan(frames, hold=2)}) == 1


def test_a_face_lost_in_its_second_frame_is_still_followed():
    frames = [at(t, step=1) if t % 4 == 0 else faces() for t in range(21)]
    assert all(len(frame.masks) == 1 for frame in plan(frames, hold=0))


def test_a_face_is_held_before_and_after_it_is_seen():
    frames = [at(t, step=0) if 10 <= t < 12 else faces() for t in range(30)]
    covered = [t for t, frame in enumerate(plan(frames, hold=3)) if frame.masks]
    assert covered == list(range(7, 15))


def test_a_weak_candidate_counts_next_to_a_track_only():
    frames = [at(t, score=0.9 if t < 5 else 0.35) for t in range(10)]
    assert all(frame.masks[0].seen for frame in plan(frames))
    alone = [at(t, score=0.35) for t in range(10)]
    assert not any(frame.masks for frame in plan(alone))


def test_boxes_cover_a_moving_head_and_are_steadier_than_what_was_found():
    jitter = np.random.default_rng(1).normal(0, 2, (40, 4))
    boxes = [np.array([90, 30, 110, 50]) + shift for shift in jitter]
    covers = [frame.masks[0] for frame in plan([faces(box) for box in boxes])]
    assert all(holds(*mask) for mask in zip(covers, boxes, strict=True))
    sides = np.array([mask.box[2] - mask.box[0] for mask in covers])
    found = np.array([box[2] - box[0] for box in boxes])
    assert np.abs(np.diff(sides)).mean() < np.abs(np.diff(found)).mean()
    fast = plan([at(t, step=10) for t in range(15)])
    for t, frame in enumerate(fast[1:-1], 1):
        # As it was a frame ago and as it will be: blur of motion lies in between.
        assert holds(frame.masks[0], [10 * t, 30, 40 + 10 * t, 50])


def test_a_scene_cut_ends_tracks():
    frames = [at(t, step=0) if t < 10 else faces() for t in range(20)]
    cut = [scenery(0)] * 10 + [scenery(1)] * 10
    assert not any(frame.masks for frame in plan(frames, cut)[10:])
    both = [at(0)] * 20
    tracks = [frame.masks[0].track for frame in plan(both, cut)]
    assert len(set(tracks[:10])) == len(set(tracks[10:])) == 1
    assert tracks[0] != tracks[-1]


@pytest.mark.parametrize('flash', [scenery(7), np.zeros((24, 32), np.float32)])
def test_a_flash_is_no_scene_cut(flash):
    frames = [faces() if t in (9, 10, 11) else at(t, step=0) for t in range(20)]
    small = [flash if t in (10, 11) else scenery() for t in range(20)]
    assert all(frame.masks for frame in plan(frames, small, hold=0))


def test_a_frame_nobody_examined_is_covered_whole_and_tracks_go_on():
    frames = [at(t) for t in range(10)]
    frames[4] = Faces.whole_frame()
    planned = plan(frames)
    assert [plan.whole for plan in planned] == [t == 4 for t in range(10)]
    assert len({cover.track for plan in planned for cover in plan.masks}) == 1


def test_two_people_keep_their_tracks():
    frames = [
        faces([10 + t, 10, 30 + t, 30], [150 - t, 60, 170 - t, 80]) for t in range(20)
    ]
    for frame in plan(frames):
        left = {cover.track for cover in frame.masks if cover.box[1] < 40}
        right = {cover.track for cover in frame.masks if cover.box[1] > 40}
        assert left == {0} and right == {1}


def test_memory_is_bounded_by_the_look_ahead():
    given = []

    def endless():
        for t in range(300):
            given.append(t)
            yield SearchedFrame(t, at(0), SIZE, scenery())

    planner = MaskPlanner(look_ahead=10, hold=5)
    for plan in planner.plan(endless()):
        assert len(given) - plan.picture <= 14
        assert sum(len(t.sightings) for t in planner._tracks.values()) <= 45


def test_who_is_visible_is_asked_with_the_frames_around():
    asked = []

    def visible(away, similarity):
        asked.append((away.tolist(), similarity.tolist()))
        return bool(np.median(similarity) > 0.5)

    frames = [at(t, step=0) for t in range(6)]
    planned = plan(
        frames, similarity=[[0.1 * t] for t in range(6)], visible=visible, hold=0
    )
    assert asked[2][0] == [-2, -1, 0, 1, 2, 3]
    assert asked[0][1] == pytest.approx([0.1 * t for t in range(6)])
    assert all(plan.masks and not plan.spared for plan in planned)
    planned = plan(frames, similarity=[[0.9]] * 6, visible=visible)
    assert all(not plan.masks and plan.spared == 1 for plan in planned)


@pytest.mark.parametrize('wrong', [{'look_ahead': 0}, {'hold': 31}, {'enlarge': -1}])
def test_impossible_numbers_are_refused(wrong):
    with pytest.raises(ValueError, match='must hold'):
        MaskPlanner(**wrong)


def test_a_weak_candidate_that_stays_counts_when_asked_to():
    frames = [at(t, score=0.35) if 8 <= t < 13 else faces() for t in range(25)]
    assert not any(frame.masks for frame in plan(frames))
    covered = [
        t
        for t, frame in enumerate(plan(frames, minimum_consecutive_frames=5, hold=2))
        if frame.masks
    ]
    assert covered == list(range(6, 15))


def test_a_weak_candidate_that_does_not_stay_is_left_alone():
    frames = [at(t, score=0.35) if 8 <= t < 12 else faces() for t in range(25)]
    assert not any(frame.masks for frame in plan(frames, minimum_consecutive_frames=5))
    sure = [at(t, score=0.9) if t == 8 else faces() for t in range(25)]
    assert any(frame.masks for frame in plan(sure, minimum_consecutive_frames=5))


@pytest.mark.parametrize('persist', [1, 31])
def test_no_more_frames_can_be_asked_for_than_are_known(persist):
    with pytest.raises(ValueError, match='minimum_consecutive_frames'):
        MaskPlanner(look_ahead=30, minimum_consecutive_frames=persist)


def test_a_head_leans_as_its_eyes_do_and_steadily():
    def leaning(t, tilt):
        found = at(t)
        eyes = np.array([[-8 * np.cos(tilt), -8 * np.sin(tilt)], [0, 0]])
        marks = np.full((1, 5, 2), np.nan, np.float32)
        marks[0, :2] = ([30 + 4 * t, 40] + eyes) / np.array(SIZE)
        return replace(found, landmarks=marks)

    # About half a circle, where angles jump from one sign to the other.
    for middle in (0.3, np.pi):
        frames = [leaning(t, middle + 0.1 * (-1) ** t) for t in range(20)]
        frames[10] = faces()
        tilts = np.array([frame.masks[0].tilt for frame in plan(frames)])
        away = np.angle(np.exp(1j * (tilts - middle)))
        assert np.abs(away[2:-2]).max() < 0.07
    # Nothing is known of how it leans: it stands.
    assert plan([at(0), at(1)])[0].masks[0].tilt == 0
