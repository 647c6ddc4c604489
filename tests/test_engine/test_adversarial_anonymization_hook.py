import json
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from mmcv.ops import RoIAlign
from mmengine.config import ConfigDict
from mmengine.hooks import Hook
from mmengine.runner import Runner
from tiny import tiny_config, tiny_modifier, write_tiny_ava, write_tiny_faces

from mmanon.engine.checkpoints import DETECTOR, extract_part, load_weights
from mmanon.registry import HOOKS


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp('data')
    write_tiny_ava(root)
    write_tiny_faces(root / 'people')
    return root


@pytest.fixture
def config(data, tmp_path):
    return tiny_config(data, tmp_path / 'work')


def run(config, **changes):
    config = deepcopy(config)
    config.merge_from_dict(changes, allow_list_keys=True)
    # Runners of one process must not share a name, or they would share their logs.
    config.experiment_name = f'test_{run.count}'
    run.count += 1
    runner = Runner.from_cfg(config)
    runner.train()
    return runner


run.count = 0


def latest(config):
    name = config.work_dir and open(f'{config.work_dir}/last_checkpoint').read().strip()
    return load_weights(name)


def assert_same(first, second):
    assert set(first) == set(second)
    for name in first:
        assert torch.equal(first[name], second[name]), name


@HOOKS.register_module(force=True)
class SpoilWeights(Hook):
    """Makes a weight of the modifier infinite after the first iteration."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter == 0:
            next(runner.model.modifier.parameters()).data.fill_(float('inf'))


def test_a_detectors_config_trains_and_validates_through_the_hook(config):
    runner = run(config)

    lines = [
        line
        for path in Path(runner._log_dir).rglob('scalars.json')
        for line in path.read_text().splitlines()
        if 'mAP' in line
    ]
    metrics = json.loads(lines[-1])
    assert len(lines) == 2
    assert 0 <= metrics['faces/acc_original'] <= 1
    assert 0 <= metrics['faces/acc_modified'] <= 1
    assert metrics['faces/num_identities'] == 3


def test_losses_are_logged_under_clear_names(config):
    runner = run(config)

    history = runner.message_hub.log_scalars
    for name in (
        'loss',
        'loss_action_cls',
        'loss_adversarial',
        'loss_structure',
        'loss_discriminator',
        'acc_original',
        'acc_modified',
        'pixel_change',
        'detector.lr',
        'modifier.lr',
        'discriminator.lr',
    ):
        assert f'train/{name}' in history, name


def test_the_detector_keeps_its_schedule_and_the_others_have_their_own(config):
    hook = config.custom_hooks[0]
    hook.param_scheduler = dict(
        modifier=[dict(type='ConstantLR', factor=0.1, by_epoch=False, end=100)]
    )
    runner = run(config)

    rates = {name: rate[0] for name, rate in runner.optim_wrapper.get_lr().items()}
    assert rates['detector.lr'] == pytest.approx(0.005)
    assert rates['modifier.lr'] == pytest.approx(3e-5)
    assert rates['discriminator.lr'] == pytest.approx(3e-4)


@pytest.mark.parametrize('loop', ['epochs', 'iterations'])
def test_resuming_continues_exactly(config, loop):
    config.custom_hooks[0].update(
        ema=dict(type='ExponentialMovingAverage', momentum=0.1),
        phases=dict(warm_up=1, fine_tune=1),
        discriminator_steps=2,
    )
    if loop == 'iterations':
        config.train_cfg = ConfigDict(
            type='IterBasedTrainLoop', max_iters=4, val_interval=2
        )
        config.train_dataloader.sampler.type = 'InfiniteSampler'
        config.default_hooks.checkpoint.update(by_epoch=False, interval=2)
        config.param_scheduler = None
    straight = run(config, work_dir=config.work_dir + '_straight')

    # Stop after half of it, by an error as a kill would, and go on.
    class Stop(Exception):
        pass

    class StopHook(Hook):
        priority = 'LOWEST'

        def before_train_iter(self, runner, *args, **kwargs):
            if runner.iter == 2:
                raise Stop

    half = deepcopy(config)
    half.experiment_name = f'half_{loop}'
    runner = Runner.from_cfg(half)
    runner.register_hook(StopHook())
    with pytest.raises(Stop):
        runner.train()
    resumed = run(config, resume=True)

    assert resumed.iter == straight.iter == 4
    assert_same(straight.model.state_dict(), resumed.model.state_dict())
    for name, wrapper in straight.optim_wrapper.items():
        state = wrapper.optimizer.state_dict()['state']
        other = resumed.optim_wrapper[name].optimizer.state_dict()['state']
        for key in state:
            for kind, value in state[key].items():
                if torch.is_tensor(value):
                    assert torch.equal(value, other[key][kind]), (name, key, kind)


def test_a_plain_checkpoint_loads_and_the_trained_detector_goes_back(config, tmp_path):
    plain = deepcopy(config)
    plain.custom_hooks = []
    plain.work_dir = str(tmp_path / 'plain')
    run(plain)
    weights = latest(plain)

    config.load_from = str(tmp_path / 'plain' / 'epoch_2.pth')
    config.custom_hooks[0].discriminator = None
    config.optim_wrapper.optimizer.lr = 0.0
    config.optim_wrapper.optimizer.momentum = 0.0
    runner = run(config)

    returned = extract_part(runner.model.state_dict(), DETECTOR)
    for name, value in weights.items():
        if 'running' not in name and 'num_batches' not in name:
            assert torch.equal(returned[name], value), name


def test_a_checkpoint_of_another_architecture_is_refused(config, tmp_path):
    plain = deepcopy(config)
    plain.custom_hooks = []
    plain.work_dir = str(tmp_path / 'plain')
    plain.model.backbone.base_channels = 4
    plain.model.roi_head.bbox_head.in_channels = 32
    run(plain)

    with pytest.raises(ValueError, match='another architecture'):
        run(config, load_from=str(tmp_path / 'plain' / 'epoch_2.pth'))


def test_a_plain_checkpoint_cannot_be_resumed(config, tmp_path):
    plain = deepcopy(config)
    plain.custom_hooks = []
    plain.work_dir = str(tmp_path / 'plain')
    run(plain)

    with pytest.raises(ValueError, match='holds a plain detector'):
        run(config, load_from=str(tmp_path / 'plain' / 'epoch_1.pth'), resume=True)


def test_a_loss_that_is_not_finite_stops_and_is_never_saved(config, tmp_path):
    config.custom_hooks[0].adversarial_loss = dict(
        type='mmanon.UniformTargetLoss', loss_weight=float('nan')
    )

    with pytest.raises(FloatingPointError, match='loss_adversarial.* not finite'):
        run(config)

    assert not list((tmp_path / 'work').glob('*.pth'))


def test_weights_that_are_not_finite_are_never_saved(config, tmp_path):
    config.train_cfg.max_epochs = 1
    config.train_dataloader.batch_size = 4
    config.custom_hooks.append(dict(type='mmanon.SpoilWeights', priority='NORMAL'))

    with pytest.raises(FloatingPointError, match='modifier.* is not finite'):
        run(config)

    assert not list((tmp_path / 'work').glob('*.pth'))


def test_a_class_count_that_differs_from_the_faces_is_refused(config):
    config.custom_hooks[0].discriminator.head.num_classes = 5

    with pytest.raises(ValueError, match='num_classes=5, but .* holds 3 identities'):
        run(config)


def test_validation_faces_of_other_people_are_refused(config, tmp_path):
    write_tiny_faces(tmp_path / 'others', identities=4)
    config.custom_hooks[0].val_faces.dataset.data_root = str(tmp_path / 'others')

    with pytest.raises(ValueError, match="of them only: \\['person3'\\]"):
        run(config)


def test_a_face_table_of_other_videos_is_refused(config, tmp_path):
    write_tiny_ava(tmp_path / 'more', clips=6)
    config.train_dataloader.dataset.ann_file = str(
        tmp_path / 'more' / 'annotations' / 'clips.csv'
    )

    with pytest.raises(Exception, match='clip4'):
        run(config)


def test_a_hand_crafted_modifier_trains_the_detector_alike(config):
    config.custom_hooks[0].modifier = dict(type='mmanon.DownsampleModifier', size=8)

    runner = run(config)

    assert set(runner.optim_wrapper.keys()) == {'detector', 'discriminator'}
    assert 'train/acc_modified' in runner.message_hub.log_scalars


def test_an_untrained_modifier_covers_in_testing(config, tmp_path, monkeypatch):
    plain = deepcopy(config)
    plain.custom_hooks = []
    plain.work_dir = str(tmp_path / 'plain')
    run(plain)
    config.load_from = str(tmp_path / 'plain' / 'epoch_2.pth')
    config.experiment_name = 'untrained'
    runner = Runner.from_cfg(config)

    runner.test()

    assert type(runner.model.deployed_modifier).__name__ == 'SolidMaskModifier'


def test_mixed_precision_and_clipping_train_all_networks(config, monkeypatch):
    # mmengine asks for a GPU; bfloat16 works on the CPU as well.
    module = 'mmengine.optim.optimizer.amp_optimizer_wrapper'
    monkeypatch.setattr(f'{module}.is_cuda_available', lambda: True)
    config.train_cfg.max_epochs = 1
    config.optim_wrapper.update(
        type='AmpOptimWrapper',
        dtype='bfloat16',
        loss_scale=dict(enabled=False),
        clip_grad=dict(max_norm=1.0),
    )
    hook = config.custom_hooks[0]
    hook.optim_wrapper = dict(
        modifier=dict(
            optimizer=dict(type='Adam', lr=3e-4), clip_grad=dict(max_norm=1.0)
        )
    )
    # mmcv's RoIAlign has no bfloat16 on the CPU.
    align = RoIAlign.forward
    monkeypatch.setattr(
        RoIAlign, 'forward', lambda self, x, rois: align(self, x.float(), rois.float())
    )
    seen = []
    original = torch.nn.functional.conv2d

    def spy(*args, **kwargs):
        out = original(*args, **kwargs)
        seen.append(out.dtype)
        return out

    monkeypatch.setattr(torch.nn.functional, 'conv2d', spy)
    # oneDNN's bfloat16 Conv3d sometimes gives a gradient that is not a number.
    with torch.backends.mkldnn.flags(enabled=False):
        runner = run(config)

    assert torch.bfloat16 in seen
    assert type(runner.optim_wrapper['modifier']).__name__ == 'FollowingAmpOptimWrapper'
    scaler = runner.optim_wrapper['modifier'].loss_scaler
    assert scaler is runner.optim_wrapper['detector'].loss_scaler


def test_a_learned_modifier_without_a_discriminator_stays_as_it_is(config):
    config.custom_hooks[0].discriminator = None

    runner = run(config)

    assert set(runner.optim_wrapper.keys()) == {'detector'}
    assert runner.model.modifier.is_untrained


@pytest.mark.parametrize(
    'wrong, message',
    [
        (dict(faces=None, val_faces=None), 'learns from face batches'),
        (dict(discriminator_steps=0), 'at least 1, got 0'),
        (dict(optim_wrapper=dict(detector=dict())), 'stands in its config'),
    ],
)
def test_contradicting_arguments_are_refused(wrong, message):
    cfg = dict(
        type='mmanon.AdversarialAnonymizationHook',
        modifier=tiny_modifier(),
        discriminator=dict(type='mmanon.FaceClassifier'),
        faces=dict(dataset=dict()),
    )
    with pytest.raises(ValueError, match=message):
        HOOKS.build({**cfg, **wrong})


def test_the_modifiers_precision_cannot_be_set_apart(config):
    config.custom_hooks[0].optim_wrapper = dict(
        modifier=dict(type='AmpOptimWrapper', optimizer=dict(type='Adam', lr=1e-4))
    )

    with pytest.raises(ValueError, match='optim_wrapper.modifier.type cannot be set'):
        run(config)
