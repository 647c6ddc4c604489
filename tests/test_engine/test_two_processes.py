import os
import socket
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from tiny import tiny_config, tiny_discriminator, write_tiny_ava, write_tiny_faces

from mmanon.models.weight_files import DETECTOR, DISCRIMINATOR, MODIFIER, load_weights

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


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp('processes')
    (root / 'save_weights.py').write_text(SAVE_WEIGHTS)
    write_tiny_ava(root / 'data')
    write_tiny_faces(root / 'data' / 'people')
    return root


@pytest.fixture
def config(root):
    return two_epochs(root)


def two_epochs(root):
    config = tiny_config(root / 'data', root / 'work')
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


def of_processes(config, processes):
    """The config for that many processes, with four clips and six faces in all."""
    config = deepcopy(config)
    config.train_dataloader.batch_size = 4 // processes
    config.custom_hooks[0].faces.batch_size = 6 // processes
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
                PYTHONPATH=os.pathsep.join([str(ROOT), str(path.parent)]),
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


@pytest.fixture(scope='module')
def trained(root):
    """Weights after two epochs, by the number of processes that trained them."""
    names = {1: '_one', 2: '_two'}
    return {
        processes: train(of_processes(two_epochs(root), processes), name, processes)
        for processes, name in names.items()
    }


def assert_close(found, expected):
    assert set(found) == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(
            found[name], value, atol=2e-5, rtol=1e-3, msg=lambda m, n=name: f'{n}: {m}'
        )


def distances(weights, since):
    """How far each network has moved: its weight that has moved most."""
    return {
        network: max(
            float((value - since[name]).abs().max())
            for name, value in weights.items()
            if name.startswith(network) and name.endswith('weight')
        )
        for network in (DETECTOR, MODIFIER, DISCRIMINATOR)
    }


def test_two_processes_train_as_one_of_twice_the_batch(trained, config):
    assert_close(trained[2], trained[1])
    before = load_weights(Path(f'{config.work_dir}_one') / 'before_rank0.pth')
    # Far more than the two may differ.
    assert min(distances(trained[1], before).values()) > 2e-4


@pytest.mark.parametrize(
    'first, then, processes',
    [('_one', '_one_then_two', 2), ('_two', '_two_then_one', 1)],
)
def test_training_goes_on_with_another_number_of_processes(
    trained, config, first, then, processes
):
    halfway = f'{config.work_dir}{first}/epoch_1.pth'
    config.update(resume=True, load_from=halfway)

    resumed = train(of_processes(config, processes), then, processes)

    assert_close(resumed, trained[1])
    assert min(distances(resumed, load_weights(halfway)).values()) > 2e-4


def test_two_processes_agree_on_the_weights(config):
    # Different clips for each process, augmentation and all; a modifier that keeps
    # statistics, and discriminators that start anew.
    config.train_dataloader.sampler.shuffle = True
    config.custom_hooks[0].modifier = dict(
        type='mmanon.BottleneckModifier', size=24, code_size=3, base_channels=8
    )
    config.custom_hooks[0].discriminator = dict(
        type='mmanon.DiscriminatorEnsemble', members=[tiny_discriminator(None)] * 2
    )
    config.custom_hooks[0].phases = dict(restart=1)

    train(config, '_two', 2)

    folder = Path(f'{config.work_dir}_two')
    ranks = [load_weights(folder / f'after_rank{rank}.pth') for rank in (0, 1)]
    for name, value in ranks[0].items():
        if 'running_' not in name:
            assert torch.equal(ranks[1][name], value), name
