import json
import time

import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmdet.structures import DetDataSample
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData

from mmanon.datasets.formats.ava_reader import (
    person_tubes,
    read_ava_boxes,
    read_tube_file,
    usual_step,
)
from mmanon.evaluation.functional.frame_map import (
    IOU_RANGE,
    FrameBoxes,
    mean_over_classes,
)
from mmanon.evaluation.functional.video_map import (
    Tube,
    cut_tube,
    fill_tube,
    link_tubes,
    trim_tube,
    tube_iou,
    video_average_precisions,
)

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


def test_iou_of_tubes():
    # Frames 5 … 9 are common, of 0 … 14; the boxes overlap by half there.
    half = [0, 0, 10, 5]
    assert tube_iou(tube(range(10)), tube(range(5, 15), half)) == pytest.approx(
        5 / 15 * 0.5
    )
    assert tube_iou(tube(range(10)), tube(range(10))) == 1
    assert tube_iou(tube(range(5)), tube(range(5, 9))) == 0
    # Keyframes: two in common, of three.
    assert tube_iou(tube([1, 6, 11]), tube([6, 11])) == pytest.approx(2 / 3)


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


def test_wrong_tubes_are_named():
    with pytest.raises(ValueError, match="video 'v': a tube of label 0 has no frames"):
        tube([])
    with pytest.raises(ValueError, match='or they do not ascend'):
        tube([3, 3])
    with pytest.raises(ValueError, match='not finite'):
        tube([1], score=float('nan'))
    with pytest.raises(ValueError, match='has 2 frames and 1 boxes'):
        Tube('v', 0, [1, 2], [SQUARE])
    with pytest.raises(ValueError, match='label 3 is none of the 2 classes'):
        video_average_precisions([], [tube([1], label=3)], 2)


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


def test_cutting_leaves_the_given_frames():
    assert cut_tube(tube([1, 2, 3]), np.array([0, 2, 3, 9])).frames.tolist() == [2, 3]
    assert cut_tube(tube([1, 2, 3]), np.array([4])) is None


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


# Annotations


def test_a_person_who_stops_and_begins_again_has_two_tubes(tmp_path):
    lines = [
        *(f'a,{t:04},0,0,0.5,1,1,7' for t in (1, 6, 11, 21, 26)),
        'a,0016,0.5,0,1,1,1,8',  # person 7 misses this one
        'a,0046,0,0,0.5,1,1,7',  # far from the others, though nobody was annotated
        'a,0001,0,0,0.5,1,2,7',
    ]
    path = tmp_path / 'boxes.csv'
    path.write_text('\n'.join(lines) + '\n')
    boxes = read_ava_boxes(path)
    tubes = person_tubes(boxes, boxes.ids - 1)
    assert [(t.label, t.frames.tolist()) for t in tubes] == [
        (0, [1, 6, 11]),
        (0, [21, 26]),
        (0, [46]),
        (0, [16]),
        (1, [1]),
    ]
    wide = person_tubes(boxes, boxes.ids - 1, max_gap=20)
    assert [21, 26, 46] in [t.frames.tolist() for t in wide]
    path.write_text('a,1,0,0,0.5,1,1,7\na,1,0,0,0.4,1,1,7\n')
    with pytest.raises(ValueError, match="video 'a', timestamp 1: person 7 has two"):
        person_tubes(read_ava_boxes(path), np.zeros(2, int))
    path.write_text('a,1,0,0,0.5,1,1\n')
    with pytest.raises(ValueError, match='need the number of the person'):
        person_tubes(read_ava_boxes(path), np.zeros(1, int))


def test_the_usual_step():
    assert usual_step([{1, 6, 11}, [3, 8, 100]]) == 5
    assert usual_step([{1, 2, 7}]) == 1  # as common, and less
    assert usual_step([{4}, []]) == 1


def write_tubes(path, **clips):
    """Clips of 100 by 50 pixels, each a list of (label, start_frame, boxes)."""
    content = {
        'classes': ['Jump', 'Run', 'Sit'],
        'clips': {
            name: dict(
                annotation_width=100,
                annotation_height=50,
                tubes=[
                    dict(
                        label=label,
                        start_frame=start,
                        end_frame=start + len(boxes),
                        boxes=boxes,
                    )
                    for label, start, boxes in tubes
                ],
            )
            for name, tubes in clips.items()
        },
    }
    path.write_text(json.dumps(content))
    return str(path)


