"""Data-parallel wrappers over NCCL, and torch.compile with inductor."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from gpu import HERE, away, needs_gpu
from tiny import (
    tiny_config,
    tiny_discriminator,
    tiny_modifier,
    write_tiny_ava,
    write_tiny_faces,
)

from mmanon.registry import MODELS

ROOT = Path(__file__).parents[2]
SAY_BACKEND = """
import torch.distributed as dist
from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module()
class SayBackend(Hook):
    def after_train(self, runner):
        kind = type(runner.model.parallel['modifier']).__name__
        print('backend', dist.get_backend(), kind)
"""


@needs_gpu
def test_one_process_trains_by_data_parallel_wrappers(tmp_path):
    write_tiny_ava(tmp_path)
    write_tiny_faces(tmp_path / 'people')
    config = tiny_config(tmp_path, tmp_path / 'work')
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    config.custom_hooks[0].update(val_faces=None)
    config.custom_imports = dict(imports=['mmanon.datasets.formats.proposals'])
    config.train_cfg.max_epochs = 1
    (tmp_path / 'say_backend.py').write_text(SAY_BACKEND)
    config.custom_imports.imports.append('say_backend')
    config.custom_hooks.append(dict(type='SayBackend'))
    config.dump(tmp_path / 'config.py')

    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    tool = ROOT / 'tools' / 'train.py'
    ran = subprocess.run(
        [sys.executable, tool, tmp_path / 'config.py', '--launcher', 'pytorch'],
        env=os.environ
        | dict(
            PYTHONPATH=os.pathsep.join(
                [str(ROOT), str(tmp_path), os.environ.get('PYTHONPATH', '')]
            ),
            RANK='0',
            LOCAL_RANK='0',
            WORLD_SIZE='1',
            MASTER_ADDR='127.0.0.1',
            MASTER_PORT=str(port),
        ),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
    )

    assert ran.returncode == 0, ran.stderr[-2000:]
    assert 'backend nccl MMDistributedDataParallel' in ran.stdout
    assert (tmp_path / 'work' / 'epoch_1.pth').exists()


@needs_gpu
@pytest.mark.parametrize('network', ['modifier', 'discriminator'])
def test_inductor_compiles_for_numbers_of_faces_as_they_come(network):
    torch.manual_seed(0)
    if network == 'modifier':
        part = MODELS.build(dict(tiny_modifier(), start='scratch')).to(HERE)
    else:
        part = MODELS.build(tiny_discriminator()).to(HERE).backbone.eval()
    plain, size = part.forward, 32
    compiled = torch.compile(plain, backend='inductor', dynamic=True)
    for count in (4, 7, 12):
        faces = torch.rand(count, 3, size, size, device=HERE) * 2 - 1
        answers, gradients = [], []
        for run in (plain, compiled):
            part.zero_grad()
            answer = run(faces)
            answer.square().sum().backward()
            answers.append(answer)
            gradients.append(
                torch.cat([one.grad.flatten() for one in part.parameters()])
            )
        assert away(answers[1], answers[0]) < 1e-2
        assert away(gradients[1], gradients[0]) < 3e-2
