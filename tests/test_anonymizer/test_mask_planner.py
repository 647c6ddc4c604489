from dataclasses import replace

import numpy as np
import pytest

from mmanon.anonymizer.io.sources import InputError
from mmanon.anonymizer.mask_planner import (
    MaskPlanner,
    SearchedFrame,
    thumbnail,
)
from mmanon.anonymizer.track_sheet import Chosen, TrackSheet
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


def textured(t, step=0, seed=0):
    """A picture that moves to the right by a step a frame."""
    dots = np.random.default_rng(seed).integers(0, 255, (13, 40)).astype(np.uint8)
    wide = dots.repeat(8, 0).repeat(8, 1)[: SIZE[1]]
    return np.roll(wide, step * t, 1)[:, : SIZE[0]]


def followed(frames, lumas, chosen=None, sheet=None, **kwargs):
    """Plan frames that are pictures; where there are no faces, nobody looked."""
    seen = [
        SearchedFrame(
            t,
            faces() if found is None else found,
            SIZE,
            scenery(),
            luma=luma,
            looked=found is not None,
        )
        for t, (found, luma) in enumerate(zip(frames, lumas, strict=True))
    ]
    return list(MaskPlanner(**kwargs).plan(seen, chosen, sheet))


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


def test_a_mask_knows_the_box_of_its_face_beside_what_is_masked_to_be_safe():
    planned = plan([at(t, step=2) for t in range(12)])
    (mask,) = planned[6].masks
    assert mask.face == pytest.approx([22, 30, 42, 50], abs=1e-3)
    assert holds(mask, mask.face + [-1, -1, 1, 1])
    assert mask.moved(np.array([-5, 3])).face == pytest.approx([17, 33, 37, 53])


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
    with pytest.raises(ValueError, match='must be at least 1'):
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


def test_a_face_is_followed_where_nobody_looked():
    frames = [at(t, step=3) if t in (0, 10) else None for t in range(20)]
    lumas = [textured(t, step=3) for t in range(20)]
    planned = followed(frames, lumas, hold=0)
    for t, frame in enumerate(planned):
        # After the last look, too, and not only on a straight line between two.
        assert len(frame.masks) == 1, t
        assert holds(frame.masks[0], [12 + 3 * t, 32, 28 + 3 * t, 48])


def test_a_face_is_followed_back_to_where_it_came_from():
    frames = [at(t, step=3) if t >= 12 else None for t in range(16)]
    lumas = [textured(t, step=3) for t in range(16)]
    assert all(frame.masks for frame in followed(frames, lumas, hold=0))
    # But not into frames that look otherwise.
    lumas[:6] = [textured(t, seed=1) for t in range(6)]
    covered = [bool(f.masks) for f in followed(frames, lumas, hold=0)]
    assert covered == [False] * 6 + [True] * 10


def test_what_is_followed_and_not_found_again_is_given_up():
    """The picture stays as it was, and each look says that there is no face."""
    frames = [at(0), at(0)] + [faces()] * 60
    lumas = [textured(0)] * 62
    covered = [bool(f.masks) for f in followed(frames, lumas, hold=0)]
    assert covered[:5] == [True] * 5 and not any(covered[30:])
    # At the border of the picture half a face is not found, and it stays.
    edge = [faces([-10, 30, 12, 54]), faces([-10, 30, 12, 54])] + [faces()] * 60
    lumas = [textured(0)] * 62
    assert all(f.masks for f in followed(edge, lumas, hold=0))


def test_evidence_adds_up_and_doubt_does_not():
    def covered(*scores):
        frames = [at(0, score=score) for score in scores]
        return any(frame.masks for frame in plan(frames))

    assert covered(0.62) and not covered(0.56)
    assert covered(0.56, 0.57, 0.58, 0.58)
    assert not covered(*[0.49] * 20)


def test_somebody_may_drop_a_track_and_keep_another():
    """Numbers stay what they were, whatever has been decided."""
    sure, unsure = [30, 30, 50, 50], [120, 30, 140, 50]
    frames = [
        Faces.concatenate([faces(sure), faces(unsure, score=0.5)]) for _ in range(8)
    ]
    lumas = [textured(0)] * 8

    def masks(**chosen):
        sets = {name: frozenset(numbers) for name, numbers in chosen.items()}
        planned = followed(frames, lumas, Chosen(**sets))
        return [sorted(mask.track for mask in frame.masks) for frame in planned]

    assert masks() == [[0]] * 8
    assert masks(drop=[0]) == [[]] * 8
    assert masks(keep=[1]) == [[0, 1]] * 8
    assert masks(drop=[0], keep=[1]) == [[1]] * 8


def test_the_sheet_is_told_of_masked_and_of_doubtful_tracks():
    frames = [
        Faces.concatenate(
            [faces([30, 30, 50, 50]), faces([120, 30, 140, 50], score=0.5)]
        )
        for _ in range(8)
    ]
    sheet = TrackSheet()
    followed(frames, [textured(0)] * 8, sheet=sheet)
    assert sheet.chosen()['least sure'] == [0]
    assert sheet.chosen()['not covered'] == [1]


def test_a_track_that_is_not_there_or_chosen_twice_is_refused():
    frames, lumas = [at(0)] * 4, [textured(0)] * 4
    with pytest.raises(InputError, match='there is no track 7: .*--preview'):
        followed(frames, lumas, Chosen(keep=frozenset([0, 7])))
    with pytest.raises(ValueError, match='track 3 is to be dropped and kept'):
        Chosen(frozenset([3]), frozenset([3, 4]))


def test_at_few_frames_a_second_a_face_is_held_for_as_long_and_not_for_as_many():
    def covered(rate):
        frames = [at(t, step=0) if t in (10, 11) else faces() for t in range(22)]
        seen = [SearchedFrame(t, one, SIZE, scenery()) for t, one in enumerate(frames)]
        plans = MaskPlanner(hold=4).plan(seen, rate=rate)
        return [t for t, frame in enumerate(plans) if frame.masks]

    assert covered(25.0) == covered(0) == covered(60.0) == list(range(6, 16))
    assert covered(6.0) == [9, 10, 11, 12]
