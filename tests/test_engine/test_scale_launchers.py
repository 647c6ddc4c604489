"""The launch scripts with two processes, and switches on."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.runner import Runner
from tiny import tiny_config, write_tiny_ava, write_tiny_faces

import mmanon.datasets.formats.proposals  # noqa: F401  (AVA's .npz)
from mmanon.models.weight_files import load_weights

TOOLS = Path(__file__).parents[2] / 'tools'
SWITCHES = dict(
    activation_checkpointing=['backbone', 'modifier.body'],
    auto_scale_lr=dict(enable=True, base_batch_size=2),
)


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_tiny_ava(tmp_path / 'data')
    write_tiny_faces(tmp_path / 'data' / 'people')
    config = tiny_config(tmp_path / 'data', tmp_path / 'one')
    config.experiment_name = tmp_path.name
    # What processes cannot agree on with one: statistics and augmentation of a batch.
    config.model.backbone.norm_eval = True
    config.train_dataloader.dataset.pipeline = config.test_dataloader.dataset.pipeline
    config.train_dataloader.sampler.shuffle = False
    # Adam's first steps would turn rounding near a gradient of 0 into whole steps.
    sgd = dict(optimizer=dict(type='SGD', lr=0.01))
    config.custom_hooks[0].update(
        phases=dict(warm_up=1),
        optim_wrapper=dict(
            modifier=sgd, discriminator=dict(sgd, accumulative_counts=2)
        ),
    )
    config.optim_wrapper.accumulative_counts = 2
    config.train_cfg.val_interval = 10
    config.merge_from_dict(SWITCHES)
    return config


def launch(script: str, *args: object) -> None:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    done = subprocess.run(
        ['bash', str(TOOLS / script), *map(str, args)],
        env={
            **os.environ,
            'PATH': f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}',
            'PYTHONPATH': str(TOOLS.parent),
            'PORT': str(port),
            'OMP_NUM_THREADS': '1',
        },
        capture_output=True,
        text=True,
        timeout=550,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


def test_two_processes_train_with_switches_as_one_and_test_alike(config):
    one = Runner.from_cfg(config)
    one.train()

    # The same batches, halved, and with them the batch that the rate is for.
    config.work_dir = 'two'
    config.train_dataloader.batch_size //= 2
    config.custom_hooks[0].faces.batch_size //= 2
    config.dump('two.py')
    launch('dist_train.sh', 'two.py', 2, '--no-validate')

    single, double = load_weights('one/epoch_2.pth'), load_weights('two/epoch_2.pth')
    assert set(single) == set(double)
    for name, value in single.items():
        torch.testing.assert_close(
            double[name], value, atol=2e-5, rtol=1e-3, msg=lambda m, n=name: f'{n}: {m}'
        )

    launch('dist_test.sh', 'two.py', 'one/epoch_2.pth', 2, '--out', 'metrics.json')
    metrics = json.loads(Path('metrics.json').read_text())
    assert metrics == pytest.approx(one.test(), nan_ok=True)
