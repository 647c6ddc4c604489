"""Face metrics, given a model by hand and by the hook in a runner."""

import json
import re
import socket
from copy import deepcopy
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from tiny import tiny_config, tiny_discriminator, write_tiny_ava, write_tiny_faces

from mmanon.datasets import FaceIdentityDataset
from mmanon.evaluation import (
    FaceIdentificationMetric,
    FaceQualityMetric,
    FaceVerificationMetric,
    prepare_face_metrics,
)
from mmanon.evaluation.metrics import recognition_metrics
from mmanon.face_detectors import FaceDetections
from mmanon.models.discriminators import FaceClassifier, MobileFaceNet
from mmanon.registry import METRICS, MODELS
from mmanon.structures.landmark_template import TEMPLATE

MATCHINGS = ('original_original', 'modified_original', 'modified_modified')
PEOPLE, IMAGES = 8, 5
CPU = torch.device('cpu')


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Clips, faces to train with, faces to test with, and a recognizer's weights."""
    root = tmp_path_factory.mktemp('data')
    write_tiny_ava(root)
    write_tiny_faces(root / 'people')
    write_tiny_faces(root / 'strangers', PEOPLE, IMAGES)
    torch.manual_seed(0)
    backbone = MODELS.build(tiny_discriminator(3)).backbone
    torch.save(backbone.state_dict(), root / 'recognizer.pth')
    return root


@pytest.fixture
def faces(data):
    return dict(type='mmanon.FaceIdentityDataset', data_root=str(data / 'strangers'))


@pytest.fixture
def recognizer(data):
    cfg = tiny_discriminator()
    del cfg['head'], cfg['margin']
    checkpoint = str(data / 'recognizer.pth')
    cfg['backbone']['init_cfg'] = dict(type='Pretrained', checkpoint=checkpoint)
    return cfg


class Redrawer(torch.nn.Module):
    """What metrics need of an AnonymizedDetector."""

    def __init__(self, modifier='IdentityModifier', crop_size=32, **kwargs):
        super().__init__()
        self.modifier = MODELS.build(dict(type=modifier, **kwargs))
        self.discriminator = None
        self.crop_size = crop_size
        self.margin = 0.3
        self.redrawn = []

    def redraw_faces(self, faces):
        assert not self.training
        drawn = self.modifier(faces)
        self.redrawn.extend(drawn.clone())
        return drawn


def measure(model, *metrics):
    """All figures, as an evaluator gathers them."""
    prepare_face_metrics(metrics, model, CPU)
    figures = {}
    for metric in metrics:
        metric.process(None, [])
        figures |= metric.evaluate(size=1)
    return figures


@pytest.fixture
def warned(monkeypatch):
    said = []
    monkeypatch.setattr(
        recognition_metrics,
        'print_log',
        lambda text, logger, level: said.append(text),
    )
    return said


# What is reported.


def test_an_attacker_reports_all_figures_of_all_matchings(faces, recognizer):
    figures = measure(
        Redrawer(),
        FaceVerificationMetric(faces, recognizer, num_different=1000),
        FaceIdentificationMetric(faces, recognizer),
    )

    names = ('eer', 'auc', 'tar_at_far_1e-2', 'accuracy', 'rank1', 'rank5')
    assert set(figures) == {
        f'spherefacenet/{matching}/{name}' for matching in MATCHINGS for name in names
    }
    assert all(0 <= value <= 1 for value in figures.values())


def test_an_identity_modifier_leaves_everything_to_be_recognized(faces, recognizer):
    figures = measure(
        Redrawer(),
        FaceVerificationMetric(faces, recognizer, prefix='a'),
        FaceIdentificationMetric(faces, recognizer, prefix='a'),
        FaceQualityMetric(faces),
    )

    for name, value in figures.items():
        if 'modified' in name:
            assert value == figures[f'a/original_original/{name.split("/")[2]}'], name
    # The people differ by colour, which even this recognizer sees.
    assert figures['a/original_original/rank1'] > 3 / PEOPLE
    assert figures['a/original_original/eer'] < 0.3
    assert figures['face_quality/mean_absolute_change'] == 0
    assert figures['face_quality/psnr'] == 100
    assert figures['face_quality/ssim'] == pytest.approx(1)


