import json
import os
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from mmengine.config import Config

TOOLS = Path(__file__).parents[2] / 'tools'


def tool(name: str, monkeypatch, config: Config, args: list[str]) -> dict:
    """The names of a tool that reads no config and runs nothing."""
    names = runpy.run_path(str(TOOLS / f'{name}.py'))['main'].__globals__
    runner = SimpleNamespace(train=lambda: None, test=lambda: {'mAP/overall': 0.5})
    monkeypatch.setattr(sys, 'argv', [f'{name}.py', *args])
    monkeypatch.setitem(names, 'load_config', lambda args: config)
    stub = SimpleNamespace(from_cfg=lambda config: runner)
    monkeypatch.setitem(names, 'Runner', stub)
    return names


@pytest.mark.parametrize('main_process', [True, False])
def test_only_the_main_process_writes_the_metrics(tmp_path, monkeypatch, main_process):
    checkpoint = tmp_path / 'epoch_1.pth'
    checkpoint.touch()
    out = tmp_path / 'out' / 'test.json'
    args = ['config.py', str(checkpoint), '--out', str(out)]
    names = tool('test', monkeypatch, Config(), args)
    monkeypatch.setitem(names, 'is_main_process', lambda: main_process)
    names['main']()
    assert out.parent.exists() == main_process
    if main_process:
        assert json.loads(out.read_text()) == {'mAP/overall': 0.5}


def test_scaling_the_learning_rate_needs_the_batch_size_it_is_for(monkeypatch):
    for given in ({}, dict(auto_scale_lr=None), dict(auto_scale_lr=dict(enable=False))):
        args = ['config.py', '--auto-scale-lr']
        names = tool('train', monkeypatch, Config(given), args)
        with pytest.raises(SystemExit, match=r'auto_scale_lr\.base_batch_size'):
            names['main']()
    config = Config(dict(auto_scale_lr=dict(base_batch_size=64)))
    tool('train', monkeypatch, config, ['config.py', '--auto-scale-lr'])['main']()
    assert config.auto_scale_lr.enable


@pytest.mark.skipif(sys.platform == 'win32', reason='shell scripts')
@pytest.mark.parametrize(
    'script, args, runs',
    [
        ('dist_train.sh', ['mine.py', '2'], 'train.py'),
        ('dist_test.sh', ['mine.py', 'epoch_1.pth', '2'], 'test.py'),
        ('slurm_train.sh', ['gpu', 'job', 'mine.py'], 'train.py'),
        ('slurm_test.sh', ['gpu', 'job', 'mine.py', 'epoch_1.pth'], 'test.py'),
    ],
)
def test_launchers_find_a_config_of_another_project(tmp_path, script, args, runs):
    stubs = tmp_path / 'bin'
    stubs.mkdir()
    for name in ('python', 'srun'):
        (stubs / name).write_text('#!/bin/sh\npwd\nprintf "%s\\n" "$@"\n')
        (stubs / name).chmod(0o755)
    project = tmp_path / 'my project'
    project.mkdir()
    done = subprocess.run(
        ['bash', os.path.relpath(TOOLS / script, project), *args, '--amp'],
        cwd=project,
        env={**os.environ, 'PATH': f'{stubs}{os.pathsep}{os.environ["PATH"]}'},
        capture_output=True,
        text=True,
    )
    where, *said = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert Path(where) == project
    tool = said.index('mine.py') - 1
    assert (project / said[tool]).resolve() == TOOLS / runs
    assert said[-1] == '--amp'
