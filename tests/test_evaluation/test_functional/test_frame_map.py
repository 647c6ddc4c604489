import time

import numpy as np
import pytest

from mmanon.evaluation.functional.frame_map import (
    IOU_RANGE,
    FrameBoxes,
    average_precision,
    best_matches,
    box_ious,
    frame_average_precisions,
    mean_over_classes,
)

SQUARE, ASIDE = [0, 0, 10, 10], [20, 0, 30, 10]


def made_up(seed, frames=40, classes=3, overlapping=True):
    """Boxes of each frame, and detections near them and anywhere, scores all unlike."""
    random = np.random.default_rng(seed)
    truth, found = [], []
    for frame in range(frames):
        for place in range(random.integers(0, 5)):
            corner = random.uniform(0, 40, 2) if overlapping else [place * 60, 0]
            box = np.concatenate([corner, corner + random.uniform(20, 50, 2)])
            label = random.integers(classes)
            truth.append([frame, label, *box])
            for _ in range(random.integers(0, 4)):
                near = box + random.normal(0, 4, 4)
                # Now and then of another class.
                found.append(
                    [frame, (label + (random.random() < 0.1)) % classes, *near]
                )
        for _ in range(random.integers(0, 3)):
            corner = random.uniform(0, 200, 2)
            size = random.uniform(10, 40, 2)
            found.append([frame, random.integers(classes), *corner, *(corner + size)])
    truth, found = np.array(truth), np.array(found)
    scores = random.permutation(len(found)) / len(found)
    return (
        FrameBoxes(found[:, 0], found[:, 1], found[:, 2:], scores),
        FrameBoxes(truth[:, 0], truth[:, 1], truth[:, 2:]),
    )


def test_average_precision_is_interpolated_at_all_points():
    # Right, wrong, right of three: precisions 1, 1/2, 2/3 at recalls 1/3, 1/3, 2/3; the
    # third box is never found: (1 + 2/3) / 3.
    assert average_precision([True, False, True], 3) == pytest.approx(5 / 9)
    # Precisions 0, 1/2, 2/3, 3/4: each recall counts the 3/4 that is reached after it.
    assert average_precision([False, True, True, True], 3) == pytest.approx(3 / 4)
    assert average_precision([True, True], 2) == 1
    assert average_precision([False], 2) == 0
    assert average_precision([], 2) == 0


def test_two_classes_in_three_frames():
    truth = FrameBoxes([1, 1, 2, 3], [0, 1, 0, 1], [SQUARE, ASIDE, SQUARE, SQUARE])
    found = FrameBoxes(
        [1, 2, 3, 1, 1],
        [0, 0, 0, 1, 1],
        # Class 0: right; IoU 0.4 with its box, wrong; no box of the class, wrong.
        # Class 1: right with an IoU of 0.8; twice, wrong.
        [SQUARE, [0, 0, 10, 4], SQUARE, [20, 0, 30, 8], ASIDE],
        [0.6, 0.9, 0.7, 0.8, 0.3],
    )
    precisions = frame_average_precisions(found, truth, 2, [0.5, 0.9, 0.4])
    # At 0.5: class 0 is wrong, wrong, right, of two boxes: 1/3 / 2. Class 1 is right,
    # wrong, of two: 1/2.
    np.testing.assert_allclose(precisions[0], [1 / 6, 1 / 2])
    # At 0.9 the surer one of class 1 is wrong and the second right: 1/2 / 2.
    np.testing.assert_allclose(precisions[1], [1 / 6, 1 / 4])
    # At 0.4 class 0 is right, wrong, right: (1 + 2/3) / 2.
    np.testing.assert_allclose(precisions[2], [5 / 6, 1 / 2])
    np.testing.assert_allclose(mean_over_classes(precisions[:1]), [1 / 3])