@pytest.mark.parametrize('batch_size', [3, 32])
def test_a_solid_mask_leaves_chance(faces, recognizer, batch_size):
    shared = dict(dataset=faces, recognizer=recognizer, batch_size=batch_size)
    figures = measure(
        Redrawer('SolidMaskModifier'),
        FaceVerificationMetric(**shared, prefix='a'),
        FaceIdentificationMetric(**shared, prefix='a'),
    )

    # Whatever the size of the last batch does to a float's last bits.
    assert figures['a/modified_modified/eer'] == 0.5
    assert figures['a/modified_modified/accuracy'] == 0.5
    assert figures['a/modified_modified/rank1'] == pytest.approx(1 / PEOPLE)
    assert figures['a/modified_modified/rank5'] == pytest.approx(5 / PEOPLE)
    assert figures['a/modified_original/eer'] == pytest.approx(0.5, abs=0.1)
    assert figures['a/modified_original/rank1'] <= 2 / PEOPLE
    assert figures['a/original_original/eer'] < 0.3


def test_quality_is_the_mean_over_the_faces(faces):
    model = Redrawer('SolidMaskModifier')
    figures = measure(model, FaceQualityMetric(faces, batch_size=7))

    dataset = FaceIdentityDataset(
        faces['data_root'], crop_size=32, margin=0.3, test_mode=True
    )
    images = torch.stack([one['image'] for one in dataset])
    # A mask of mid-grey is 0.
    expected = images.abs().mean().item()
    assert figures['face_quality/mean_absolute_change'] == pytest.approx(expected)
    error = images.square().mean((1, 2, 3))
    expected = (10 * (4 / error).log10()).mean().item()
    assert figures['face_quality/psnr'] == pytest.approx(expected, rel=1e-4)
    assert -1 < figures['face_quality/ssim'] < 0.5


def test_a_tar_that_cannot_be_seen_is_left_out_and_said(faces, recognizer, warned):
    metric = FaceVerificationMetric(faces, recognizer, num_different=999)
    figures = measure(Redrawer(), metric)

    there = PEOPLE * (PEOPLE - 1) // 2 * IMAGES**2
    assert not [name for name in figures if name.endswith('1e-3')]
    [text] = warned
    assert f'{there} pairs of two people are too few for tar_at_far_1e-3' in text
    del metric.drawing['num_different']
    metric._pairs = None
    figures = measure(Redrawer(), metric)
    assert not [name for name in figures if 'tar' in name]


# How it is done.


def test_each_face_is_redrawn_once_and_embedded_once_as_each(
    faces, recognizer, monkeypatch
):
    embedded = []
    kind = MODELS.get('FaceClassifier')
    embed = kind.embed

    def counted(self, images):
        embedded.extend(images)
        return embed(self, images)

    monkeypatch.setattr(kind, 'embed', counted)
    model = Redrawer()
    metrics = (
        FaceVerificationMetric(faces, recognizer, prefix='a'),
        FaceIdentificationMetric(faces, dict(recognizer), prefix='b'),
        FaceQualityMetric(faces),
    )
    measure(model, *metrics)
    assert len(model.redrawn) == PEOPLE * IMAGES
    assert len(embedded) == 2 * PEOPLE * IMAGES

    # And anew in the next epoch, as the model has learned.
    measure(model, *metrics)
    assert len(model.redrawn) == 2 * PEOPLE * IMAGES


def test_the_next_epoch_sees_what_the_model_has_learned(faces, recognizer):
    metric = FaceIdentificationMetric(faces, recognizer, prefix='a')
    model = Redrawer()
    before = measure(model, metric)
    model.modifier = MODELS.build(dict(type='SolidMaskModifier'))
    after = measure(model, metric)
    assert after['a/modified_modified/rank1'] < before['a/modified_modified/rank1']


