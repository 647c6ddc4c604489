import csv
import filecmp
import json
import os
import runpy
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.fileio import dump, load
from mmengine.registry import init_default_scope

from mmanon.datasets.mini_benchmark import (
    ACTIONS,
    BODY_ACTIONS,
    FACE_ACTIONS,
    MiniBenchmarkSettings,
    build_mini_benchmark,
    photo_head,
)
from mmanon.datasets.mini_benchmark.canvas import Canvas, ellipse
from mmanon.datasets.mini_benchmark.drawn_head import DrawnHead
from mmanon.datasets.mini_benchmark.face_set import cut_face
from mmanon.datasets.mini_benchmark.head_pose import Expression, HeadPose
from mmanon.datasets.mini_benchmark.plan import plan_clips
from mmanon.datasets.mini_benchmark.settings import CROP_SIZE, MARGIN, VERSION
from mmanon.face_detectors import FaceDetections, YuNetFaceDetector
from mmanon.models.layers.face_crops import crop_faces, square_boxes
from mmanon.structures.face_table import FaceTable

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools' / 'make_mini_benchmark.py'
SMALL = MiniBenchmarkSettings(
    train_clips=12,
    test_clips=5,
    train_identities=4,
    test_identities=3,
    train_faces=2,
    val_faces=1,
)
ONE_OF_EACH = MiniBenchmarkSettings(0, 1, 1, 1, 1, 1, 1)


@pytest.fixture(scope='module')
def mini(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp('benchmark') / 'mini'
    assert build_mini_benchmark(out, SMALL)
    return out


def files_of(folder: Path) -> list[str]:
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob('*') if path.is_file()
    )


def rows_of(path: Path) -> list[list[str]]:
    with open(path, newline='') as file:
        return list(csv.reader(file))


def mini_config(root: Path) -> Config:
    config = Config.fromfile(ROOT / 'configs/_base_/datasets/mini.py')
    text = config.dump().replace('data/mini/', f'{root}/')
    return Config.fromstring(text, '.py')


def test_defaults_hold_enough_clips_actions_and_people():
    settings = MiniBenchmarkSettings()
    assert settings.train_clips >= 600 and settings.test_clips >= 200
    assert settings.train_identities >= 60
    assert len(ACTIONS) >= 8 and len(FACE_ACTIONS) > len(BODY_ACTIONS)
    clips = plan_clips('train', settings.train_clips, settings.train_identities, 0)
    done = Counter(a for clip in clips for person in clip.actions for a in person)
    assert set(done) == set(ACTIONS)
    assert max(done.values()) < 2 * min(done.values())
    pairs = {
        (who, what)
        for clip in clips
        for who, actions in zip(clip.identities, clip.actions, strict=True)
        for what in actions
    }
    # Actions do not tell who it is: people do most of them.
    assert len(pairs) > 0.6 * settings.train_identities * len(ACTIONS)


def test_same_seed_makes_the_same_files_whatever_the_workers(mini, tmp_path):
    build_mini_benchmark(tmp_path / 'again', SMALL, workers=2)
    names = files_of(mini)
    assert names == files_of(tmp_path / 'again')
    _, different, missing = filecmp.cmpfiles(
        mini, tmp_path / 'again', names, shallow=False
    )
    assert not different and not missing


def test_another_seed_draws_other_people(tmp_path):
    settings = MiniBenchmarkSettings(1, 1, 1, 1, 1, 1, 1)
    other = MiniBenchmarkSettings(2, 1, 1, 1, 1, 1, 1)
    build_mini_benchmark(tmp_path / 'a', settings)
    build_mini_benchmark(tmp_path / 'b', other)
    face = 'faces/train/train_000/000.png'
    assert (tmp_path / 'a' / face).read_bytes() != (tmp_path / 'b' / face).read_bytes()


def test_clips_are_folders_of_eight_frames(mini):
    clips = sorted(path.name for path in (mini / 'rawframes').iterdir())
    assert len(clips) == SMALL.train_clips + SMALL.test_clips
    for clip in clips:
        frames = sorted((mini / 'rawframes' / clip).iterdir())
        assert [f.name for f in frames] == [f'img_{i:05d}.jpg' for i in range(1, 9)]
    assert cv2.imread(str(frames[0])).shape == (128, 128, 3)


