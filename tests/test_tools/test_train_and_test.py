import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import mmengine.dist
import pytest
import torch
from mmengine.runner import Runner
from tiny import tiny_config, write_tiny_ava, write_tiny_faces

from mmanon.cli import export_checkpoint, test, train
from mmanon.engine.hooks import AdversarialAnonymizationHook
from mmanon.models.weight_files import load_checkpoint
from mmanon.registry import HOOKS

TOOLS = Path(__file__).parents[2] / 'tools'


@pytest.fixture
def configs(tmp_path, monkeypatch):
    """Config files, by their settings, and what the runner is given instead of run."""
    given = []
    runner = SimpleNamespace(train=lambda: None, test=lambda: {'mAP/overall': 0.5})

    def from_cfg(config):
        given.append(config)
        return runner

    monkeypatch.setattr(Runner, 'from_cfg', from_cfg)
    monkeypatch.chdir(tmp_path)
    write_tiny_faces(tmp_path / 'people', images=1)

    def write(**settings):
        config = tiny_config(tmp_path, tmp_path / 'work')
        for key, value in settings.items():
            config[key] = value
        # Config.dump takes a second to make it pretty.
        lines = [f'{key} = {one!r}\n' for key, one in config.to_dict().items()]
        (tmp_path / 'config.py').write_text(''.join(lines))
        return 'config.py'

    write.given = given
    return write


def save_checkpoint(path, *names, **more):
    torch.save(dict(state_dict={name: torch.zeros(1) for name in names}, **more), path)
    return str(path)


@pytest.mark.parametrize('main_process', [True, False])
def test_only_the_main_process_writes_the_metrics(
    configs, tmp_path, monkeypatch, main_process
):
    checkpoint = save_checkpoint(tmp_path / 'epoch_1.pth', 'detector.weight')
    out = tmp_path / 'out' / 'test.json'
    monkeypatch.setattr(mmengine.dist, 'is_main_process', lambda: main_process)
    assert test.main([configs(), checkpoint, '--out', str(out)]) == 0
    assert out.parent.exists() == main_process
    if main_process:
        assert json.loads(out.read_text()) == {'mAP/overall': 0.5}


def test_scaling_the_learning_rate_needs_the_batch_size_it_is_for(configs):
    for given in ({}, dict(auto_scale_lr=None), dict(auto_scale_lr=dict(enable=False))):
        with pytest.raises(SystemExit, match=r'auto_scale_lr\.base_batch_size'):
            train.main([configs(**given), '--auto-scale-lr'])
    config = configs(auto_scale_lr=dict(base_batch_size=64))
    train.main([config, '--auto-scale-lr'])
    assert configs.given[-1].auto_scale_lr.enable


# What was not asked for.


def test_a_plain_detector_is_trained_and_tested_only_when_asked_for(configs, tmp_path):
    """A list in a config replaces its base's: the hook is gone, and nobody is told."""
    plain = configs(custom_hooks=[dict(type='EMAHook')])
    checkpoint = save_checkpoint(tmp_path / 'plain.pth', 'backbone.weight')
    for run in (
        lambda *a: train.main([plain, *a]),
        lambda *a: test.main([plain, checkpoint, *a]),
    ):
        with pytest.raises(SystemExit, match=r'config\.py: none of its custom_hooks'):
            run()
        assert not configs.given
        run('--plain')
        assert configs.given.pop()


def test_a_plain_run_of_a_config_that_anonymizes_is_refused(configs):
    with pytest.raises(SystemExit, match=r'custom_hooks\[0\] anonymizes, but --plain'):
        train.main([configs(), '--plain'])


def test_two_hooks_that_anonymize_are_refused_before_anything_is_built(configs):
    hook = tiny_config(Path(), Path()).custom_hooks[0].to_dict()
    with pytest.raises(SystemExit, match=r'custom_hooks\[0\] and custom_hooks\[2\]'):
        train.main([configs(custom_hooks=[hook, dict(type='EMAHook'), hook])])
    assert not configs.given


def test_a_hook_derived_from_ours_anonymizes(configs, monkeypatch):
    @HOOKS.register_module()
    class OwnHook(AdversarialAnonymizationHook):
        pass

    try:
        train.main([configs(custom_hooks=[dict(type='mmanon.OwnHook')])])
    finally:
        HOOKS.module_dict.pop('OwnHook')
    assert configs.given


def test_an_attacker_in_training_is_no_plain_detector(configs):
    train.main([configs(model=dict(type='mmanon.AdaptiveRecognizer'), custom_hooks=[])])
    assert configs.given


def test_an_anonymized_checkpoint_is_not_tested_as_a_plain_detector(configs, tmp_path):
    """mmengine would pass over all of its names and test random weights."""
    plain = configs(custom_hooks=[])
    checkpoint = save_checkpoint(tmp_path / 'joint.pth', 'detector.backbone.weight')
    with pytest.raises(SystemExit, match='joint.pth contains an anonymized detector'):
        test.main([plain, checkpoint, '--plain'])
    with pytest.raises(SystemExit, match='joint.pth contains an anonymized detector'):
        train.main([plain, '--plain', '--cfg-options', f'load_from={checkpoint}'])
    assert not configs.given