def moving(count, speed=1):
    return [[speed * t, 10, 20 + speed * t, 40] for t in range(count)]


def test_tubes_are_read(tmp_path):
    # In the third frame nothing of the box is inside.
    boxes = [[-10, 0, 50, 50], [0, 0, 120, 25], [100, 0, 120, 25], [0, 0, 10, 5]]
    path = write_tubes(tmp_path / 'tubes.json', a=[('Run', 4, boxes)], b=[])
    classes, tubes = read_tube_file(path)
    assert classes == ['Jump', 'Run', 'Sit'] and tubes['b'] == []
    [one] = tubes['a']
    assert (one.video, one.label, one.frames.tolist()) == ('a', 1, [4, 5, 7])
    np.testing.assert_allclose(
        one.boxes, [[0, 0, 0.5, 1], [0, 0, 1, 0.5], [0, 0, 0.1, 0.1]]
    )


def test_wrong_tube_files_are_named(tmp_path):
    path = tmp_path / 'tubes.json'
    with pytest.raises(FileNotFoundError, match='tubes.json, the file of tubes'):
        read_tube_file(path)
    for text in ('not json', '[]', '{"classes": []}'):
        path.write_text(text)
        with pytest.raises(ValueError, match='tubes.json is not a file of tubes'):
            read_tube_file(path)
    write_tubes(path, a=[('Swim', 0, moving(3))])
    with pytest.raises(ValueError, match="video 'a'.*'Swim' is none of the classes"):
        read_tube_file(path)
    write_tubes(path, a=[('Run', 0, moving(3))])
    path.write_text(path.read_text().replace('"end_frame": 3', '"end_frame": 4'))
    with pytest.raises(ValueError, match="video 'a'.*from frame 0 to 4 has 3 boxes"):
        read_tube_file(path)


# The metric


def clip_sample(video, timestamp, boxes, scores):
    """Boxes in pixels of 100 by 50; scores of background, Jump, Run, Sit."""
    sample = ActionDataSample()
    boxes = torch.tensor(boxes).float().view(-1, 4) / torch.tensor([100, 50, 100, 50])
    sample.pred_instances = InstanceData(bboxes=boxes, scores=torch.tensor(scores))
    sample.set_metainfo(
        dict(video_id=video, timestamp=timestamp, img_key=f'{video},{timestamp:04}')
    )
    return sample


def frame_sample(path, boxes, labels, scores):
    sample = DetDataSample()
    sample.pred_instances = InstanceData(
        bboxes=torch.tensor(boxes).float().view(-1, 4),
        labels=torch.tensor(labels),
        scores=torch.tensor(scores),
    )
    sample.set_metainfo(dict(img_path=path, ori_shape=(50, 100)))
    return sample


def evaluate(config, samples, classes=None):
    evaluator = Evaluator(dict(config, type='mmanon.VideoMAPMetric'))
    evaluator.dataset_meta = {} if classes is None else dict(classes=classes)
    for sample in samples:
        evaluator.process([sample])
    return evaluator.evaluate(len(samples))


RUNS, JUMPS = [0.9, 0.0, 0.8, 0.0], [0.9, 0.8, 0.0, 0.0]


def test_keyframes_make_whole_tubes(tmp_path):
    # 21 frames from 4 on, which are the files 5 … 25; every fifth is predicted.
    path = write_tubes(tmp_path / 't.json', a=[('Run', 4, moving(21))], other=[])
    samples = [
        clip_sample('a', 5 + t, [moving(21)[t]], [RUNS]) for t in range(0, 21, 5)
    ]
    samples.append(clip_sample('a', 30, [], []))
    figures = evaluate(dict(ann_file=path), samples)
    assert figures == {
        'video/mAP@0.2': 1,
        'video/mAP@0.5': 1,
        'video/mAP@0.5:0.95': pytest.approx(1),
    }
    # Off by one frame: boxes move by 1 of 20 in width, 20 frames are common of 22.
    assert (
        0
        < evaluate(dict(ann_file=path, first_frame=2), samples)['video/mAP@0.5:0.95']
        < 1
    )
    # Only up to the eleventh frame of 21: 11 / 21 reaches 0.5 alone; of the frames that
    # were predicted, all.
    half = [samples[t] for t in range(3)]
    assert evaluate(dict(ann_file=path), half)['video/mAP@0.5:0.95'] == pytest.approx(
        0.1
    )
    config = dict(ann_file=path, frames='predicted')
    assert evaluate(config, half)['video/mAP@0.5:0.95'] == pytest.approx(1)