def test_noise_is_drawn_for_each_image_and_the_same_in_each_run(faces, recognizer):
    model = Redrawer('GaussianNoiseModifier', std=0.3)
    metric = FaceVerificationMetric(faces, recognizer)
    torch.manual_seed(7)
    state = torch.get_rng_state()
    first = measure(model, metric)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(8)
    assert measure(model, metric) == first
    drawn = torch.stack(model.redrawn)
    half = len(drawn) // 2
    assert torch.equal(drawn[:half], drawn[half:])

    # Two identical images differ once redrawn.
    metric.seed = 1
    assert measure(model, metric) != first


def test_two_copies_of_a_photograph_are_redrawn_independently(tmp_path, recognizer):
    for person in 'ab':
        (tmp_path / person).mkdir()
        for index in range(2):
            image = np.full((32, 32, 3), 100, np.uint8)
            cv2.imwrite(str(tmp_path / person / f'{index}.png'), image)
    model = Redrawer('GaussianNoiseModifier', std=0.3)
    faces = dict(type='mmanon.FaceIdentityDataset', data_root=str(tmp_path))
    measure(model, FaceQualityMetric(faces, batch_size=2))
    drawn = torch.stack(model.redrawn).flatten(1)
    assert len(drawn.unique(dim=0)) == 4


def test_the_models_mode_is_as_it_was(faces):
    model = Redrawer().train()
    measure(model, FaceQualityMetric(faces))
    assert model.training


def test_detections_are_not_looked_at(faces):
    metric = FaceQualityMetric(faces)
    for _ in range(3):
        metric.process(object(), object())
    assert len(metric.results) == 1


def test_pairs_of_lfw_are_verified_as_they_are(tmp_path, recognizer, warned):
    """Colours make the pairs: only the second fold's can be told."""
    grey = {'Ann': (10, 10, 200), 'Bob': (10, 10, 10), 'Eve': (240, 240, 240)}
    for name, values in grey.items():
        (tmp_path / 'lfw' / name).mkdir(parents=True)
        for number, value in enumerate(values, 1):
            path = tmp_path / 'lfw' / name / f'{name}_{number:04d}.jpg'
            cv2.imwrite(str(path), np.full((32, 32, 3), value, np.uint8))
    lines = ['2\t2', 'Ann\t1\t3', 'Bob\t1\t2', 'Ann\t1\tBob\t1', 'Bob\t2\tEve\t1']
    lines += ['Ann\t1\t2', 'Eve\t1\t2', 'Bob\t3\tEve\t3', 'Ann\t3\tBob\t3']
    pairs = tmp_path / 'pairs.txt'
    pairs.write_text('\n'.join(lines))
    faces = dict(type='mmanon.FaceIdentityDataset', data_root=str(tmp_path / 'lfw'))

    def run():
        metric = FaceVerificationMetric(faces, recognizer, pairs_file=pairs, prefix='a')
        return measure(Redrawer(), metric), metric

    figures, metric = run()
    assert metric._pairs.same.tolist() == [True, True, False, False] * 2
    # Ann 1 and Bob 1 score as alike as the three of one grey each, Ann 1 and 3 do not.
    assert figures['a/original_original/auc'] < 1
    assert any('too few' in text for text in warned)

    # A photograph without a face loses its pairs, and it is said.
    warned.clear()
    (tmp_path / 'lfw' / 'Ann' / 'Ann_0003.jpg').write_bytes(b'no image')
    _, metric = run()
    assert len(metric._pairs.same) == 6
    assert '2 of 8 pairs are left out' in warned[0] and 'Ann_0003.jpg' in warned[0]

    (tmp_path / 'lfw' / 'Ann' / 'Ann_0003.jpg').unlink()
    with pytest.raises(FileNotFoundError, match='line 2: .*Ann_0003.jpg does not'):
        run()


