import time

import numpy as np
import pytest

from mmanon.evaluation.functional.frame_map import (
    IOU_RANGE,
    FrameBoxes,
    mean_over_classes,
)
from mmanon.evaluation.functional.video_map import (
    link_tubes,
    trim_tube,
    video_average_precisions,
)
from mmanon.structures.tubes import Tube, fill_tube, tube_iou

SQUARE = [0, 0, 10, 10]


def tube(frames, box=SQUARE, score=1.0, label=0, video='v'):
    frames = np.array(frames)
    return Tube(
        video, label, frames, np.tile(np.array(box, float), (len(frames), 1)), score
    )


def people(*rows):
    """Detections of one class from (frame, x, score): squares with a side of 10."""
    frames, lefts, scores = zip(*rows, strict=True)
    boxes = [[x, 0, x + 10, 10] for x in lefts]
    return FrameBoxes(frames, [0] * len(frames), boxes, scores)


# Tubes and their overlap


def test_perfect_tubes_have_an_average_precision_of_1():
    truth = [
        tube(range(10)),
        tube(range(4, 9), [20, 0, 30, 10], label=1),
        tube(range(3), video='w'),
    ]
    precisions = video_average_precisions(truth, truth, 2, [0.2, 0.5, *IOU_RANGE])
    assert (precisions == 1).all()


def test_half_of_a_tube_reaches_half():
    truth = [tube(range(10))]
    found = [tube(range(5))]
    # An IoU of 5 / 10 reaches 0.2 and 0.5, and one of the ten of 0.5:0.95.
    thresholds = [0.2, 0.5, *IOU_RANGE]
    precisions = video_average_precisions(found, truth, 1, thresholds)[:, 0]
    assert precisions[:2].tolist() == [1, 1]
    assert precisions[2:].mean() == pytest.approx(0.1)
    # Half of the frames and half of the box: 0.25.
    found = [tube(range(5), [0, 0, 10, 5])]
    precisions = video_average_precisions(found, truth, 1, [0.2, 0.5])[:, 0]
    assert precisions.tolist() == [1, 0]


def test_tubes_are_taken_by_score_from_all_videos():
    truth = [tube(range(10)), tube(range(10), video='w')]
    found = [
        tube(range(10), score=0.8),
        tube(range(9), score=0.9),  # of the same one, and surer
        tube(range(10), video='w', score=0.3),
        tube(range(10), video='x', score=0.5),  # has no tube
    ]
    # Right (0.9), wrong: had (0.8), wrong (0.5), right (0.3): (1 + 2/4) / 2.
    assert video_average_precisions(found, truth, 1, [0.5]) == (1 + 1 / 2) / 2


def test_an_empty_class_does_not_count():
    truth = [tube(range(4), label=1)]
    found = [tube(range(4), label=1), tube(range(4), label=2)]
    precisions = video_average_precisions(found, truth, 3, [0.5])
    np.testing.assert_equal(precisions, [[np.nan, 1, np.nan]])
    assert mean_over_classes(precisions) == 1
    assert video_average_precisions([], truth, 2, [0.5])[0, 1] == 0
    assert np.isnan(video_average_precisions(found, [], 3, [0.5])).all()


def test_all_pairs_at_once_agree_with_pair_by_pair():
    random = np.random.default_rng(2)

    def some(count):
        for _ in range(count):
            begin, length = random.integers(0, 20), random.integers(1, 30)
            corners = random.uniform(0, 20, (length, 2))
            yield Tube(
                f'v{random.integers(3)}',
                int(random.integers(2)),
                begin + np.sort(random.choice(40, length, replace=False)),
                np.concatenate([corners, corners + 20], 1),
                float(random.random()),
            )

    found, truth = list(some(60)), list(some(12))
    thresholds = [0.02, 0.05, 0.1]
    precisions = video_average_precisions(found, truth, 2, thresholds)
    for thr, row in zip(thresholds, precisions, strict=True):
        for label in range(2):
            mine = [t for t in found if t.label == label]
            theirs = [t for t in truth if t.label == label]
            had, right, area = set(), 0, []
            for at, one in enumerate(sorted(mine, key=lambda t: -t.score), 1):
                ious = [tube_iou(one, t) if t.video == one.video else 0 for t in theirs]
                best = int(np.argmax(ious))
                if ious[best] >= thr and best not in had:
                    had.add(best)
                    right += 1
                    area.append(right / at)
            for at in reversed(range(len(area) - 1)):
                area[at] = max(area[at], area[at + 1])
            assert row[label] == pytest.approx(sum(area) / len(theirs))
    assert 0.1 < precisions[0].min()


# Linking


def test_two_people_who_stand_close_are_not_swapped():
    # They overlap by 5 of 15, above the threshold, and their scores cross.
    rows = []
    for frame in range(6):
        first, second = (0.9, 0.8) if frame % 2 else (0.7, 0.75)
        rows += [(frame, 0, first), (frame, 5, second)]
    tubes = link_tubes(people(*rows))
    assert [set(one.boxes[:, 0].tolist()) for one in tubes] == [{5}, {0}]
    assert [len(one) for one in tubes] == [6, 6]
    by_left = {one.boxes[0, 0]: one for one in tubes}
    assert by_left[0].score == pytest.approx(0.8)
    assert by_left[5].score == pytest.approx(0.775)
    # Going by the score alone swaps them.
    swapped = link_tubes(people(*rows), iou_weight=0)
    assert any(len(set(one.boxes[:, 0])) == 2 for one in swapped)