def test_a_missed_keyframe_is_bridged_up_to_the_gap(tmp_path):
    path = write_tubes(tmp_path / 't.json', a=[('Run', 0, moving(21))])
    samples = [
        clip_sample('a', 1 + t, *([[moving(21)[t]], [RUNS]] if t != 10 else [[], []]))
        for t in range(0, 21, 5)
    ]
    assert evaluate(dict(ann_file=path), samples)['video/mAP@0.5:0.95'] == (
        pytest.approx(1)
    )
    # Cut at the gap, the parts have 6 of 21 frames each.
    config = dict(ann_file=path, linking=dict(max_gap=9), iou_thrs=[0.2, 0.3])
    figures = evaluate(config, samples)
    assert figures['video/mAP@0.2'] == 1 and figures['video/mAP@0.3'] == 0


def test_classes_and_videos_of_a_metric(tmp_path):
    path = write_tubes(
        tmp_path / 't.json',
        a=[('Run', 0, moving(5)), ('Jump', 0, moving(5))],
        b=[('Jump', 0, moving(5))],
        train=[('Sit', 0, moving(5))],
    )
    samples = [
        clip_sample('a', t + 1, [moving(5)[t]], [[0.9, 0.8, 0.7, 0.0]])
        for t in range(5)
    ] + [clip_sample('b', t + 1, [], []) for t in range(5)]
    figures = evaluate(dict(ann_file=path, classwise=True), samples)
    # Run is found; Jump in one of two videos; of Sit no video has predictions.
    assert figures['video/AP@0.5/Run'] == 1
    assert figures['video/AP@0.5/Jump'] == 0.5
    assert figures['video/mAP@0.5'] == 0.75
    assert not any('Sit' in name for name in figures)


def test_trimmed_tubes(tmp_path):
    path = write_tubes(tmp_path / 't.json', a=[('Run', 10, moving(10, 0))])
    rows = [[0, 0, 0.9 if 10 <= t < 20 else 0.1, 0] for t in range(40)]
    samples = [
        clip_sample('a', t + 1, [moving(1)[0]], [row]) for t, row in enumerate(rows)
    ]
    # The whole of 40 frames overlaps by 10 / 40.
    assert evaluate(dict(ann_file=path), samples)['video/mAP@0.5'] == 0
    figures = evaluate(dict(ann_file=path, trim_cost=1.0), samples)
    assert figures['video/mAP@0.5:0.95'] == pytest.approx(1)


def test_tubes_of_people_in_the_format_of_ava(tmp_path):
    lines = [f'a,{t:04},0,0,0.5,1,1,0' for t in (2, 4, 6, 8)]
    lines += [f'a,{t:04},0.5,0,1,1,1,1' for t in (2, 4, 6, 8)]
    lines += ['missed,0002,0,0,1,1,2,0', 'missed,0004,0,0,1,1,2,0']
    path = tmp_path / 'boxes.csv'
    path.write_text('\n'.join(lines) + '\n')
    config = dict(ann_file=str(path), num_classes=4, classwise=True)
    left, right = [0, 0, 50, 50], [50, 0, 100, 50]
    samples = [
        clip_sample('a', t, [left, right] if t < 6 else [left], [JUMPS] * (1 + (t < 6)))
        for t in (2, 4, 6, 8)
    ]
    figures = evaluate(config, samples)
    # Both people are found at 0.5, where one has two of four timestamps; at the other
    # nine thresholds one of two. All videos of the file count, so that class 2 is 0.
    assert figures['video/AP@0.5/1'] == 1
    assert figures['video/AP@0.5:0.95/1'] == pytest.approx((1 + 9 * 0.5) / 10)
    assert figures['video/mAP@0.5'] == 0.5
    excluded = tmp_path / 'excluded.csv'
    excluded.write_text('a,0006\na,0008\n')
    figures = evaluate(dict(config, exclude_file=str(excluded)), samples)
    assert figures['video/AP@0.5:0.95/1'] == pytest.approx(1)


