import os
import socket
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from tiny import tiny_config, write_tiny_ava, write_tiny_faces

from mmanon.engine.checkpoints import (
    DETECTOR,
    DISCRIMINATOR,
    MODIFIER,
    load_weights,
)

ROOT = Path(__file__).parents[2]


SAVE_WEIGHTS = """
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module()
class SaveWeights(Hook):
    def save(self, runner, when):
        path = f'{runner.work_dir}/{when}_rank{get_rank()}.pth'
        torch.save(runner.model.state_dict(), path)

    def before_train(self, runner):
        self.save(runner, 'before')

    def after_train(self, runner):
        self.save(runner, 'after')
"""


@pytest.fixture
def config(tmp_path, monkeypatch):
    (tmp_path / 'save_weights.py').write_text(SAVE_WEIGHTS)
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    write_tiny_ava(tmp_path / 'data')
    write_tiny_faces(tmp_path / 'data' / 'people')
    config = tiny_config(tmp_path / 'data', tmp_path / 'work')
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    # What two processes cannot agree on with one: statistics over a batch, and
    # augmentation drawn per process.
    config.model.backbone.norm_eval = True
    config.train_dataloader.dataset.pipeline = config.test_dataloader.dataset.pipeline
    config.train_dataloader.sampler.shuffle = False
    config.custom_hooks[0].val_faces = None
    config.custom_hooks[0].phases = dict(warm_up=1)
    # Adam's first steps would turn rounding near a gradient of 0 into whole steps.
    sgd = dict(optimizer=dict(type='SGD', lr=0.01))
    config.custom_hooks[0].optim_wrapper = dict(modifier=sgd, discriminator=sgd)
    config.custom_imports = dict(imports=['save_weights'])
    config.custom_hooks.append(dict(type='SaveWeights'))
    return config


def train(config, name, processes):
    config = deepcopy(config)
    config.work_dir += name
    path = Path(config.work_dir).with_suffix('.py')
    config.dump(path)
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    running = [
        subprocess.Popen(
            [
                sys.executable,
                str(ROOT / 'tools' / 'train.py'),
                str(path),
                *(['--launcher', 'pytorch'] if processes > 1 else []),
            ],
            cwd=ROOT,
            env=dict(
                os.environ,
                PYTHONPATH=os.pathsep.join(
                    [str(ROOT), os.environ.get('PYTHONPATH', '')]
                ),
                OMP_NUM_THREADS='1',
                MASTER_ADDR='127.0.0.1',
                MASTER_PORT=str(port),
                WORLD_SIZE=str(processes),
                RANK=str(rank),
                LOCAL_RANK=str(rank),
            ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(processes)
    ]
    for process in running:
        output = process.communicate(timeout=300)[0]
        assert process.returncode == 0, output[-3000:]
    return load_weights(Path(config.work_dir) / 'epoch_2.pth')


def test_two_processes_train_as_one_of_twice_the_batch(config):
    one = deepcopy(config)
    one.train_dataloader.batch_size = 4
    two = deepcopy(config)
    two.train_dataloader.batch_size = 2
    two.custom_hooks[0].faces.batch_size //= 2

    single, double = train(one, '_one', 1), train(two, '_two', 2)

    assert set(single) == set(double)
    for name, value in single.items():
        torch.testing.assert_close(
            double[name], value, atol=2e-5, rtol=1e-3, msg=lambda m, n=name: f'{n}: {m}'
        )
    before = load_weights(Path(f'{config.work_dir}_one') / 'before_rank0.pth')
    for network in (DETECTOR, MODIFIER, DISCRIMINATOR):
        moved = max(
            (value - before[name]).abs().max()
            for name, value in single.items()
            if name.startswith(network) and name.endswith('weight')
        )
        # Far more than the two may differ.
        assert moved > 2e-4, network


def test_two_processes_agree_on_the_weights(config):
    # Different clips for each process, augmentation and all.
    config.train_dataloader.sampler.shuffle = True

    train(config, '_two', 2)

    folder = Path(f'{config.work_dir}_two')
    ranks = [load_weights(folder / f'after_rank{rank}.pth') for rank in (0, 1)]
    for name, value in ranks[0].items():
        if 'running_' not in name:
            assert torch.equal(ranks[1][name], value), name
