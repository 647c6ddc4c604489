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

from mmanon.evaluation import AttackMetric, FaceVerificationMetric
from mmanon.evaluation.metrics.face_pass import EmbeddingWatcher
from mmanon.models.attackers import (
    AdaptiveRecognizer,
    DlibRecognizer,
    NAFNetRestorer,
    RestoringRecognizer,
    TunedRecognizer,
)
from mmanon.registry import MODELS
from mmanon.structures.landmark_template import TEMPLATE, TEMPLATE_SIDE

PEOPLE = 3
BASES = Path(__file__).parents[2] / 'configs/_base_/attackers'
TRAINING = BASES / 'training.py'


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


def tuned(**kwargs):
    torch.manual_seed(0)
    given = dict(
        modifier=dict(type='DownsampleModifier', size=4),
        recognizer=recognizer(head=None),
        margin=0.3,
    )
    attacker = TunedRecognizer(**{**given, **kwargs})
    # Both halves begin with the weights of a file.
    attacker.recognizer.load_state_dict(attacker.known.state_dict())
    return attacker


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


# A small NAFNet.


def test_a_nafnet_starts_by_adding_a_little_and_learns_to_undo():
    torch.manual_seed(0)
    restorer = NAFNetRestorer(4, (1, 1), 1, (1, 1))
    images = faces(4, 30)
    assert restorer(images).shape == (4, 3, 30, 30)
    optimizer = torch.optim.Adam(restorer.parameters(), lr=1e-2)
    shifted = images * 0.5
    losses = []
    for _ in range(40):
        loss = (restorer(shifted) - images).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    # Every weight takes part.
    assert all(weight.grad.abs().sum() > 0 for weight in restorer.parameters())
    assert restorer.eval()(images * 5).abs().max() <= 1


def test_its_blocks_start_as_the_identity():
    block = NAFNetRestorer(4, (1,), 1, (1,)).encoders[0]
    features = torch.rand(2, 4, 8, 8)
    assert torch.equal(block(features), features)


def test_levels_of_a_nafnet_agree():
    with pytest.raises(ValueError, match='must have the same number of levels'):
        NAFNetRestorer(4, (1, 1), 1, (1,))
    with pytest.raises(ValueError, match='base_channels must be a whole number'):
        NAFNetRestorer(0)


# Recognizers that are fine-tuned.


def test_a_tuned_recognizer_starts_as_the_one_it_was():
    attacker = tuned().train()
    images = faces()
    originals = attacker.embed(images)
    assert torch.allclose(attacker.eval().embed_modified(images), originals)
    assert not any(one.requires_grad for one in attacker.known.parameters())
    batch_norms = [
        one
        for one in attacker.train().recognizer.modules()
        if isinstance(one, torch.nn.modules.batchnorm._BatchNorm)
    ]
    assert not any(one.training for one in batch_norms)


def test_it_learns_where_originals_lie():
    attacker = tuned()
    images, labels = faces(), torch.arange(6) % PEOPLE
    learned = [one for one in attacker.parameters() if one.requires_grad]
    optimizer = torch.optim.Adam(learned, lr=3e-3)
    known = attacker.embed(images)
    logs = []
    for _ in range(30):
        logs.append(attacker.loss(images, labels))
        loss = logs[-1]['loss_distance'] + logs[-1]['loss_contrast']
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert logs[-1]['similarity'] > logs[0]['similarity'] + 0.05
    assert logs[-1]['loss_contrast'] < logs[0]['loss_contrast']
    assert torch.equal(attacker.embed(images), known)


def test_faces_of_one_person_are_no_contrast():
    attacker = tuned()
    logs = attacker.loss(faces(), torch.zeros(6).long())
    assert logs['loss_contrast'].item() == pytest.approx(0, abs=1e-6)
    with pytest.raises(ValueError, match='scale must be above 0'):
        tuned(scale=0)


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


@pytest.mark.parametrize('make', [adaptive, restoring, tuned])
def test_only_losses_and_embeddings_are_asked_for(make):
    with pytest.raises(ValueError, match="'predict' or 'tensor', got 'guess'"):
        make()(faces(), mode='guess')
    with pytest.raises(ValueError, match="mode 'predict' needs the labels"):
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


# How long they practise.


