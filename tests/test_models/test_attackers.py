"""Attackers that practise on a modifier, by themselves and in a runner."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from tiny import tiny_discriminator, write_tiny_faces

from mmanon.evaluation import FaceVerificationMetric
from mmanon.evaluation.metrics.face_pass import EmbeddingWatcher
from mmanon.models.attackers import (
    AdaptiveRecognizer,
    DlibRecognizer,
    RestoringRecognizer,
)
from mmanon.registry import MODELS
from mmanon.structures.landmark_template import TEMPLATE, TEMPLATE_SIDE

PEOPLE = 3
TRAINING = Path(__file__).parents[2] / 'configs/_base_/attackers/training.py'


def faces(count=6, size=32):
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, 3, size, size, generator=generator) * 2 - 1


def recognizer(**kwargs):
    return {**tiny_discriminator(PEOPLE), 'margin': 0.0, **kwargs}


def adaptive(**kwargs):
    torch.manual_seed(0)
    given = dict(
        modifier=dict(type='SolidMaskModifier'), recognizer=recognizer(), margin=0.3
    )
    return AdaptiveRecognizer(**{**given, **kwargs})


def restoring(**kwargs):
    torch.manual_seed(0)
    given = dict(
        modifier=dict(type='DownsampleModifier', size=4),
        restorer=dict(type='UNetModifier', base_channels=4, depth=1),
        recognizer=recognizer(),
        margin=0.3,
    )
    return RestoringRecognizer(**{**given, **kwargs})


# Adaptive recognizers.


def test_an_adaptive_recognizer_learns_from_both_kinds_of_faces():
    seen = []
    attacker = adaptive()
    loss = attacker.recognizer.loss
    attacker.recognizer.loss = lambda x, y: seen.append((x, y)) or loss(x, y)
    images, labels = faces(), torch.arange(6) % PEOPLE

    logs = attacker(images, labels, mode='loss')

    [(shown, named)] = seen
    assert torch.equal(shown[:6], torch.zeros_like(images))
    assert torch.equal(shown[6:], images)
    assert named.tolist() == [0, 1, 2] * 4
    # A mask tells nobody: of three people one is named, whoever it is.
    assert logs['acc_modified'] == pytest.approx(1 / PEOPLE)
    assert set(logs) == {'loss', 'acc_modified', 'acc_original'}


def test_it_can_learn_to_link_modified_faces_alone():
    attacker = adaptive(learn_originals=False)
    logs = attacker.loss(faces(), torch.arange(6) % PEOPLE)
    assert set(logs) == {'loss', 'acc_modified'}


def test_its_margin_is_the_recognizers():
    assert adaptive(margin=0.3).recognizer.margin == 0.3


def test_it_needs_a_head():
    with pytest.raises(ValueError, match='give its `recognizer` a `head`'):
        adaptive(recognizer=recognizer(head=None))


def test_annealing_of_its_head_moves_while_it_learns():
    steps = []
    attacker = adaptive()
    attacker.recognizer.advance = lambda: steps.append(1)
    attacker.train().loss(faces(), torch.zeros(6).long())
    attacker.eval().loss(faces(), torch.zeros(6).long())
    assert len(steps) == 1


# Restorers.


def test_a_restorer_is_told_the_original_of_each_modified_face():
    attacker = restoring()
    images = faces()
    logs = attacker.loss(images, torch.zeros(6).long())
    # As a U-Net it starts at the identity, within what its tanh leaves.
    change = (attacker.modifier(images) - images).abs().mean()
    assert logs['error_modified'] == pytest.approx(change.item())
    assert logs['loss'].item() == pytest.approx(change.item(), abs=0.01)
    logs['loss'].backward()
    assert attacker.restorer.output.conv.weight.grad.abs().sum() > 0


def test_only_modified_faces_are_restored_before_they_are_recognized():
    attacker = restoring().eval()
    attacker.restorer = torch.nn.Identity()
    attacker.restorer.forward = lambda images: -images
    images = faces()
    plain = attacker.recognizer.embed
    watcher = EmbeddingWatcher(attacker)

    with torch.no_grad():
        watcher.watch(images, images)
        expected = dict(original=plain(images), modified=plain(-images))

    for kind, embeddings in expected.items():
        assert np.allclose(watcher.embeddings(kind), embeddings, atol=1e-6)


def test_its_recognizer_stays_as_it_is():
    attacker = restoring().train()
    assert attacker.restorer.training
    assert not any(part.training for part in attacker.recognizer.modules())
    assert not any(one.requires_grad for one in attacker.recognizer.parameters())


# Both.


@pytest.mark.parametrize('make', [adaptive, restoring])
def test_the_modifier_is_frozen_and_must_be_trained(make):
    modifier = dict(type='ResNetModifier', base_channels=4, num_blocks=1)
    attacker = make(modifier=modifier).train()
    assert not attacker.modifier.training
    assert not any(one.requires_grad for one in attacker.modifier.parameters())

    with pytest.raises(ValueError, match='ResNetModifier .* has no trained weights'):
        attacker.loss(faces(), torch.arange(6) % PEOPLE)

    # What it hardly changes yet, its users would see covered.
    attacker.modifier.record_update()
    assert torch.equal(attacker.redraw(faces()), torch.zeros(6, 3, 32, 32))


@pytest.mark.parametrize('make', [adaptive, restoring])
def test_only_losses_and_embeddings_are_asked_for(make):
    with pytest.raises(ValueError, match="'loss' or 'tensor', got 'predict'"):
        make()(faces(), mode='predict')
    assert make().eval()(faces()).shape == (6, 8)


@pytest.mark.parametrize('make', [adaptive, restoring])
def test_an_attacker_that_was_not_trained_is_refused_by_metrics(make, tmp_path):
    write_tiny_faces(tmp_path / 'strangers')
    attacker = make()
    torch.save(attacker.recognizer.state_dict(), tmp_path / 'known.pth')
    weights = dict(type='Pretrained', checkpoint=str(tmp_path / 'known.pth'))
    cfg = dict(
        type='mmanon.RestoringRecognizer',
        modifier=dict(type='mmanon.IdentityModifier'),
        restorer=dict(type='mmanon.UNetModifier', base_channels=4, depth=1),
        recognizer=recognizer(init_cfg=weights),
    )
    if make is adaptive:
        cfg = dict(
            type='mmanon.AdaptiveRecognizer',
            modifier=cfg['modifier'],
            recognizer=recognizer(),
        )
    people = dict(
        type='mmanon.FaceIdentityDataset', data_root=str(tmp_path / 'strangers')
    )
    metric = FaceVerificationMetric(people, cfg)
    model = SimpleNamespace(crop_size=32, margin=0.3, discriminator=None)
    with pytest.raises(ValueError, match='without trained weights'):
        metric.prepare(model, torch.device('cpu'))


def test_what_a_config_trains_a_metric_loads_whole(tmp_path):
    write_tiny_faces(tmp_path / 'people', PEOPLE, images=4)
    model = dict(
        type='mmanon.AdaptiveRecognizer',
        modifier=dict(type='mmanon.DownsampleModifier', size=2),
        recognizer=recognizer(),
        margin=0.3,
    )
    config = Config.fromfile(TRAINING)
    config.merge_from_dict(
        dict(
            model=model,
            work_dir=str(tmp_path / 'work'),
            train_cfg=dict(max_iters=30),
            log_level='WARNING',
            train_dataloader=dict(
                batch_size=6,
                sampler=dict(batch_size=6),
                dataset=dict(
                    data_root=str(tmp_path / 'people'), crop_size=32, margin=0.3
                ),
            ),
            experiment_name='attackers_train',
        )
    )
    runner = Runner.from_cfg(config)
    runner.train()
    trained = runner.model.eval()

    # People of one colour each are soon told, even by four pixels.
    dataset = runner.train_dataloader.dataset
    images = torch.stack([dataset[i]['image'] for i in range(len(dataset))])
    labels = torch.from_numpy(dataset.labels)
    assert trained.loss(images, labels)['acc_modified'] > 0.8

    weights = dict(type='Pretrained', checkpoint=str(tmp_path / 'work/iter_30.pth'))
    attacker = MODELS.build({**model, 'init_cfg': weights})
    assert not torch.allclose(attacker.embed(images), trained.embed(images))
    attacker.init_weights()
    assert torch.equal(attacker.eval().embed(images), trained.embed(images))


# Views.

HEAD = dict(name='head', crop_size=32, head_margin=0.6, feather=0.0)


@pytest.mark.parametrize('make', [adaptive, restoring])
def test_an_attacker_practises_in_its_view(make):
    assert make().recognizer.margin == 0.3
    # All of the crop is a face to a recognizer that cuts its box out.
    assert make(view='crop').recognizer.margin == 0.0
    attacker = make(view=HEAD)
    side = attacker.view.image_size
    assert attacker.recognizer.margin == 0.0 and side == 44
    images = faces(size=side)
    modified = attacker.redraw(images)
    assert torch.equal(modified[..., :6, :], images[..., :6, :])
    assert not torch.allclose(modified[..., 6:38, 6:38], images[..., 6:38, 6:38])
    attacker.loss(images, torch.arange(6) % PEOPLE)['loss'].backward()
    assert attacker.eval().embed_modified(modified).shape == (6, 8)
    with pytest.raises(ValueError, match="'head' of an attacker needs the geometry"):
        make(view='head')


def test_a_restorer_of_heads_restores_what_was_redrawn():
    attacker = restoring(view=HEAD)
    attacker.restorer = torch.nn.Identity()
    attacker.restorer.forward = lambda crops: -crops
    images = faces(size=44)
    restored = attacker.restore(images)
    assert torch.allclose(
        restored[..., 6:38, 6:38], -images[..., 6:38, 6:38], atol=1e-6
    )
    assert torch.equal(restored[..., :6], images[..., :6])


def test_an_attacker_is_measured_in_the_view_it_was_trained_in(tmp_path):
    write_tiny_faces(tmp_path / 'people', PEOPLE, images=4)
    people = dict(
        type='mmanon.FaceIdentityDataset',
        data_root=str(tmp_path / 'people'),
        image_margin=0.8,
    )
    attacker = adaptive(view=HEAD)
    torch.save(attacker.state_dict(), tmp_path / 'attacker.pth')
    cfg = dict(
        type='mmanon.AdaptiveRecognizer',
        modifier=dict(type='mmanon.SolidMaskModifier'),
        recognizer=recognizer(),
        view=HEAD,
        init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'attacker.pth')),
    )
    with pytest.raises(ValueError, match="was trained in the view 'head', but view="):
        FaceVerificationMetric(people, cfg, view='crop')
    model = torch.nn.Module()
    model.crop_size, model.margin, model.feather = 32, 0.3, 0.0
    model.discriminator, model.redraw_faces = None, torch.zeros_like

    def measured(head_margin):
        metric = FaceVerificationMetric(
            people, cfg, num_different=200, folds=2, head_margin=head_margin
        )
        metric.prepare(model, torch.device('cpu'))
        metric.process(None, [])
        return metric.evaluate(size=1)

    assert 'adaptiverecognizer-head/modified_modified/eer' in measured(0.6)
    with pytest.raises(ValueError, match='it was trained on FaceView.* is shown Face'):
        measured(0.7)


# dlib.


class StubDlib:
    """Stands for the package: describes a chip by the means of its colours."""

    def __init__(self):
        self.chips = []

    def face_recognition_model_v1(self, weights):
        self.weights = weights
        return self

    def compute_face_descriptor(self, chip):
        self.chips.append(chip)
        return [float(chip[..., 0].mean())] * 128


@pytest.fixture
def dlib(monkeypatch):
    stub = StubDlib()
    monkeypatch.setitem(sys.modules, 'dlib', stub)
    return stub


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / 'dlib.dat'
    path.touch()
    return str(path)


def test_dlib_describes_chips_as_it_takes_them(dlib, weights):
    images = torch.full((2, 3, 64, 64), -1.0)
    images[1, 0] = 1.0
    found = DlibRecognizer(weights, margin=0.3).embed(images)

    assert dlib.weights == weights
    assert found.shape == (2, 128) and found.dtype == torch.float32
    assert found[:, 0].tolist() == [0, 255]
    for chip in dlib.chips:
        assert chip.shape == (150, 150, 3) and chip.dtype == np.uint8
        assert chip.flags.c_contiguous
    assert DlibRecognizer(weights).embed(images[:0]).shape == (0, 128)


@pytest.mark.parametrize('margin', [0.3, 0.6])
def test_dlib_sees_eyes_and_mouth_where_it_expects_them(dlib, weights, margin):
    """One white dot at a time where the template has eyes and mouth's corners."""
    size = 320
    where = (TEMPLATE[[0, 1, 3, 4]] + 0.5) / TEMPLATE_SIDE
    images = torch.full((4, 3, size, size), -1.0)
    for image, place in zip(images, where, strict=True):
        x, y = ((place + margin) / (1 + 2 * margin) * size).astype(int)
        image[:, y - 1 : y + 2, x - 1 : x + 2] = 1.0
    DlibRecognizer(weights, margin=margin).embed(images)

    # dlib's mean face, with a padding of a quarter of the side on each side.
    eyes_and_mouth = [(0.2255, 0.2160), (0.7548, 0.2160), (0.2541, 0.7802)]
    eyes_and_mouth.append((0.7261, 0.7802))
    for chip, place in zip(dlib.chips, eyes_and_mouth, strict=True):
        ys, xs = np.nonzero(chip[..., 0] > 60)
        expected = (np.array(place) + 0.25) / 1.5 * 150
        # The two templates differ in proportion, by some pixels of 150.
        assert np.abs([xs.mean(), ys.mean()] - expected).max() < 6


def test_dlib_needs_no_pretrained_init_cfg_to_be_an_attacker(dlib, weights, tmp_path):
    write_tiny_faces(tmp_path / 'people', PEOPLE, images=4)
    people = dict(type='mmanon.FaceIdentityDataset', data_root=str(tmp_path / 'people'))
    cfg = dict(type='mmanon.DlibRecognizer', weights=weights)
    metric = FaceVerificationMetric(people, cfg, num_different=200, folds=2)
    model = torch.nn.Module()
    model.crop_size, model.margin, model.discriminator = 32, 0.3, None
    model.redraw_faces = torch.zeros_like
    metric.prepare(model, torch.device('cpu'))
    metric.process(None, [])
    figures = metric.evaluate(size=1)
    assert figures['dlibrecognizer/modified_modified/eer'] == 0.5


def test_dlibs_package_and_weights_are_asked_for(monkeypatch, dlib, weights):
    with pytest.raises(FileNotFoundError, match='none.dat does not exist; unpack http'):
        DlibRecognizer('none.dat')
    monkeypatch.setitem(sys.modules, 'dlib', None)
    with pytest.raises(ImportError, match='`pip install dlib`'):
        DlibRecognizer(weights)
