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

SQUARE, ASIDE = [0, 0, 10, 10], [20, 0, 30, 10]


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
    with pytest.raises(
        ValueError, match="action 0 of video 'a' is not a class of 1 … 1"
    ):
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
        "class 'swim' of the data set is not one of the annotated",
        frame_sample([SQUARE], [0], [0.5]),
        ['swim'],
    )
    failing(
        "video 'a', frame 1: label 2 is not one of the 2 classes",
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
    failing(
        ValueError, 'custom_classes has 9, which is not a class', custom_classes=[9]
    )
    failing(ValueError, r'iou_thrs must be in \(0, 1\], got 50', iou_thrs=[50])
    failing(ValueError, 'must have the groups', img_pattern=r'(\d+)')
    failing(ValueError, 'need an ann_file', ann_file=None)
    csv = tmp_path / 'boxes.csv'
    for lines, message in [
        ('a,1,0,0,1,1,1,0\nb,1,0,0,1\n', "line 2: 'b,1,0,0,1' is not video"),
        ('a,1,0,0,320,240,1,0\n', 'line 1: .* as fractions of the frame'),
        ('a,1,0,0,1,1,1,0\na,2,0,0,1,1,1\n', 'line 2: it has 7 columns'),
        ('a,1,0,0,1,1,7,0\n', "action 7 of video 'a' is not a class of 1 … 3"),
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