def test_training_and_test_people_are_disjoint(mini):
    train, test = (
        {name for _, _, name in rows_of(mini / f'annotations/identities_{split}.csv')}
        for split in ('train', 'test')
    )
    assert train and test and not train & test
    folders = {
        split: {path.name for path in (mini / 'faces' / split).iterdir()}
        for split in ('train', 'val', 'test')
    }
    assert folders['train'] == folders['val'] >= train
    assert folders['test'] >= test and not folders['test'] & folders['train']


def test_annotations_name_known_actions_and_boxes_inside_the_frame(mini):
    for split in ('train', 'test'):
        known = {
            (video, person)
            for video, person, _ in rows_of(
                mini / f'annotations/identities_{split}.csv'
            )
        }
        seen = set()
        for video, _, *box, action, person in rows_of(
            mini / f'annotations/{split}.csv'
        ):
            x1, y1, x2, y2 = map(float, box)
            assert 0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1
            assert 1 <= int(action) <= len(ACTIONS)
            seen.add((video, person))
        assert seen == known
        assert (mini / f'annotations/excluded_{split}.csv').read_text() == ''


def test_faces_lie_in_the_upper_part_of_their_person(mini):
    table = FaceTable(mini / 'faces.parquet')
    people = {
        (video, int(person)): np.array(box, float)
        for split in ('train', 'test')
        for video, _, *box, _, person in rows_of(mini / f'annotations/{split}.csv')
    }
    assert table.videos() == {video for video, _ in people}
    for (video, person), box in people.items():
        for frame in range(1, 9):
            faces = table.lookup(video, frame)
            face = faces.boxes[list(faces.tracks).index(person)]
            width, height = (face[2:] - face[:2]) * 128
            assert 15 < width < 45 and 15 < height < 45
            marks = faces.landmarks[list(faces.tracks).index(person)]
            assert (marks > face[:2]).all() and (marks < face[2:]).all()
        # Boxes of people belong to the fifth frame.
        face = table.lookup(video, 5).boxes[person]
        assert (face[:2] >= box[:2] - 1e-3).all() and (face[2:] <= box[2:] + 1e-3).all()
        assert face[3] < (box[1] + box[3]) / 2


def test_face_box_and_landmarks_follow_the_drawn_head():
    head = DrawnHead.random('someone', np.random.default_rng(3))
    still = HeadPose(40, 50, 20)
    turned = HeadPose(40, 50, 20, yaw=0.4, pitch=0.2)
    calm = Expression()
    nose, turned_nose = head.landmarks(still, calm)[2], head.landmarks(turned, calm)[2]
    assert turned_nose[0] > nose[0] + 3 and turned_nose[1] > nose[1]
    x1, y1, x2, y2 = head.face_box(still)
    assert (x1 + x2) / 2 == pytest.approx(40, abs=0.5)
    # The chin is one unit below the middle of the head, the hairline above the eyes.
    assert y2 == pytest.approx(70, abs=0.5) and 35 < y1 < 45


def test_canvas_draws_at_the_given_pixels_and_bounds_them():
    canvas = Canvas(np.zeros((32, 32, 3), np.uint8))
    with canvas.bounds() as bounds:
        square = np.array([[4, 8], [12, 8], [12, 20], [4, 20]], float)
        canvas.polygon(square, (255, 255, 255))
    np.testing.assert_allclose(bounds.box, [4, 8, 12, 20])
    lit = canvas.picture()[..., 0]
    assert lit[9:19, 5:11].min() == 255
    # At most a third of a pixel is off at the edges.
    assert lit.sum() / 255 == pytest.approx(8 * 12, rel=0.1)
    before = canvas.picture()
    canvas.polygon(ellipse(-30, -30, 5, 5), (255, 0, 0), alpha=0.5)
    np.testing.assert_array_equal(canvas.picture(), before)