def validated(tmp_path, **changes):
    write_tiny_faces(tmp_path / 'people', PEOPLE, images=4)
    config = Config.fromfile(BASES / 'validated.py')
    sets = dict(data_root=str(tmp_path / 'people'), crop_size=32, margin=0.3)
    config.merge_from_dict(
        dict(
            model=dict(
                type='mmanon.AdaptiveRecognizer',
                modifier=dict(type='mmanon.DownsampleModifier', size=2),
                recognizer=recognizer(),
                margin=0.3,
            ),
            work_dir=str(tmp_path / 'work'),
            train_cfg=dict(max_iters=40, val_interval=2),
            log_level='WARNING',
            train_dataloader=dict(
                batch_size=6, sampler=dict(batch_size=6), dataset=sets
            ),
            val_dataloader=dict(dataset=sets),
            experiment_name=f'validated_{tmp_path.name}',
            **changes,
        )
    )
    return config


class Scores:
    """Stands for the figures that a training's validations come to."""

    def __init__(self, *scores):
        self.left = list(scores)
        self.seen = []

    def __call__(self, results):
        score = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        self.seen.append(score)
        return dict(auc=score)


def test_practice_ends_when_validation_gains_no_more(tmp_path):
    runner = Runner.from_cfg(validated(tmp_path))
    scores = Scores(0.5, 0.6, 0.8, 0.7, 0.7, 0.7, 0.7, 0.9)
    runner.val_loop.evaluator.metrics[0].compute_metrics = scores
    runner.train()

    # Once before, then four times no better than 0.8.
    assert scores.seen == [0.5, 0.6, 0.8, 0.7, 0.7, 0.7, 0.7]
    assert runner.iter == 12
    [best] = (tmp_path / 'work').glob('best_*.pth')
    assert best.name == 'best_attack_auc_iter_4.pth'
    # Where it stood still the rate fell.
    assert runner.optim_wrapper.param_groups[0]['lr'] < 1e-3


def test_weights_that_training_spoils_are_kept(tmp_path):
    runner = Runner.from_cfg(validated(tmp_path))
    runner.val_loop.evaluator.metrics[0].compute_metrics = Scores(0.9, 0.5)
    runner.train()
    [best] = (tmp_path / 'work').glob('best_*.pth')
    assert best.name == 'best_attack_auc_iter_0.pth'


def test_its_validation_verifies_faces_it_has_not_seen(tmp_path):
    # Keeping the best is for trainings.
    hooks = dict(checkpoint=dict(save_best=None))
    runner = Runner.from_cfg(validated(tmp_path, default_hooks=hooks))
    figures = runner.val()
    names = {f'attack/{m}/{f}' for m in MODIFIED for f in ('eer', 'auc')}
    assert set(figures) == {*names, 'attack/auc'}
    found = [figures[f'attack/{m}/auc'] for m in MODIFIED]
    assert figures['attack/auc'] == pytest.approx(np.mean(found))
    # People of one colour each: even four pixels tell.
    assert figures['attack/auc'] > 0.7


MODIFIED = ('modified_original', 'modified_modified')


def test_a_linker_is_judged_by_links_alone():
    metric = AttackMetric(matchings=['modified_modified'])
    random = torch.Generator().manual_seed(0)
    people = torch.eye(3)
    for index in range(9):
        noise = torch.randn(3, generator=random)
        sample = dict(
            original=noise, modified=people[index % 3], label=torch.tensor(index % 3)
        )
        metric.process(None, [sample])
    figures = metric.evaluate(size=9)
    assert figures == {
        'attack/modified_modified/eer': 0.0,
        'attack/modified_modified/auc': 1.0,
        'attack/auc': 1.0,
    }
    with pytest.raises(ValueError, match=r"matchings must be some of .* got \['all'\]"):
        AttackMetric(matchings=['all'])


# Views.

HEAD = dict(name='head', crop_size=32, head_margin=0.6, feather=0.0)


@pytest.mark.parametrize('make', [adaptive, restoring, tuned])
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
    logs = attacker.loss(images, torch.arange(6) % PEOPLE)
    sum(value for name, value in logs.items() if 'loss' in name).backward()
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
    with pytest.raises(ValueError, match='it was trained on FaceView.* would see Face'):
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