def test_mobilefacenet_verifies_lfw_as_published(shared_data, tmp_path, warned):
    weights = shared_data / 'weights'
    yunet = str(weights / 'yunet_n_320_320.onnx')
    faces = dict(
        type='mmanon.FaceIdentityDataset',
        data_root=str(shared_data / 'faces' / 'lfw10'),
        detector=dict(type='mmanon.YuNetFaceDetector', weights=yunet),
        cache_dir=str(tmp_path),
    )
    given = dict(type='Pretrained', checkpoint=str(weights / 'mobilefacenet_ms1m.pt'))
    recognizer = dict(
        type='mmanon.FaceClassifier',
        backbone=dict(type='mmanon.MobileFaceNet', init_cfg=given),
    )
    shared = dict(dataset=faces, recognizer=recognizer)
    figures = measure(
        Redrawer('DownsampleModifier', crop_size=128, size=4),
        FaceVerificationMetric(**shared),
        FaceIdentificationMetric(**shared),
    )

    assert not warned
    original, blurred = (
        {
            name.rsplit('/')[-1]: value
            for name, value in figures.items()
            if name.startswith(f'mobilefacenet/{matching}')
        }
        for matching in MATCHINGS[:2]
    )
    assert original['eer'] < 0.01
    assert original['accuracy'] > 0.99
    assert original['tar_at_far_1e-3'] > 0.97
    assert original['rank1'] == 1
    # Of 4 x 4 colours it does not know much.
    assert blurred['eer'] > 0.3
    assert blurred['rank1'] < 0.4


# In a runner.


def configured(data, work_dir, metrics, modifier):
    config = tiny_config(data, work_dir, modifier=modifier)
    configured.count += 1
    config.experiment_name = f'face_metrics_{configured.count}'
    detector = dict(config.test_evaluator)
    config.test_evaluator = [detector, *metrics]
    config.val_evaluator = [detector, *deepcopy(metrics)]
    return config


configured.count = 0


@pytest.fixture
def trained_discriminator(monkeypatch):
    """As after a checkpoint of the game; without one D is no recognizer."""
    monkeypatch.setattr(FaceClassifier, 'is_untrained', False)


def test_metrics_stand_beside_the_detectors(
    data, faces, recognizer, tmp_path, trained_discriminator
):
    kinds = ('FaceVerificationMetric', 'FaceIdentificationMetric')
    metrics = [
        dict(type=f'mmanon.{kind}', dataset=faces, recognizer=attacker)
        for kind in kinds
        for attacker in (recognizer, 'discriminator')
    ]
    metrics.append(dict(type='mmanon.FaceQualityMetric', dataset=faces))
    config = configured(data, tmp_path, metrics, dict(type='mmanon.IdentityModifier'))

    figures = Runner.from_cfg(config).test()

    assert any('mAP' in name for name in figures)
    for attacker in ('spherefacenet', 'discriminator'):
        for name in ('eer', 'rank1'):
            original, *modified = (
                figures[f'{attacker}/{matching}/{name}'] for matching in MATCHINGS
            )
            assert modified == [original, original]
    assert figures['face_quality/mean_absolute_change'] == 0


def test_validation_while_training_measures_the_model_as_it_stands(
    data, faces, recognizer, tmp_path
):
    metrics = [
        dict(type='mmanon.FaceIdentificationMetric', dataset=faces, recognizer=one)
        for one in (recognizer, 'discriminator')
    ]
    mask = dict(type='mmanon.SolidMaskModifier')
    config = configured(data, tmp_path, metrics, mask)
    runner = Runner.from_cfg(config)

    runner.train()

    def history(name):
        log = runner.message_hub.get_scalar(f'val/{name}/rank1')
        return [float(value) for value in log.data[0]]

    chance = pytest.approx(1 / PEOPLE)
    assert history('discriminator/modified_modified') == [chance, chance]
    # D learns from epoch to epoch, the other stays as it was.
    first, second = history('spherefacenet/original_original')
    assert first == second


def test_an_untrained_modifier_is_measured_as_the_cover_it_is(
    data, faces, recognizer, tmp_path
):
    metric = dict(
        type='mmanon.FaceIdentificationMetric', dataset=faces, recognizer=recognizer
    )
    learned = dict(type='mmanon.ResNetModifier', base_channels=4, num_blocks=1)
    config = configured(data, tmp_path, [metric], learned)

    figures = Runner.from_cfg(config).test()

    rate = figures['spherefacenet/modified_modified/rank1']
    assert rate == pytest.approx(1 / PEOPLE)


# In two processes.


