import time

import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmdet.structures import DetDataSample
from mmengine.evaluator import Evaluator
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from tiny import tiny_config, write_tiny_ava, write_tiny_faces

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


def test_iou_of_boxes():
    # Half of a square: 50 / 100. A quarter shared by two squares: 25 / 175.
    boxes = np.array([SQUARE, SQUARE, SQUARE, [5, 5, 5, 5]], float)
    others = np.array([[0, 0, 10, 5], [5, 5, 15, 15], ASIDE, [5, 5, 5, 5]], float)
    np.testing.assert_allclose(box_ious(boxes, others), [0.5, 1 / 7, 0, 0])


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
    with pytest.raises(ValueError, match='label 2 is none of the 2 classes'):
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


# The metric


@pytest.fixture
def ava(tmp_path):
    """Two videos: run and jump in the first, jump in the second; nobody sits."""
    lines = [
        'a,0001,0.0,0.0,0.5,1.0,1,0',
        'a,0001,0.0,0.0,0.5,1.0,2,0',
        'a,0002,0.5,0.0,1.0,1.0,1,1',
        'b,0001,0.0,0.0,0.5,1.0,2,0',
    ]
    (tmp_path / 'boxes.csv').write_text('\n'.join(lines) + '\n')
    (tmp_path / 'labels.pbtxt').write_text(
        ''.join(
            f'item {{\n  name: "{name}"\n  id: {number}\n}}\n'
            for number, name in enumerate(['run', 'jump', 'sit'], 1)
        )
    )
    return dict(
        type='mmanon.FrameMAPMetric',
        ann_file=str(tmp_path / 'boxes.csv'),
        label_file=str(tmp_path / 'labels.pbtxt'),
    )


LEFT, RIGHT = [0, 0, 0.5, 1], [0.5, 0, 1, 1]


def clip_sample(video, timestamp, boxes, scores):
    sample = ActionDataSample()
    sample.pred_instances = InstanceData(
        bboxes=torch.tensor(boxes).float().view(-1, 4), scores=torch.tensor(scores)
    )
    sample.set_metainfo(
        dict(video_id=video, timestamp=timestamp, img_key=f'{video},{timestamp:04}')
    )
    return sample


def clip_samples():
    return [
        # Background, run, jump, sit; the background's 0.99 counts for nothing.
        clip_sample('a', 1, [LEFT, RIGHT], [[0.99, 0.9, 0.6, 0], [0.99, 0, 0.8, 0.5]]),
        clip_sample('a', 2, [LEFT, RIGHT], [[0.99, 0.95, 0, 0], [0.99, 0.3, 0, 0]]),
        clip_sample('b', 1, [], []),
    ]


def evaluate(config, samples, classes=None):
    evaluator = Evaluator(config)
    evaluator.dataset_meta = {} if classes is None else dict(classes=classes)
    for sample in samples:
        evaluator.process([sample])
    return evaluator.evaluate(len(samples))


def test_the_metric_on_clips(ava):
    # run: wrong (0.95), right (0.9), right (0.3), of two boxes: precision 2/3 for both.
    # jump: wrong (0.8), right (0.6), of two boxes: 1/2 / 2. sit has no ground truth.
    figures = evaluate(dict(ava, classwise=True), clip_samples())
    assert figures == pytest.approx(
        {
            'frame/mAP@0.5': (2 / 3 + 1 / 4) / 2,
            'frame/mAP@0.5:0.95': (2 / 3 + 1 / 4) / 2,
            'frame/AP@0.5/run': 2 / 3,
            'frame/AP@0.5/jump': 1 / 4,
            'frame/AP@0.5:0.95/run': 2 / 3,
            'frame/AP@0.5:0.95/jump': 1 / 4,
        }
    )
    again = evaluate(dict(ava, prefix='test', iou_thrs=[0.3]), clip_samples())
    assert list(again) == ['test/mAP@0.3', 'test/mAP@0.5:0.95']