def test_a_surer_tube_chooses_first():
    # Both tubes overlap the only box of frame 1; it falls to the surer one, though the
    # other overlaps it more.
    tubes = link_tubes(people((0, 0, 0.9), (0, 6, 0.5), (1, 4, 0.6)))
    assert [(one.boxes[0, 0], len(one)) for one in tubes] == [(0, 2), (6, 1)]


def test_a_gap_is_bridged_and_filled():
    rows = [(1, 0, 0.9), (2, 1, 0.9), (5, 4, 0.3)]
    [one] = link_tubes(people(*rows), max_gap=3)
    assert one.frames.tolist() == [1, 2, 5]
    assert one.score == pytest.approx(0.7)
    whole = fill_tube(one)
    assert whole.frames.tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(whole.boxes[:, 0], [0, 1, 2, 3, 4])
    np.testing.assert_allclose(whole.boxes[:, 2], [10, 11, 12, 13, 14])
    assert whole.score == one.score
    assert fill_tube(one, np.array([0, 1, 2, 3, 5, 8])).frames.tolist() == [1, 2, 3, 5]
    # Three frames back is too far.
    parts = link_tubes(people(*rows), max_gap=2)
    assert [part.frames.tolist() for part in parts] == [[1, 2], [5]]


def test_what_does_not_overlap_begins_a_tube():
    tubes = link_tubes(people((0, 0, 0.9), (1, 20, 0.8), (2, 0.5, 0.7)))
    assert [one.frames.tolist() for one in tubes] == [[0, 2], [1]]
    # By 8 of 12 it does, but that is not enough.
    tubes = link_tubes(people((0, 0, 0.9), (1, 2, 0.8)), iou_thr=0.7)
    assert [len(one) for one in tubes] == [1, 1]


def test_only_the_surest_boxes_of_a_frame_count():
    rows = [(f, 20 * k, 0.1 * k + 0.1) for f in range(3) for k in range(4)]
    tubes = link_tubes(people(*rows), top_k=2)
    assert sorted(one.boxes[0, 0] for one in tubes) == [40, 60]


def test_classes_are_linked_apart_and_short_tubes_dropped():
    found = FrameBoxes(
        [2, 1, 1, 2, 3], [1, 0, 1, 0, 1], [SQUARE] * 5, [0.5, 0.9, 0.7, 0.8, 0.6]
    )
    tubes = link_tubes(found, 'clip')
    assert [(t.video, t.label, t.frames.tolist()) for t in tubes] == [
        ('clip', 0, [1, 2]),
        ('clip', 1, [1, 2, 3]),
    ]
    assert [t.label for t in link_tubes(found, min_length=3)] == [1]
    assert link_tubes(FrameBoxes([], [], [])) == []


def test_trimming_keeps_where_the_action_goes_on():
    scores = np.array([0.1, 0.2, 0.9, 0.4, 0.9, 0.1, 0.1, 0.8])
    frames = np.arange(10, 18)
    whole = Tube('v', 0, frames, np.tile(SQUARE, (8, 1)), scores.mean(), scores)
    # Gains of acting over not, 2s - 1: -.8 -.6 .8 -.2 .8 -.8 -.8 .6. At a cost of 0.25
    # for each change, the 0.4 is worth keeping (leaving it out gains 0.2 and costs
    # 0.5), and so is the end (gains 0.6, costs 0.25).
    parts = trim_tube(whole, 0.25)
    assert [part.frames.tolist() for part in parts] == [[12, 13, 14], [17]]
    assert parts[0].score == pytest.approx((0.9 + 0.4 + 0.9) / 3)
    assert [len(part) for part in trim_tube(whole, 0)] == [1, 1, 1]
    # At 0.65 the end (0.6) no longer is; the middle gains 1.4 for two changes.
    assert [part.frames.tolist() for part in trim_tube(whole, 0.65)] == [[12, 13, 14]]
    assert trim_tube(whole, 0.75) == []
    with pytest.raises(ValueError, match='box_scores in'):
        trim_tube(tube([1, 2]), 1)


def test_wrong_linking_arguments_are_named():
    nothing = FrameBoxes([], [], [])
    with pytest.raises(ValueError, match='iou_thr must be in'):
        link_tubes(nothing, iou_thr=1.5)
    with pytest.raises(ValueError, match='max_gap must be at least 1, got 0'):
        link_tubes(nothing, max_gap=0)


def test_a_hundred_thousand_detections_take_seconds():
    random = np.random.default_rng(0)
    found, truth = [], []
    begin = time.process_time()
    for video in range(50):
        # 20 people of 100 frames, each with one of 24 classes, as they walk about.
        walk = random.normal(0, 1, (100, 20, 2)).cumsum(0) + random.uniform(
            0, 300, (20, 2)
        )
        boxes = np.concatenate([walk, walk + 30], 2).reshape(-1, 4)
        frames = np.repeat(np.arange(100), 20)
        labels = np.tile(np.arange(20) + video % 5, 100)
        detections = FrameBoxes(frames, labels, boxes, random.random(2000))
        found += map(fill_tube, link_tubes(detections, f'v{video}'))
        for person in range(20):
            at = slice(person, None, 20)
            truth.append(Tube(f'v{video}', int(labels[person]), frames[at], boxes[at]))
    precisions = video_average_precisions(found, truth, 24, IOU_RANGE)
    assert time.process_time() - begin < 30
    assert (precisions == 1).all()


def test_a_label_that_is_no_class_is_named():
    with pytest.raises(ValueError, match='label 3 is not one of the 2 classes'):
        video_average_precisions([], [tube([1], label=3)], 2)