@MODELS.register_module(force=True)
class WholeFaceDetector:
    """Finds a face that fills the image."""

    def detect(self, image):
        side = len(image)
        marks = (TEMPLATE * side / 112).astype(np.float32)[None]
        box = np.array([[0, 0, side, side]], np.float32)
        return FaceDetections(box, np.ones(1, np.float32), marks)


def _one_of_two(rank, port, faces, recognizer, results):
    torch.distributed.init_process_group(
        'gloo', init_method=f'tcp://127.0.0.1:{port}', rank=rank, world_size=2
    )
    model = Redrawer('GaussianNoiseModifier', std=0.3)
    metrics = (
        FaceVerificationMetric(faces, recognizer),
        FaceIdentificationMetric(faces, recognizer),
    )
    figures = measure(model, *metrics)
    Path(results, f'{rank}.json').write_text(json.dumps(figures))
    torch.distributed.destroy_process_group()


def test_two_processes_report_what_one_does(faces, recognizer, tmp_path):
    # Photographs, which the processes align together.
    faces.update(detector=dict(type='WholeFaceDetector'), cache_dir=str(tmp_path / 'c'))
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]

    torch.multiprocessing.spawn(
        _one_of_two, (port, faces, recognizer, str(tmp_path)), nprocs=2
    )

    found = [json.loads((tmp_path / f'{rank}.json').read_text()) for rank in range(2)]
    one = measure(
        Redrawer('GaussianNoiseModifier', std=0.3),
        FaceVerificationMetric(faces, recognizer),
        FaceIdentificationMetric(faces, recognizer),
    )
    assert found[0] == found[1] == pytest.approx(one, abs=1e-6)


# What is refused.


def test_without_the_hook_a_metric_says_what_it_needs(faces):
    with pytest.raises(RuntimeError, match='needs the AdversarialAnonymizationHook'):
        FaceQualityMetric(faces).evaluate(size=1)
    metric = FaceQualityMetric(faces)
    measure(Redrawer(), metric)
    with pytest.raises(RuntimeError, match='FaceQualityMetric has no model'):
        metric.evaluate(size=1)


def test_a_recognizer_without_weights_is_refused(faces, recognizer):
    del recognizer['backbone']['init_cfg']
    metric = FaceVerificationMetric(faces, recognizer)
    with pytest.raises(ValueError, match='spherefacenet: .* without trained weights'):
        metric.prepare(Redrawer(), CPU)


def test_a_recognizer_of_another_input_size_is_refused(faces, recognizer):
    recognizer['backbone']['input_size'] = (48, 48)
    metric = FaceVerificationMetric(faces, recognizer)
    with pytest.raises(ValueError, match='does not hold the weights .* is .*, not'):
        metric.prepare(Redrawer(), CPU)


def test_a_recognizer_of_another_margin_is_refused(faces, recognizer):
    metric = FaceVerificationMetric(faces, dict(recognizer, margin=0.6))
    with pytest.raises(ValueError, match='recognizer.margin=0.6, .* margin 0.3 of'):
        metric.prepare(Redrawer(), CPU)


def test_a_discriminator_of_random_weights_is_refused(faces):
    model = Redrawer()
    model.discriminator = MODELS.build(tiny_discriminator(PEOPLE))
    metric = FaceVerificationMetric(faces, 'discriminator')
    with pytest.raises(ValueError, match='the checkpoint has none: one with random'):
        measure(model, metric)
    model.discriminator.load_state_dict(model.discriminator.state_dict())
    assert measure(model, metric)


def test_the_discriminator_of_a_model_without_one_is_refused(faces):
    metric = FaceVerificationMetric(faces, 'discriminator')
    with pytest.raises(ValueError, match="recognizer='discriminator', but .* has none"):
        metric.prepare(Redrawer(), CPU)
    with pytest.raises(ValueError, match="or the config .* got 'mobilefacenet'"):
        FaceVerificationMetric(faces, 'mobilefacenet')


def test_people_trained_on_are_refused(faces, recognizer, tmp_path):
    names = tmp_path / 'train.txt'
    names.write_text('someone\nperson2\n')
    for given in (str(names), ['person2']):
        metric = FaceIdentificationMetric(faces, recognizer, train_identities=given)
        with pytest.raises(
            ValueError, match=r"for training and for testing.*\['person2'\]"
        ):
            metric.prepare(Redrawer(), CPU)
    metric = FaceQualityMetric(faces, train_identities=['someone'])
    metric.prepare(Redrawer(), CPU)