def test_the_metric_gives_what_ava_metric_gives(ava, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # AVAMetric writes a file where it is
    init_default_scope('mmaction')
    import mmaction.evaluation  # noqa: F401

    random = np.random.default_rng(5)
    lines, samples = [], []
    scores = iter(random.permutation(9000) / 1e4 + 0.01)  # it keeps four digits
    for frame in range(1, 61):
        corners = random.uniform(0, 0.4, (4, 2))
        boxes = np.concatenate([corners, corners + random.uniform(0.3, 0.4, (4, 2))], 1)
        for box in boxes[:2]:
            box = ','.join(f'{side:.3f}' for side in box)
            lines.append(f'v,{frame:04},{box},{random.integers(1, 4)},0')
        boxes = (boxes + random.normal(0, 0.04, boxes.shape)).round(3)
        rows = [[next(scores) for _ in range(4)] for _ in range(4)]
        samples.append(clip_sample('v', frame, boxes, rows))
    (tmp_path / 'boxes.csv').write_text('\n'.join(lines) + '\n')
    theirs = dict(ava, type='mmaction.AVAMetric', exclude_file=None, num_classes=4)
    figures = evaluate([ava, theirs], samples)
    assert 0.1 < figures['frame/mAP@0.5'] < 0.9
    assert figures['frame/mAP@0.5'] == pytest.approx(figures['mAP/overall'], abs=1e-4)


def test_excluded_and_unannotated_timestamps(ava, tmp_path):
    excluded = tmp_path / 'excluded.csv'
    excluded.write_text('a,0002\n')
    samples = clip_samples()
    only_first = evaluate(
        dict(ava, exclude_file=str(excluded), classwise=True), samples
    )
    assert only_first['frame/AP@0.5/run'] == 1
    samples.append(clip_sample('a', 3, [LEFT], [[0, 0.99, 0, 0]]))
    assert evaluate(ava, samples) == evaluate(ava, samples[:-1])
    counted = evaluate(dict(ava, ignore_empty_frames=False, classwise=True), samples)
    # wrong, wrong, right, right: precision 2/4 for both.
    assert counted['frame/AP@0.5/run'] == 1 / 2


def test_a_negative_threshold_takes_the_greatest_score_alone(ava):
    figures = evaluate(dict(ava, action_thr=-1.0, classwise=True), clip_samples())
    # The 0.6 for jump is less than that box's 0.9 for run: jump is wrong once.
    assert figures['frame/AP@0.5/run'] == pytest.approx(2 / 3)
    assert figures['frame/AP@0.5/jump'] == 0


def test_custom_classes_are_the_columns(ava):
    samples = [
        clip_sample('a', 1, [LEFT], [[0, 0.9]]),
        clip_sample('b', 1, [LEFT], [[0, 0.8]]),
    ]
    figures = evaluate(dict(ava, custom_classes=[2], classwise=True), samples)
    assert figures['frame/AP@0.5/jump'] == 1 and 'frame/AP@0.5/run' not in figures


def test_without_a_background_columns_are_the_classes_from_0(ava, tmp_path):
    (tmp_path / 'boxes.csv').write_text('a,0001,0,0,0.5,1,0,0\n')
    config = dict(ava, label_file=None, num_classes=2, background_class=False)
    figures = evaluate(config, [clip_sample('a', 1, [LEFT], [[0.9, 0.1]])])
    assert figures['frame/mAP@0.5'] == 1
    with pytest.raises(ValueError, match="action 0 of video 'a' is no class of 1 … 1"):
        evaluate(dict(config, background_class=True), [])


def frame_sample(boxes, labels, scores, truth=None, path='frames/a/img_00001.jpg'):
    sample = DetDataSample()
    sample.pred_instances = InstanceData(
        bboxes=torch.tensor(boxes).float().view(-1, 4),
        labels=torch.tensor(labels),
        scores=torch.tensor(scores),
    )
    if truth is not None:
        sample.gt_instances = InstanceData(
            bboxes=torch.tensor(truth[0]).float().view(-1, 4),
            labels=torch.tensor(truth[1]),
        )
    # Twice as wide as high.
    sample.set_metainfo(dict(img_path=path, ori_shape=(100, 200)))
    return sample


def test_the_metric_on_frames_with_their_own_ground_truth():
    samples = [
        frame_sample([SQUARE, ASIDE], [0, 1], [0.9, 0.8], ([SQUARE], [0])),
        frame_sample([SQUARE, SQUARE], [1, 0], [0.7, 0.6], ([SQUARE], [1])),
        frame_sample([], [], [], ([], [])),
    ]
    config = dict(type='mmanon.FrameMAPMetric')
    # The first class is right and wrong of one, the second wrong and right of one.
    figures = evaluate(config, samples, ['sit', 'run', 'jump'])
    assert figures['frame/mAP@0.5'] == (1 + 1 / 2) / 2


def test_the_metric_on_frames_with_a_file(ava):
    # The data set numbers the classes otherwise than the label map.
    samples = [
        frame_sample([[0, 0, 100, 100]], [1], [0.9]),
        frame_sample([[100, 0, 200, 100]], [1], [0.8], path='frames/a/img_00002.jpg'),
    ]
    config = dict(ava, classwise=True)
    figures = evaluate(config, samples, ['jump', 'run'])
    assert figures['frame/AP@0.5/run'] == 1 and figures['frame/AP@0.5/jump'] == 0
    pattern = r'(?P<video>[^/]+)/rgb/img_(?P<frame>\d+)\.jpg$'
    for sample in samples:
        sample.set_metainfo(dict(img_path=sample.img_path.replace('/a/', '/a/rgb/')))
    again = evaluate(dict(config, img_pattern=pattern), samples, ['jump', 'run'])
    assert again == figures


def test_wrong_predictions_are_named(ava, tmp_path):
    def failing(message, sample, classes=None, **change):
        with pytest.raises(ValueError, match=message):
            evaluate(dict(ava, **change), [sample], classes)

    one = [[0.0, 0.9, 0.1, 0.1]]
    failing(
        r"video 'a', frame 1: the score at \[0, 1\] is nan",
        clip_sample('a', 1, [LEFT], [[0.0, float('nan'), 0, 0]]),
    )
    failing(
        "video 'a', frame 1: the box .* is not finite",
        clip_sample('a', 1, [[0, 0, float('inf'), 1]], one),
    )
    failing(
        "video 'c' of the predictions is not in .*boxes.csv",
        clip_sample('c', 1, [LEFT], one),
    )
    failing(
        'a box has 4 scores, but num_classes is 81',
        clip_sample('a', 1, [LEFT], one),
        num_classes=81,
    )
    failing(
        "class 'swim' of the data set is none of the annotated",
        frame_sample([SQUARE], [0], [0.5]),
        ['swim'],
    )
    failing(
        "video 'a', frame 1: label 2 is none of the 2 classes",
        frame_sample([SQUARE], [2], [0.5]),
        ['run', 'jump'],
    )
    failing(
        "does not find video and frame in the path 'picture.jpg'",
        frame_sample([SQUARE], [0], [0.5], path='picture.jpg'),
        ['run'],
    )
    with pytest.raises(ValueError, match="video 'a', frame 1 was predicted twice"):
        evaluate(ava, [clip_sample('a', 1, [LEFT], one)] * 2)
    bare = dict(type='mmanon.FrameMAPMetric')
    with pytest.raises(ValueError, match='a,0001: .*of clips need an ann_file'):
        evaluate(bare, [clip_sample('a', 1, [LEFT], one)], ['run'])
    with pytest.raises(ValueError, match='no `classes` in its metainfo'):
        evaluate(bare, [frame_sample([], [], [], ([], []))])
    with pytest.raises(ValueError, match='has no gt_instances'):
        evaluate(bare, [frame_sample([], [], [])], ['run'])
    with pytest.raises(ValueError, match='no annotation of any of the 1 classes'):
        evaluate(bare, [frame_sample([], [], [], ([], []))], ['run'])


def test_wrong_files_and_arguments_are_named(ava, tmp_path):
    def failing(error, message, **change):
        with pytest.raises(error, match=message):
            Evaluator(dict(ava, **change))

    missing = str(tmp_path / 'missing')
    for name in ('ann_file', 'label_file', 'exclude_file'):
        failing(FileNotFoundError, 'missing, the file of', **{name: missing})
    failing(ValueError, 'num_classes is needed', label_file=None)
    failing(ValueError, 'label_file has the class 3, but num_classes', num_classes=3)
    failing(ValueError, 'custom_classes has 9, no class', custom_classes=[9])
    failing(ValueError, r'iou_thrs must be in \(0, 1\], got 50', iou_thrs=[50])
    failing(ValueError, 'must have the groups', img_pattern=r'(\d+)')
    failing(ValueError, 'go with an ann_file', ann_file=None)
    csv = tmp_path / 'boxes.csv'
    for lines, message in [
        ('a,1,0,0,1,1,1,0\nb,1,0,0,1\n', "line 2: 'b,1,0,0,1' is not video"),
        ('a,1,0,0,320,240,1,0\n', 'line 1: .* in fractions of the frame'),
        ('a,1,0,0,1,1,1,0\na,2,0,0,1,1,1\n', 'line 2: it has 7 columns'),
        ('a,1,0,0,1,1,7,0\n', "action 7 of video 'a' is no class of 1 … 3"),
        ('', 'boxes.csv has no annotations'),
    ]:
        csv.write_text(lines)
        failing(ValueError, message)


def test_a_run_of_mmaction2_reports_it(tmp_path):
    write_tiny_ava(tmp_path)
    write_tiny_faces(tmp_path / 'people')
    config = tiny_config(tmp_path, tmp_path / 'work')
    config.custom_hooks = []
    annotations = tmp_path / 'annotations'
    config.test_evaluator = [
        dict(
            type=f'mmanon.{name}',
            ann_file=str(annotations / 'clips.csv'),
            label_file=str(annotations / 'actions.pbtxt'),
        )
        for name in ('FrameMAPMetric', 'VideoMAPMetric')
    ]
    figures = Runner.from_cfg(config).test()
    # Each clip has one box, of one frame, so that tubes are boxes.
    assert set(figures) == {
        'frame/mAP@0.5',
        'frame/mAP@0.5:0.95',
        'video/mAP@0.2',
        'video/mAP@0.5',
        'video/mAP@0.5:0.95',
    }
    assert 0 < figures['frame/mAP@0.5'] <= 1
    assert figures['video/mAP@0.5'] == figures['frame/mAP@0.5']