def test_face_set_is_cut_as_faces_of_clips_are():
    rng = np.random.default_rng(0)
    small = rng.uniform(0, 255, (16, 16, 3)).astype(np.uint8)
    frame = cv2.resize(small, (128, 128), interpolation=cv2.INTER_CUBIC)
    box = np.array([40.0, 30.0, 64.0, 60.0])
    ours = cut_face(frame, box, CROP_SIZE, MARGIN)
    assert ours.shape == (64, 64, 3)
    boxes = square_boxes(torch.tensor([[0.0, *box]]), margin=MARGIN)
    frames = torch.from_numpy(frame).permute(2, 0, 1)[None].float()
    theirs = crop_faces(frames, boxes, 64)[0].permute(1, 2, 0).numpy()
    assert np.abs(ours - theirs).mean() < 2


def test_proposals_load_through_mmengine_and_cover_the_people(mini):
    proposals = load(mini / 'annotations/proposals_test.npz')
    rows = rows_of(mini / 'annotations/test.csv')
    assert set(proposals) == {f'{video},0005' for video, *_ in rows}
    for video, _, *box, _, _ in rows:
        found = proposals[f'{video},0005']
        assert found.dtype == np.float32 and found.shape[1] == 5
        assert found.min() >= 0 and found.max() <= 1
        sure = found[found[:, 4] >= 0.9]
        assert max(iou(np.array(box, float), one) for one in sure[:, :4]) > 0.8


def iou(a: np.ndarray, b: np.ndarray) -> float:
    size = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None)
    both = size.prod()
    return both / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - both)


def test_npz_comes_back_as_it_was_dumped(tmp_path):
    arrays = {'video,0005': np.ones((2, 5), np.float32), 'b': np.zeros((0, 5))}
    dump(arrays, tmp_path / 'a.npz')
    back = load(tmp_path / 'a.npz')
    assert type(back) is dict and list(back) == list(arrays)
    np.testing.assert_array_equal(back['video,0005'], arrays['video,0005'])
    assert dump(arrays, file_format='npz') == (tmp_path / 'a.npz').read_bytes()


def test_npz_refuses_pickled_objects(tmp_path):
    np.savez(tmp_path / 'objects.npz', a=np.array([{}], dtype=object))
    (tmp_path / 'text.npz').write_text('no archive')
    for name in ('objects.npz', 'text.npz'):
        with pytest.raises(ValueError, match='npz file of plain arrays'):
            load(tmp_path / name)
    with pytest.raises(TypeError, match="'a' holds objects"):
        dump({'a': np.array([{}], dtype=object)}, tmp_path / 'never.npz')
    assert not (tmp_path / 'never.npz').exists()


def test_ava_dataset_samples_the_frames_around_the_timestamp(mini):
    from mmaction.registry import DATASETS

    init_default_scope('mmaction')
    config = mini_config(mini)
    dataset = DATASETS.build(config.val_dataloader.dataset)
    assert len(dataset) == SMALL.test_clips
    sampler = dataset.pipeline.transforms[0]
    sampled = sampler(dataset.get_data_info(0))
    assert sampled['frame_inds'].tolist() == [1, 5]
    item = dataset[0]
    assert item['inputs'].shape[-4:] == (3, 2, 128, 128)
    sample = item['data_samples']
    labels = sample.gt_instances.labels
    assert labels.shape[1] == len(ACTIONS) + 1 and (labels.sum(1) >= 1).all()
    video = sample.video_id
    boxes = np.unique(
        [row[2:6] for row in rows_of(mini / 'annotations/test.csv') if row[0] == video],
        axis=0,
    ).astype(float)
    got = sample.gt_instances.bboxes.numpy()
    np.testing.assert_allclose(np.sort(got, 0), np.sort(boxes * 128, 0), atol=0.01)

    train = DATASETS.build(config.train_dataloader.dataset)
    for _ in range(20):
        inds = train.pipeline.transforms[0](train.get_data_info(0))['frame_inds']
        assert inds.min() >= 1 and inds.max() <= 8