def test_what_is_wrong_with_the_game_is_said_with_the_configs_name(configs):
    config = configs()
    with pytest.raises(SystemExit) as said:
        train.main([config, '--cfg-options', 'custom_hooks.0.margn=0.4'])
    assert str(said.value) == (
        'config.py: custom_hooks[0] (AdversarialAnonymizationHook): unknown key '
        '`margn`: did you mean `margin`?'
    )
    with pytest.raises(SystemExit, match='config.py: .*nowhere, which is not a folder'):
        train.main(
            [config, '--cfg-options', 'custom_hooks.0.faces.dataset.data_root=nowhere']
        )


# Checkpoints that are none.


@pytest.mark.parametrize(
    'content', [b'weights', b'<!DOCTYPE html><html>404</html>', 'cut', b'']
)
def test_a_broken_checkpoint_is_named_before_anything_is_built(
    configs, tmp_path, content
):
    broken = tmp_path / 'broken.pth'
    if content == 'cut':
        save_checkpoint(broken, 'detector.weight')
        content = broken.read_bytes()[:-100]
    broken.write_bytes(content)
    for run in (
        lambda: test.main([configs(), str(broken)]),
        lambda: train.main([configs(), '--resume', str(broken)]),
        lambda: train.main([configs(), '--cfg-options', f'load_from={broken}']),
        lambda: export_checkpoint.main([str(broken), '--detector', 'out.pth']),
    ):
        with pytest.raises(SystemExit, match=r'broken\.pth') as said:
            run()
        assert 'weights_only' not in str(said.value)
    assert not configs.given and not Path('out.pth').exists()


def test_the_latest_checkpoint_is_looked_into_before_it_is_resumed(configs, tmp_path):
    (tmp_path / 'work').mkdir()
    (tmp_path / 'work' / 'epoch_3.pth').write_text('half')
    (tmp_path / 'work' / 'last_checkpoint').write_text(
        str(tmp_path / 'work' / 'epoch_3.pth')
    )
    with pytest.raises(SystemExit, match=r'epoch_3\.pth'):
        train.main([configs(), '--resume'])


def test_without_a_checkpoint_resuming_begins_anew(configs):
    train.main([configs(), '--resume'])
    assert configs.given


# Weights only.


def test_checkpoints_of_weights_alone_are_not_resumed(configs, tmp_path):
    train.main([configs(), '--weights-only'])
    kept = configs.given[-1].default_hooks.checkpoint
    assert (kept.save_optimizer, kept.interval) == (False, 1)
    small = save_checkpoint(tmp_path / 'small.pth', 'detector.weight', meta={})
    with pytest.raises(SystemExit, match='small.pth contains weights only'):
        train.main([configs(), '--resume', small])
    whole = save_checkpoint(tmp_path / 'whole.pth', 'detector.weight', optimizer={})
    train.main([configs(), '--resume', whole])


def test_where_no_checkpoints_are_kept_none_is_added(configs):
    train.main([configs(default_hooks=dict(checkpoint=None)), '--weights-only'])
    assert configs.given[-1].default_hooks.checkpoint is None


# Ctrl-C.


@pytest.mark.skipif(sys.platform == 'win32', reason='signals of POSIX')
def test_ctrl_c_saves_a_checkpoint_that_training_goes_on_from(tmp_path):
    write_tiny_ava(tmp_path)
    write_tiny_faces(tmp_path / 'people')
    config = tiny_config(tmp_path, tmp_path / 'work')
    config.train_cfg.max_epochs = 500
    lines = [f'{key} = {one!r}\n' for key, one in config.to_dict().items()]
    (tmp_path / 'config.py').write_text(''.join(lines))
    command = [sys.executable, str(TOOLS / 'train.py'), 'config.py', '--no-validate']
    here = dict(
        cwd=tmp_path,
        env=dict(os.environ, PYTHONPATH=str(TOOLS.parent), OMP_NUM_THREADS='1'),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    running = subprocess.Popen(command, **here)
    until = time.monotonic() + 300
    while not (tmp_path / 'work' / 'epoch_2.pth').exists():
        assert time.monotonic() < until and running.poll() is None
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    said = running.communicate(timeout=120)[1]
    assert running.returncode == 130, said
    assert 'Traceback' not in said and said.endswith('interrupted\n')
    stopped = Path((tmp_path / 'work' / 'last_checkpoint').read_text())
    assert stopped.name == 'stopped.pth'
    done = load_checkpoint(stopped)['meta']['iter']
    assert done >= 4

    epochs = done // 2 + 1  # two iterations each
    rest = ['--resume', '--cfg-options', f'train_cfg.max_epochs={epochs}']
    resumed = subprocess.run([*command, *rest], **here)
    assert resumed.returncode == 0, resumed.stderr
    last = load_checkpoint(tmp_path / 'work' / f'epoch_{epochs}.pth')
    assert last['meta']['iter'] == 2 * epochs


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