def test_detectors_of_frames(tmp_path):
    path = write_tubes(tmp_path / 't.json', a=[('Run', 0, moving(5))])
    samples = [
        frame_sample(f'data/a/img_{t + 1:05}.jpg', [moving(5)[t]], [0], [0.9])
        for t in range(5)
    ]
    figures = evaluate(dict(ann_file=path), samples, ['Run', 'Sit'])
    assert figures['video/mAP@0.5:0.95'] == pytest.approx(1)
    with pytest.raises(ValueError, match="class 'Swim' of the data set is none"):
        evaluate(dict(ann_file=path), samples, ['Swim'])


def test_wrong_predictions_and_arguments_are_named(tmp_path):
    path = write_tubes(tmp_path / 't.json', a=[('Run', 0, moving(5))])

    def failing(message, sample, **change):
        with pytest.raises(ValueError, match=message):
            evaluate(dict(ann_file=path, **change), [sample] if sample else [])

    box = moving(1)
    failing(
        "video 'a', frame 3: the score at .* is nan",
        clip_sample('a', 3, box, [[0, float('nan'), 0, 0]]),
    )
    failing(
        "the video 'b' of the predictions is not in .*t.json",
        clip_sample('b', 3, box, [RUNS]),
    )
    failing(
        'a box has 3 scores, but num_classes is 4',
        clip_sample('a', 3, box, [[0.1, 0.2, 0.3]]),
    )
    failing('3 classes, which makes num_classes 4, got 9', None, num_classes=9)
    failing("frames must be 'annotated' or 'predicted'", None, frames='all')
    failing("linking has 'thr'", None, linking=dict(thr=1))
    failing('iou_thr must be in', None, linking=dict(iou_thr=2))
    failing('go with annotations in the format of AVA', None, label_file='l.pbtxt')
    failing('trim_cost must be at least 0', None, trim_cost=-1)
    with pytest.raises(FileNotFoundError, match='none.json, the file of tubes'):
        evaluate(dict(ann_file=str(tmp_path / 'none.json')), [])


def test_the_tubes_of_ucf101_24_as_their_own_predictions(shared_data):
    classes, tubes = read_tube_file(shared_data / 'videos/ucf24/tubes.json')
    truth = [one for those in tubes.values() for one in those]
    precisions = video_average_precisions(
        truth, truth, len(classes), [0.2, 0.5, *IOU_RANGE]
    )
    assert precisions.shape == (12, 8) and (precisions == 1).all()


def test_the_boxes_of_ucf101_24_link_to_their_tubes(shared_data):
    path = shared_data / 'videos/ucf24/tubes.json'
    classes, tubes = read_tube_file(path)
    columns = np.eye(len(classes) + 1)
    samples = []
    for video, those in tubes.items():
        for frame in range(max(one.frames[-1] for one in those) + 1):
            found = [
                (box, 0.9 * columns[one.label + 1])
                for one in those
                for box in one.boxes[one.frames == frame]
            ]
            boxes, scores = zip(*found, strict=True) if found else ([], [])
            sample = ActionDataSample()
            sample.pred_instances = InstanceData(
                bboxes=torch.tensor(np.array(boxes).reshape(-1, 4)),
                scores=torch.tensor(np.array(scores).reshape(-1, len(columns))),
            )
            sample.set_metainfo(dict(video_id=video, timestamp=frame + 1))
            samples.append(sample)
    figures = evaluate(dict(ann_file=str(path), classwise=True), samples)
    for name in classes:
        figure = figures[f'video/AP@0.5:0.95/{name}']
        # The three dancers of SalsaSpin turn through each other while their tubes begin
        # and end, and all scores are alike: the boxes alone do not say who is who.
        if name == 'SalsaSpin':
            assert 0 < figure < 1
        else:
            assert figure == pytest.approx(1), name