def test_perfect_predictions_reach_full_map(mini, tmp_path, monkeypatch):
    from mmaction.registry import DATASETS, METRICS

    init_default_scope('mmaction')
    config = mini_config(mini)
    dataset = DATASETS.build(config.val_dataloader.dataset)
    metric = METRICS.build(config.val_evaluator)
    # The metric writes a file of results into the working directory.
    monkeypatch.chdir(tmp_path)
    for i in range(len(dataset)):
        info = dataset.get_data_info(i)
        predicted = dict(
            bboxes=torch.tensor(info['gt_bboxes']),
            scores=torch.tensor(info['gt_labels']),
        )
        metric.process(
            None,
            [
                dict(
                    video_id=info['video_id'],
                    timestamp=info['timestamp'],
                    pred_instances=predicted,
                )
            ],
        )
    assert metric.compute_metrics(metric.results)['overall'] == pytest.approx(1)


def test_what_is_there_is_left_alone(mini):
    before = (mini / 'meta.json').stat().st_mtime_ns
    assert not build_mini_benchmark(mini, SMALL)
    assert (mini / 'meta.json').stat().st_mtime_ns == before


def test_other_settings_are_refused_and_replaced_by_force(tmp_path):
    one = MiniBenchmarkSettings(0, 1, 1, 1, 1, 1, 1)
    two = MiniBenchmarkSettings(0, 2, 1, 1, 1, 1, 1)
    build_mini_benchmark(tmp_path / 'mini', one)
    with pytest.raises(FileExistsError, match='train_clips is 1, not 2.*forc'):
        build_mini_benchmark(tmp_path / 'mini', two)
    assert build_mini_benchmark(tmp_path / 'mini', two, force=True)
    assert len(list((tmp_path / 'mini/rawframes').glob('train_*'))) == 2
    assert [path.name for path in tmp_path.iterdir()] == ['mini']


def test_a_folder_of_something_else_is_never_replaced(tmp_path):
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine' / 'diary.txt').write_text('dear diary')
    settings = MiniBenchmarkSettings(0, 1, 1, 1, 1, 1, 1)
    for force in (False, True):
        with pytest.raises(FileExistsError, match='is not a mini benchmark'):
            build_mini_benchmark(tmp_path / 'mine', settings, force=force)
    assert files_of(tmp_path / 'mine') == ['diary.txt']


def test_an_interrupted_build_leaves_nothing(tmp_path, monkeypatch):
    from mmanon.datasets.mini_benchmark import build

    def full(*args):
        raise OSError('disk full')

    monkeypatch.setattr(build, 'write_face_table', full)
    with pytest.raises(OSError, match='disk full'):
        build_mini_benchmark(
            tmp_path / 'mini', MiniBenchmarkSettings(0, 1, 1, 1, 1, 1, 1)
        )
    assert not list(tmp_path.iterdir())


def test_leftovers_of_killed_builds_are_removed(tmp_path):
    (tmp_path / '.mini.part/rawframes').mkdir(parents=True)
    build_mini_benchmark(tmp_path / 'mini', ONE_OF_EACH)
    assert [path.name for path in tmp_path.iterdir()] == ['mini']


def test_a_build_killed_between_old_and_new_is_recovered(tmp_path, monkeypatch):
    out, replace = tmp_path / 'mini', os.replace
    build_mini_benchmark(out, ONE_OF_EACH)

    def killed(source, target):
        if target == out:
            raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as inner:
        inner.setattr(os, 'replace', killed)
        with pytest.raises(KeyboardInterrupt):
            two = MiniBenchmarkSettings(0, 2, 1, 1, 1, 1, 1)
            build_mini_benchmark(out, two, force=True)
    assert not out.exists()
    assert not build_mini_benchmark(out, ONE_OF_EACH)
    assert [path.name for path in tmp_path.iterdir()] == ['mini']


