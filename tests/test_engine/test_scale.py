"""mmengine's switches for large runs: they work with the game, or are refused."""

from copy import deepcopy
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from mmengine.config import Config
from mmengine.model import MMDistributedDataParallel, MMSeparateDistributedDataParallel
from mmengine.optim import ApexOptimWrapper
from mmengine.runner import FlexibleRunner, Runner
from tiny import tiny_config, tiny_discriminator, write_tiny_ava, write_tiny_faces
from torch import nn

import mmanon.datasets.formats.proposals  # noqa: F401  (AVA's .npz)
from mmanon.engine.game.run_switches import check_optimizer, check_wrapper
from mmanon.models.detectors import AnonymizedDetector
from mmanon.models.weight_files import (
    DETECTOR,
    DISCRIMINATOR,
    MODIFIER,
    extract_part,
    load_weights,
)


@pytest.fixture(scope='module')
def base(tmp_path_factory) -> Config:
    """A game of four iterations that warms up, is played, and is fine-tuned."""
    root = tmp_path_factory.mktemp('data')
    write_tiny_ava(root)
    write_tiny_faces(root / 'people')
    config = tiny_config(root, root / 'work')
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    config.custom_hooks[0].update(val_faces=None, phases=dict(warm_up=1, fine_tune=1))
    return config


@pytest.fixture
def config(base, tmp_path, monkeypatch) -> Config:
    monkeypatch.chdir(tmp_path)
    config = deepcopy(base)
    config.work_dir = str(tmp_path / 'work')
    config.experiment_name = tmp_path.name
    return config


@pytest.fixture(scope='module')
def straight(base, tmp_path_factory) -> dict[str, torch.Tensor]:
    """The weights that a training without any switch ends with."""
    config = deepcopy(base)
    config.work_dir = str(tmp_path_factory.mktemp('straight'))
    config.experiment_name = 'straight'
    return train(config).model.state_dict()


def train(config: Config) -> Runner:
    runner = Runner.from_cfg(config)
    runner.train()
    return runner


def assert_learned_the_same(runner: Runner, straight: dict) -> None:
    learned = runner.model.state_dict()
    assert set(learned) == set(straight)
    for name, value in learned.items():
        # A forward pass that is done again counts twice in the running statistics.
        if 'running_' not in name and 'num_batches' not in name:
            torch.testing.assert_close(
                value,
                straight[name],
                atol=1e-6,
                rtol=1e-5,
                msg=lambda m, n=name: f'{n}: {m}',
            )


# Activation checkpointing.


@pytest.mark.parametrize('names', ['backbone', ['backbone.layer2', 'modifier.body']])
def test_activation_checkpointing_learns_the_same(config, straight, names):
    # While warming up the clips come without gradients: all weights learn all the same.
    config.activation_checkpointing = names

    assert_learned_the_same(train(config), straight)


def test_activations_of_the_named_modules_are_computed_anew(config, monkeypatch):
    config.activation_checkpointing = ['modifier.body']
    runner = Runner.from_cfg(config)
    passes: dict[str, list] = dict(inside=[], outside=[])
    real = AnonymizedDetector.init_weights

    def watch(model):
        real(model)
        for place, layer in (
            ('inside', model.modifier.body[0]),
            ('outside', model.modifier.output),
        ):
            layer.register_forward_hook(lambda *_, p=place: passes[p].append(1))

    monkeypatch.setattr(AnonymizedDetector, 'init_weights', watch)
    runner.train()

    # M learns in three iterations; in the fourth it only redraws.
    assert len(passes['outside']) == 4
    assert len(passes['inside']) == 4 + 3


def test_a_backbones_own_checkpointing_learns_the_same(config, straight):
    config.model.backbone.with_cp = True

    assert_learned_the_same(train(config), straight)


def test_the_config_is_kept_with_the_switch(config):
    config.activation_checkpointing = ['backbone']
    config.compile = False

    runner = train(config)

    assert runner.cfg.activation_checkpointing == ['backbone']
    assert runner.cfg.compile is False
    (saved,) = Path('work').rglob('vis_data/config.py')
    assert "activation_checkpointing = [\n    'backbone'" in saved.read_text()


@pytest.mark.parametrize(
    'name, message',
    [
        ('bacbone', "not a module of the FastRCNN: .*'backbone', 'roi_head'"),
        ('modifier.bodies', "or those of the modifier, such as 'modifier.body'"),
        ('roi_head.with_bbox', 'not a module'),
        ('discriminator.backbone', 'is frozen when M uses it'),
    ],
)
def test_names_that_cannot_be_checkpointed_are_refused(config, name, message):
    config.activation_checkpointing = ['backbone', name]

    with pytest.raises(ValueError, match=message):
        train(config)


