"""Whole trainings where there is a GPU, and on the CPU where there is none.

mmengine puts the networks on a GPU by itself.
"""

from copy import deepcopy

import pytest
import torch
from gpu import HERE, in_fixed_order, needs_gpu
from mmcv.ops import RoIAlign
from mmengine.runner import Runner
from tiny import tiny_config, write_tiny_ava, write_tiny_faces

import mmanon.datasets.formats.proposals  # noqa: F401  (AVA's .npz)
from mmanon.engine.game.devices import check_deterministic, refuses_fixed_order
from mmanon.models.weight_files import (
    DETECTOR,
    DISCRIMINATOR,
    MODIFIER,
    extract_part,
    load_weights,
)

pytestmark = pytest.mark.gpu


@pytest.fixture(scope='module')
def base(tmp_path_factory):
    root = tmp_path_factory.mktemp('data')
    write_tiny_ava(root)
    write_tiny_faces(root / 'people')
    config = tiny_config(root, root / 'work')
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    config.custom_hooks[0].update(val_faces=None)
    return config


@pytest.fixture
def config(base, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = deepcopy(base)
    config.work_dir = str(tmp_path / 'work')
    config.experiment_name = tmp_path.name
    return config


def train(config) -> Runner:
    runner = Runner.from_cfg(config)
    runner.train()
    assert next(runner.model.parameters()).device.type == HERE
    return runner


def assert_all_learned(runner: Runner, names=(DETECTOR, MODIFIER, DISCRIMINATOR)):
    """Between the first epoch and the end weights of each network have moved."""
    first, last = (
        load_weights(f'{runner.work_dir}/epoch_{epoch}.pth') for epoch in (1, 2)
    )
    for network in names:
        before, after = extract_part(first, network), extract_part(last, network)
        assert all(value.isfinite().all() for value in after.values())
        moved = [
            name
            for name in before
            if name.endswith('weight') and not torch.equal(before[name], after[name])
        ]
        assert moved, network


def on_the_cpu_too(monkeypatch) -> None:
    """Let mmengine's mixed precision pass where there is no GPU."""
    if HERE == 'cuda':
        return
    module = 'mmengine.optim.optimizer.amp_optimizer_wrapper'
    monkeypatch.setattr(f'{module}.is_cuda_available', lambda: True)
    # It has no bfloat16 on the CPU.
    align = RoIAlign.forward
    monkeypatch.setattr(
        RoIAlign, 'forward', lambda self, x, rois: align(self, x.float(), rois.float())
    )


@pytest.mark.parametrize(
    'dtype',
    [
        'bfloat16',
        pytest.param(
            'float16',
            marks=pytest.mark.skipif(HERE == 'cpu', reason='it takes a CUDA device'),
        ),
    ],
)
def test_mixed_precision_clipping_and_accumulation(config, dtype, monkeypatch):
    on_the_cpu_too(monkeypatch)
    scale = dict(enabled=False) if dtype == 'bfloat16' else dict(init_scale=2.0**10)
    config.optim_wrapper.update(
        type='AmpOptimWrapper',
        dtype=dtype,
        loss_scale=scale,
        clip_grad=dict(max_norm=1.0),
        accumulative_counts=2,
    )
    # oneDNN's bfloat16 Conv3d sometimes gives a gradient that is not a number.
    with torch.backends.mkldnn.flags(enabled=HERE == 'cuda'):
        runner = train(config)

    assert_all_learned(runner)
    wrappers = runner.optim_wrapper
    scaler = wrappers['modifier'].loss_scaler
    assert scaler is wrappers['detector'].loss_scaler
    assert scaler is not wrappers['discriminator'].loss_scaler
    if dtype == 'float16':
        # One that skipped its steps would have been halved each time.
        assert scaler.get_scale() >= 2.0**8


def test_an_average_of_the_modifier_follows_it(config):
    config.custom_hooks[0].ema = dict(type='ExponentialMovingAverage', momentum=0.1)

    model = train(config).model

    learned, average = model.modifier.state_dict(), model.modifier_ema.module
    apart = [
        (learned[name] - value).abs().max().item()
        for name, value in average.state_dict().items()
        if name.endswith('weight')
    ]
    assert 0 < max(apart) < 1
    assert next(average.parameters()).device.type == HERE


def test_a_resumed_training_goes_on_where_it_stopped(config, tmp_path):
    straight = train(config).model.state_dict()
    config.resume, config.load_from = True, f'{config.work_dir}/epoch_1.pth'
    config.work_dir = str(tmp_path / 'resumed')
    config.experiment_name += '_resumed'

    resumed = train(config).model.state_dict()

    for name, value in resumed.items():
        # A GPU adds up in any order, and Adam's first steps are signs of gradients.
        if 'running' not in name and value.is_floating_point():
            apart = (value - straight[name]).abs().max().item()
            assert apart < (5e-3 if HERE == 'cuda' else 1e-6), name


def test_clips_and_faces_come_in_pinned_memory(config):
    runner = train(config)

    assert runner.train_dataloader.pin_memory == (HERE == 'cuda')
    assert runner.model.data_preprocessor._non_blocking == (HERE == 'cuda')


@needs_gpu
def test_a_deterministic_training_is_refused_where_it_would_stop(config):
    config.randomness = dict(seed=3, deterministic=True)
    try:
        with pytest.raises(ValueError, match=r'MaxPool3d \(detector.backbone.maxpool'):
            train(config)
    finally:
        torch.use_deterministic_algorithms(False)


def test_layers_without_a_fixed_order_are_named(config):
    model = train(config).model
    found = dict(refuses_fixed_order(model))

    assert found['detector.backbone.maxpool'] == 'MaxPool3d'
    assert 'RoIAlign' in found.values()
    assert not [name for name in found if not name.startswith('detector.')]
    with in_fixed_order():
        check_deterministic(model, torch.device('cpu'))
        with pytest.raises(ValueError, match='leave `deterministic` out'):
            check_deterministic(model, torch.device('cuda'))
        torch.use_deterministic_algorithms(True, warn_only=True)
        check_deterministic(model, torch.device('cuda'))
    check_deterministic(model, torch.device('cuda'))