def test_large_heads_come_by_larger_frames_and_fewer_people(tmp_path):
    preset = runpy.run_path(str(TOOL))['PRESETS']['large']
    settings = MiniBenchmarkSettings(0, 6, 1, 3, 2, 1, 1, **preset)
    build_mini_benchmark(tmp_path / 'large', settings)

    frame = cv2.imread(str(tmp_path / 'large/rawframes/train_0000/img_00001.jpg'))
    assert frame.shape == (336, 336, 3)
    table = FaceTable(tmp_path / 'large/faces.parquet')
    sides = []
    for number in range(6):
        faces = table.lookup(f'train_{number:04d}', 5)
        assert 1 <= len(faces) <= 2
        sides += ((faces.boxes[:, 3] - faces.boxes[:, 1]) * 336).tolist()
    # From hairline to chin, of heads of about 112 pixels.
    assert 75 < np.mean(sides) < 112
    (face, *_) = (tmp_path / 'large/faces/train').rglob('000.png')
    assert cv2.imread(str(face)).shape == (192, 192, 3)
    about = json.loads((tmp_path / 'large/meta.json').read_text())
    assert about['faces']['margin'] == 0.5
    assert about['clips']['frame_size'] == 336


def test_a_benchmark_of_before_a_setting_has_its_default(mini, tmp_path):
    shutil.copytree(mini, tmp_path / 'mini')
    meta = json.loads((tmp_path / 'mini/meta.json').read_text())
    for name in ('frame_size', 'max_people', 'crop_size', 'margin'):
        del meta['settings'][name]
    (tmp_path / 'mini/meta.json').write_text(json.dumps(meta))

    assert not build_mini_benchmark(tmp_path / 'mini', SMALL)
    tool = runpy.run_path(str(TOOL))
    assert tool['has_settings'](
        tmp_path / 'mini', json.loads(json.dumps(asdict(SMALL)))
    )
    with pytest.raises(FileExistsError, match='max_people is 3, not 2'):
        build_mini_benchmark(tmp_path / 'mini', replace(SMALL, max_people=2))


def test_settings_out_of_range_are_refused():
    for wrong in (dict(frame_size=32), dict(max_people=4), dict(margin=-0.1)):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            MiniBenchmarkSettings(**wrong)
    with pytest.raises(ValueError, match='train_clips must be at least 1, got 0'):
        MiniBenchmarkSettings(train_clips=0)
    with pytest.raises(ValueError, match='train_names is used only with photographs'):
        MiniBenchmarkSettings(train_names=('a',))


class KnownFaces:
    """Finds the one face that all made-up photographs show."""

    def detect(self, image: np.ndarray) -> FaceDetections:
        head = DrawnHead.random('any', np.random.default_rng(0))
        pose = HeadPose(100, 100, 60)
        return FaceDetections(
            head.face_box(pose)[None],
            np.ones(1),
            head.landmarks(pose, Expression())[None],
        )


