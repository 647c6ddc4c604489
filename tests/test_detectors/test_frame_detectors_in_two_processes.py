import os
import socket
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import pytest

from mmanon.models.weight_files import DETECTOR, DISCRIMINATOR, MODIFIER, load_weights
from mmanon.testing import two_line_config
from mmanon.testing.made_up_data import write_made_up_data, write_made_up_people
from mmanon.testing.shrink import shrink, shrink_widths

ROOT = Path(__file__).parents[2]
ANONYMIZER = ROOT / 'configs/_base_/anonymizers/resnet9_sphereface20.py'
# Its losses are divided by the number of positives of all processes.
DETECTOR_CONFIG = 'mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py'


@pytest.fixture
def config(tmp_path, monkeypatch):
    """FCOS, narrower, on two made-up images: two iterations of the game."""
    config = two_line_config(DETECTOR_CONFIG, ANONYMIZER)
    shrink(config)
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    # What two processes cannot agree on with one: augmentation drawn per process.
    config.train_dataloader.dataset.pipeline = config.test_dataloader.dataset.pipeline
    config.train_dataloader.sampler.shuffle = False
    config.train_cfg.max_epochs = 2
    config.param_scheduler = []
    config.randomness = dict(seed=3)
    hook = config.custom_hooks[0]
    for network in ('modifier', 'discriminator'):
        shrink_widths(hook[network])
    # Adam's first steps would turn rounding near a gradient of 0 into whole steps.
    sgd = dict(optimizer=dict(type='SGD', lr=0.01))
    hook.update(crop_size=32, phases=None)
    hook.optim_wrapper = dict(modifier=sgd, discriminator=sgd)
    hook.faces = dict(
        batch_size=4,
        dataset=dict(type='mmanon.FaceIdentityDataset', data_root='people'),
    )
    # As RTMDet and others bring it: the weights that are saved are the average's.
    average = dict(type='EMAHook', ema_type='ExponentialMovingAverage', momentum=0.5)
    config.custom_hooks = [hook, average]
    monkeypatch.chdir(tmp_path)
    write_made_up_data(config)
    write_made_up_people(Path('people'), 32)
    return config


def train(config, name, processes):
    config = deepcopy(config)
    config.work_dir = name
    config.dump(f'{name}.py')
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    script = [str(ROOT / 'tools' / 'train.py'), f'{name}.py']
    launcher = ['-m', 'torch.distributed.run', f'--nproc_per_node={processes}']
    if processes > 1:
        script = [*launcher, f'--master_port={port}', *script, '--launcher', 'pytorch']
    done = subprocess.run(
        [sys.executable, *script],
        env=dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1'),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return load_weights(Path(name) / 'epoch_2.pth')


def test_two_processes_train_a_frame_detector_as_one_of_twice_the_batch(config):
    one, two = deepcopy(config), deepcopy(config)
    one.train_dataloader.batch_size = 2
    two.train_dataloader.batch_size = 1
    two.custom_hooks[0].faces.batch_size = 2
    start = deepcopy(one)
    # At a rate of nothing: the weights that all start from.
    for wrapper in (start.optim_wrapper, *start.custom_hooks[0].optim_wrapper.values()):
        wrapper.optimizer.lr = 0.0

    before = train(start, 'start', 1)
    single, double = train(one, 'one', 1), train(two, 'two', 2)

    assert set(single) == set(double)
    for name, value in single.items():
        apart = double[name].double() - value
        moved = (value.double() - before[name]).norm()
        # Rounding: of few weights, and little beside what a step moves.
        assert apart.norm() <= 0.02 * moved + 1e-5 * value.numel() ** 0.5, name
        assert (apart.abs() <= 5e-5 + 1e-3 * value.abs()).all(), name
    for network in (DETECTOR, MODIFIER, DISCRIMINATOR):
        moved = max(
            (value - before[name]).abs().max()
            for name, value in single.items()
            if name.startswith(network) and name.endswith('weight')
        )
        # Far more than the two may differ.
        assert moved > 2e-4, network