def test_the_mean_over_thresholds_counts_those_that_the_overlap_reaches():
    truth = FrameBoxes([0], [0], [SQUARE])
    found = FrameBoxes([0], [0], [[0, 0, 10, 7.2]], [0.5])
    # An IoU of 0.72 reaches 0.5, 0.55, 0.6, 0.65 and 0.7 of the ten.
    assert len(IOU_RANGE) == 10 and IOU_RANGE[0] == 0.5 and IOU_RANGE[-1] == 0.95
    assert frame_average_precisions(found, truth, 1, IOU_RANGE).mean() == 0.5


def test_a_second_detection_does_not_go_on_to_the_next_best_box():
    beside = [2, 0, 12, 10]  # overlaps the square by 8/12
    truth = FrameBoxes([0, 0], [0, 0], [SQUARE, beside])
    found = FrameBoxes([0, 0], [0, 0], [SQUARE, SQUARE], [0.9, 0.8])
    # Both look at the square: right, wrong, of two.
    assert frame_average_precisions(found, truth, 1) == 0.5


def test_equal_scores_keep_their_order():
    truth = FrameBoxes([0, 1], [0, 0], [SQUARE, SQUARE])
    right, wrong = SQUARE, ASIDE
    for boxes, expected in [([right, wrong], 1 / 2), ([wrong, right], 1 / 4)]:
        found = FrameBoxes([0, 0], [0, 0], boxes, [0.5, 0.5])
        assert frame_average_precisions(found, truth, 1) == expected


def test_rounding_errors_decide_nothing():
    # As wide as each other, and the detection inside of both: the first one counts,
    # though the IoU with the second comes out 1e-16 greater.
    boxes = np.array([[0.152, 0.161, 0.552, 0.561], [0.165, 0.159, 0.565, 0.559]])
    inside = np.array([[0.182, 0.202, 0.537, 0.536]])
    ious = box_ious(boxes, inside)
    assert ious[0] != ious[1]
    best, _ = best_matches(np.zeros(2, int), np.arange(2), ious, 1)
    assert best.tolist() == [0]
    # Half of the width is half, though it comes out as 0.49999999999999994.
    truth = FrameBoxes([0], [0], [[0.1, 0, 0.5, 1]])
    found = FrameBoxes([0], [0], [[0.1, 0, 0.3, 1]], [1])
    assert box_ious(found.boxes, truth.boxes) < 0.5
    assert frame_average_precisions(found, truth, 1, [0.5]) == 1


def test_classes_without_ground_truth_do_not_count():
    truth = FrameBoxes([0], [1], [SQUARE])
    found = FrameBoxes([0, 0], [1, 2], [SQUARE, SQUARE], [0.9, 0.8])
    precisions = frame_average_precisions(found, truth, 4)
    np.testing.assert_equal(precisions, [[np.nan, 1, np.nan, np.nan]])
    assert mean_over_classes(precisions) == 1
    nothing = FrameBoxes([], [], [])
    assert frame_average_precisions(nothing, truth, 2)[0, 1] == 0
    precisions = frame_average_precisions(found, nothing, 3)
    assert np.isnan(precisions).all() and np.isnan(mean_over_classes(precisions))


def test_wrong_boxes_labels_and_thresholds_are_named():
    boxes = FrameBoxes([4], [2], [SQUARE], [0.5])
    with pytest.raises(ValueError, match='label 2 is not one of the 2 classes'):
        frame_average_precisions(boxes, boxes, 2)
    with pytest.raises(ValueError, match=r'threshold must be in \(0, 1\], got 0'):
        frame_average_precisions(boxes, boxes, 3, [0])
    with pytest.raises(ValueError, match='frame 4: box .* with score nan'):
        FrameBoxes([4], [0], [SQUARE], [np.nan])
    with pytest.raises(ValueError, match=r'labels must be \(1,\).*got \(2,\)'):
        FrameBoxes([4], [0, 1], [SQUARE])