@pytest.fixture
def photographs(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(photo_head, '_build_detector', lambda settings: KnownFaces())
    for person in range(5):
        folder = tmp_path / 'photographs' / f'person {person}'
        folder.mkdir(parents=True)
        head = DrawnHead.random('any', np.random.default_rng(person))
        for number in range(3):
            canvas = Canvas(np.full((200, 200, 3), 40 * number, np.uint8))
            head.draw(canvas, HeadPose(100, 100, 60), Expression())
            cv2.imwrite(str(folder / f'{number}.png'), canvas.picture())
    return tmp_path / 'photographs'


def test_photographs_replace_drawn_heads(photographs, tmp_path):
    settings = MiniBenchmarkSettings(0, 3, 2, 9, 9, 2, 1, faces=(str(photographs),))
    build_mini_benchmark(tmp_path / 'mini', settings)
    meta = json.loads((tmp_path / 'mini/meta.json').read_text())
    assert meta['identities'] == {
        'train': ['person 0', 'person 1', 'person 2', 'person 4'],
        'test': ['person 3'],
    }
    assert (tmp_path / 'mini/faces/val/person 4/000.png').is_file()
    table = FaceTable(tmp_path / 'mini/faces.parquet')
    frame = cv2.imread(str(tmp_path / 'mini/rawframes/test_0000/img_00001.jpg'))
    face = table.lookup('test_0000', 1)
    assert len(face) == 1 and frame.shape == (128, 128, 3)


def test_training_names_decide_the_split(photographs, tmp_path):
    names = ('person 3', 'person 1')
    settings = MiniBenchmarkSettings(
        0, 1, 1, 9, 2, 1, 1, faces=(str(photographs),), train_names=names
    )
    build_mini_benchmark(tmp_path / 'mini', settings)
    meta = json.loads((tmp_path / 'mini/meta.json').read_text())
    assert meta['identities'] == {
        'train': ['person 1', 'person 3'],
        'test': ['person 0', 'person 2'],
    }
    unknown = MiniBenchmarkSettings(faces=(str(photographs),), train_names=('nobody',))
    with pytest.raises(ValueError, match='training identity nobody'):
        build_mini_benchmark(tmp_path / 'other', unknown)


def test_one_person_cannot_be_trained_and_tested_on(photographs, tmp_path):
    folder = str(photographs)
    settings = MiniBenchmarkSettings(faces=(folder,), test_faces=(folder,))
    with pytest.raises(ValueError, match='person 0 is in the training and the test'):
        build_mini_benchmark(tmp_path / 'mini', settings)


def test_a_folder_without_photographs_is_named(tmp_path):
    (tmp_path / 'empty').mkdir()
    settings = MiniBenchmarkSettings(faces=(str(tmp_path / 'empty'),))
    with pytest.raises(FileNotFoundError, match='empty has no folders of photographs'):
        build_mini_benchmark(tmp_path / 'mini', settings)


def test_faces_of_real_photographs_lie_where_the_table_says(shared_data, tmp_path):
    for name in sorted(os.listdir(shared_data / 'faces/orl'))[:4]:
        folder = tmp_path / 'faces' / name
        folder.mkdir(parents=True)
        for number in (1, 2):
            source = shared_data / 'faces/orl' / name / f'{number}.pgm'
            (folder / source.name).write_bytes(source.read_bytes())
    weights = shared_data / 'weights/yunet_n_320_320.onnx'
    settings = MiniBenchmarkSettings(
        0,
        6,
        1,
        faces=(str(tmp_path / 'faces'),),
        face_detector_weights=str(weights),
        train_faces=1,
        val_faces=1,
    )
    build_mini_benchmark(tmp_path / 'mini', settings)
    table = FaceTable(tmp_path / 'mini/faces.parquet')
    detector = YuNetFaceDetector(weights)
    agreed = total = 0
    for i in range(6):
        path = tmp_path / f'mini/rawframes/train_{i:04d}/img_00003.jpg'
        image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        found = detector.detect(cv2.resize(image, (512, 512))).boxes / 512
        for box in table.lookup(f'train_{i:04d}', 3).boxes:
            total += 1
            agreed += any(iou(box, one) > 0.5 for one in found)
    # An object at the mouth may hide a face from the detector.
    assert agreed >= 0.6 * total


def test_tool_does_not_take_another_version_for_the_same(tmp_path):
    tool = runpy.run_path(str(TOOL))
    settings = json.loads(json.dumps(asdict(SMALL)))
    meta = dict(version=VERSION, settings=settings)
    (tmp_path / 'meta.json').write_text(json.dumps(meta))
    assert tool['has_settings'](tmp_path, settings)
    meta['version'] += 1
    (tmp_path / 'meta.json').write_text(json.dumps(meta))
    assert not tool['has_settings'](tmp_path, settings)


def test_tool_compares_before_anything_slow_is_imported():
    code = f'import runpy, sys; runpy.run_path({str(TOOL)!r}); print(*sys.modules)'
    done = subprocess.run(
        [sys.executable, '-c', code],
        capture_output=True,
        text=True,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
    )
    modules = done.stdout.split()
    assert 'mmanon.version' in modules, done.stderr
    assert not {'torch', 'cv2', 'mmanon.datasets.parts'} & set(modules)


def test_tool_leaves_a_whole_benchmark_alone_at_once(mini):
    options = [
        f'--{name.replace("_", "-")}={getattr(SMALL, name)}'
        for name in (
            'train_clips',
            'test_clips',
            'train_identities',
            'test_identities',
            'train_faces',
            'val_faces',
        )
    ]
    command = [sys.executable, str(TOOL), '--out', str(mini)]
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    done = subprocess.run(
        [*command, *options], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0 and 'exists already' in done.stdout
    refused = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert refused.returncode == 1
    assert 'other settings' in refused.stderr and '--force' in refused.stderr