def test_a_person_with_one_image_is_refused(tmp_path, recognizer):
    write_tiny_faces(tmp_path, identities=3, images=2)
    (tmp_path / 'person1' / '0.png').unlink()
    faces = dict(type='mmanon.FaceIdentityDataset', data_root=str(tmp_path))
    with pytest.raises(ValueError, match=r"fewer than two images.*\['person1'\]"):
        measure(Redrawer(), FaceVerificationMetric(faces, recognizer))
    metric = FaceIdentificationMetric(faces, recognizer, ranks=(1,))
    with pytest.raises(ValueError, match=r"no other face .*\['person1'\]"):
        measure(Redrawer(), metric)


def test_a_rank_that_is_always_right_is_refused(data, recognizer):
    faces = dict(type='mmanon.FaceIdentityDataset', data_root=str(data / 'people'))
    with pytest.raises(ValueError, match='rank 5 among 3 people'):
        measure(Redrawer(), FaceIdentificationMetric(faces, recognizer))


def test_embeddings_that_are_not_finite_name_the_face(faces, recognizer):
    class Spoiler(Redrawer):
        def redraw_faces(self, images):
            drawn = super().redraw_faces(images).clone()
            if len(self.redrawn) == 4:
                drawn[1] = torch.nan
            return drawn

    metric = FaceVerificationMetric(faces, recognizer, batch_size=4)
    with pytest.raises(
        ValueError, match=r'of 1 of 40 modified faces are not .* of .*person0/1.png'
    ):
        measure(Spoiler(), metric)


@pytest.mark.parametrize('key', ['crop_size', 'margin'])
def test_faces_of_another_geometry_are_refused(faces, key):
    with pytest.raises(ValueError, match=f"'{key}'.* come from the model: leave"):
        FaceQualityMetric(dict(faces, **{key: 1}))


def test_a_batch_of_nothing_is_refused(faces):
    with pytest.raises(ValueError, match='batch_size must be at least 1, got 0'):
        FaceQualityMetric(faces, batch_size=0)


def test_metrics_are_found_by_name():
    for kind in (FaceIdentificationMetric, FaceQualityMetric, FaceVerificationMetric):
        assert METRICS.get(f'mmanon.{kind.__name__}') is kind


# The page about it.


def examples():
    page = Path(__file__).parents[2] / 'docs' / 'evaluation.md'
    return re.findall(r'```python\n(.*?)```', page.read_text(), re.DOTALL)


def test_the_config_of_the_page_runs(data, tmp_path, trained_discriminator):
    config, *_ = examples()
    base = tiny_config(
        data, tmp_path / 'work', modifier=dict(type='mmanon.DownsampleModifier', size=4)
    )
    base.experiment_name = 'page'
    base.dump(tmp_path / 'anonymized.py')
    torch.save(MobileFaceNet().state_dict(), tmp_path / 'mobilefacenet_ms1m.pt')
    for name, there in (
        ('data/faces/test', data / 'strangers'),
        ('mobilefacenet_ms1m.pt', tmp_path / 'mobilefacenet_ms1m.pt'),
    ):
        assert name in config
        config = config.replace(name, there.as_posix())
    (tmp_path / 'config.py').write_text(config)

    figures = Runner.from_cfg(Config.fromfile(tmp_path / 'config.py')).test()

    for name in (
        'mobilefacenet/modified_original/eer',
        'mobilefacenet/modified_modified/rank5',
        'discriminator/modified_original/tar_at_far_1e-2',
        'face_quality/psnr',
    ):
        assert np.isfinite(figures[name]), name


def test_the_functions_of_the_page_run(capsys):
    *_, functions = examples()
    exec(functions, {})
    error, accuracy, ranks = capsys.readouterr().out.splitlines()
    assert 0.2 < float(error) < 0.8
    assert 0.2 < float(accuracy) < 0.8
    assert ranks.startswith('{1: 0.')
