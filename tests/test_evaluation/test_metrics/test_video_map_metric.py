import json

import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmdet.structures import DetDataSample
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData

from mmanon.datasets.formats.ava_reader import (
    read_tube_file,
)
from mmanon.evaluation.functional.frame_map import (
    IOU_RANGE,
)
from mmanon.evaluation.functional.video_map import (
    video_average_precisions,
)


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
    with pytest.raises(ValueError, match="class 'Swim' of the data set is not one"):
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
    failing('3 classes, so num_classes must be 4, got 9', None, num_classes=9)
    failing("frames must be 'annotated' or 'predicted'", None, frames='all')
    failing("linking has 'thr'", None, linking=dict(thr=1))
    failing('iou_thr must be in', None, linking=dict(iou_thr=2))
    failing('are for annotations in the format of AVA', None, label_file='l.pbtxt')
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