@pytest.mark.parametrize('seed', range(4))
def test_agrees_with_mmdet(seed):
    from mmdet.evaluation.functional.mean_ap import eval_map

    found, truth = made_up(seed)
    detections, annotations = [], []
    for frame in range(40):
        at, true_at = found.frames == frame, truth.frames == frame
        rows = np.column_stack([found.boxes, found.scores])
        detections.append([rows[at & (found.labels == c)] for c in range(3)])
        annotations.append(
            dict(bboxes=truth.boxes[true_at], labels=truth.labels[true_at])
        )
    thresholds = [0.5, 0.75]
    precisions = frame_average_precisions(found, truth, 3, thresholds)
    assert 0.02 < precisions.min() and precisions.max() < 0.95
    for thr, row in zip(thresholds, precisions, strict=True):
        mean, classes = eval_map(
            detections, annotations, iou_thr=thr, logger='silent', nproc=1
        )
        np.testing.assert_allclose(row, [one['ap'] for one in classes], atol=1e-6)
        assert mean_over_classes(row[None])[0] == pytest.approx(mean, abs=1e-6)


@pytest.mark.parametrize('seed', range(4))
def test_agrees_with_pycocotools(seed, capsys):
    coco = pytest.importorskip('pycocotools.coco')
    cocoeval = pytest.importorskip('pycocotools.cocoeval')
    # COCO lets a second detection go on to the next best box; boxes that lie apart
    # leave it none.
    found, truth = made_up(seed, overlapping=False)

    def rows(boxes):
        low, size = boxes.boxes[:, :2], boxes.boxes[:, 2:] - boxes.boxes[:, :2]
        for index in range(len(boxes)):
            yield dict(
                id=index + 1,
                image_id=int(boxes.frames[index]),
                category_id=int(boxes.labels[index]),
                bbox=[*low[index], *size[index]],
                area=float(size[index].prod()),
                score=float(boxes.scores[index]),
                iscrowd=0,
            )

    theirs = coco.COCO()
    theirs.dataset = dict(
        images=[dict(id=frame) for frame in range(40)],
        categories=[dict(id=c, name=str(c)) for c in range(3)],
        annotations=list(rows(truth)),
    )
    theirs.createIndex()
    evaluation = cocoeval.COCOeval(theirs, theirs.loadRes(list(rows(found))), 'bbox')
    evaluation.params.maxDets = [1000]
    evaluation.evaluate()
    evaluation.accumulate()
    precisions = frame_average_precisions(found, truth, 3, IOU_RANGE)
    # Theirs is the mean of the same curve at 101 recalls, ours its area.
    at_101 = evaluation.eval['precision'][:, :, :, 0, 0].mean(1)
    np.testing.assert_allclose(precisions, at_101, atol=0.015)
    assert precisions.mean() == pytest.approx(at_101.mean(), abs=0.005)
    # Which detections are right is the same, so that the area from theirs is ours.
    for c in range(3):
        ones = [e for e in evaluation.evalImgs if e and e['category_id'] == c]
        ones = [e for e in ones if e['aRng'] == [0, 1e10]]
        order = np.argsort(-np.concatenate([e['dtScores'] for e in ones]))
        right = np.concatenate([e['dtMatches'] for e in ones], axis=1)[:, order] > 0
        count = int((truth.labels == c).sum())
        area = [average_precision(row, count) for row in right]
        np.testing.assert_allclose(precisions[:, c], area)


def test_a_hundred_thousand_detections_take_seconds():
    random = np.random.default_rng(0)
    corners = random.uniform(0, 100, (100_000, 2))
    boxes = np.concatenate([corners, corners + random.uniform(20, 80, (100_000, 2))], 1)
    frames = np.arange(100_000) // 10
    labels = random.integers(24, size=100_000)
    found = FrameBoxes(frames, labels, boxes, random.random(100_000))
    truth = FrameBoxes(frames[::4], labels[::4], boxes[::4] + 1)
    begin = time.process_time()
    precisions = frame_average_precisions(found, truth, 24, IOU_RANGE)
    assert time.process_time() - begin < 20
    assert (precisions[0] > 0.2).all()