# torch.compile.


def test_compiled_networks_learn_the_same(config, straight):
    compiled = []

    def backend(graph, inputs):
        compiled.append(graph)
        return graph.forward

    torch._dynamo.register_backend(backend, name='counting')
    config.activation_checkpointing = ['modifier.body']
    config.compile = dict(backend='counting')

    assert_learned_the_same(train(config), straight)
    assert len(compiled) >= 3
    assert set(load_weights('work/epoch_2.pth')) == set(straight)


def test_compiled_discriminators_learn_the_same_and_start_anew(config):
    config.custom_hooks[0].discriminator = dict(
        type='mmanon.DiscriminatorEnsemble', members=[tiny_discriminator(None)] * 2
    )
    config.custom_hooks[0].phases = dict(restart=2, catch_up=1)
    plain = train(config).model.state_dict()
    torch._dynamo.register_backend(lambda graph, inputs: graph.forward, name='same')
    config.compile = dict(backend='same')
    config.experiment_name += '_compiled'

    assert_learned_the_same(train(config), plain)


# Rates, accumulation, precision.


def test_scaling_the_rate_leaves_modifier_and_discriminator_alone(config):
    config.param_scheduler = None
    config.auto_scale_lr = dict(enable=True, base_batch_size=8)

    runner = train(config)

    rates = {name: rate[0] for name, rate in runner.optim_wrapper.get_lr().items()}
    # Two clips in a batch in place of eight.
    assert rates['detector.lr'] == pytest.approx(0.01 / 4)
    assert rates['modifier.lr'] == rates['discriminator.lr'] == pytest.approx(3e-4)


def test_switches_go_together(config, straight):
    config.optim_wrapper.accumulative_counts = 2
    config.activation_checkpointing = ['backbone', 'modifier.body']
    config.auto_scale_lr = dict(enable=True, base_batch_size=1)

    runner = train(config)

    assert runner.optim_wrapper['modifier'].inner_count == 4
    assert 'train/loss_adversarial' in runner.message_hub.log_scalars
    # Of two steps the last is in the fine-tuning.
    assert runner.model.modifier.updates == 1
    learned = runner.model.state_dict()
    for network in (MODIFIER, DISCRIMINATOR, DETECTOR):
        assert any(
            not torch.equal(value, straight[network + name])
            for name, value in extract_part(learned, network).items()
        ), network


# What is refused.


def test_a_runner_of_strategies_is_refused(config):
    config.update(strategy=dict(type='SingleDeviceStrategy'), env_cfg=dict())
    runner = FlexibleRunner.from_cfg(config)

    with pytest.raises(ValueError, match='FlexibleRunner with SingleDeviceStrategy'):
        runner.train()


@pytest.mark.parametrize(
    'key, value', [('runner_type', 'FlexibleRunner'), ('strategy', 'FSDPStrategy')]
)
def test_keys_that_a_plain_runner_would_not_heed_are_refused(config, key, value):
    config[key] = dict(type=value) if key == 'strategy' else value

    with pytest.raises(ValueError, match=f'{value}.*works only with Runner'):
        train(config)


@pytest.fixture
def group():
    """A process group of this process alone."""
    dist.init_process_group('gloo', rank=0, world_size=1, store=dist.HashStore())
    yield
    dist.destroy_process_group()


def test_wrappers_of_a_detectors_parts_are_refused(group):
    check_wrapper(MMDistributedDataParallel(nn.Linear(1, 1)))
    holder = nn.Module()
    holder.part = nn.Linear(1, 1)
    parts = MMSeparateDistributedDataParallel(holder)

    with pytest.raises(ValueError, match='type=MMSeparateDistributedDataParallel'):
        check_wrapper(parts)


def test_wrappers_that_shard_weights_are_refused():
    from mmengine.model import MMFullyShardedDataParallel

    sharded = MMFullyShardedDataParallel.__new__(MMFullyShardedDataParallel)

    with pytest.raises(ValueError, match='MMFullyShardedDataParallel.*shards weights'):
        check_wrapper(sharded)


def test_optimizers_that_cannot_share_a_backward_pass_are_refused():
    with pytest.raises(ValueError, match='type=ApexOptimWrapper .*AmpOptimWrapper'):
        check_optimizer(ApexOptimWrapper.__new__(ApexOptimWrapper))
