import os
import signal
import time
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.hooks import Hook
from mmengine.runner import Runner
from tiny import tiny_config, write_tiny_ava, write_tiny_faces

from mmanon.engine.hooks import SaveOnInterruptHook
from mmanon.engine.seeding import skip_batches
from mmanon.models.weight_files import load_checkpoint


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp('data')
    write_tiny_ava(root)
    write_tiny_faces(root / 'people')
    return root


@pytest.fixture
def config(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = tiny_config(data, tmp_path / 'work')
    # Four batches in each of two epochs.
    config.train_dataloader.batch_size = 1
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    return config


def build(config, **changes):
    config = deepcopy(config)
    config.merge_from_dict(changes)
    config.experiment_name = f'interrupted_{build.count}'
    build.count += 1
    return Runner.from_cfg(config)


build.count = 0


class PressCtrlC(Hook):
    """Presses at an iteration, as the terminal does."""

    priority = 'HIGHEST'

    def __init__(self, at, times=1, pause=0.0):
        self.at, self.times, self.pause = at, times, pause

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.at:
            for _ in range(self.times):
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(self.pause)


def stopped(config, hook, **changes):
    runner = build(config, **changes)
    runner.register_hook(hook)
    with pytest.raises(KeyboardInterrupt):
        runner.train()
    return runner


def assert_same(first, second):
    assert set(first) == set(second)
    for name in first:
        assert torch.equal(first[name], second[name]), name


def iteration_based(config):
    config.train_cfg = ConfigDict(type='IterBasedTrainLoop', max_iters=8)
    config.train_dataloader.sampler.type = 'InfiniteSampler'
    config.default_hooks.checkpoint.update(by_epoch=False, interval=100)
    config.param_scheduler = None


@pytest.mark.parametrize(
    'loop, stops',
    [('epochs', [1, 2]), ('epochs', [3, 6]), ('iterations', [2])],
    ids=['twice within an epoch', 'at the end of an epoch and within', 'iterations'],
)
def test_training_goes_on_exactly_where_ctrl_c_stopped_it(config, loop, stops):
    config.custom_hooks[0].phases = dict(warm_up=2, fine_tune=2)
    if loop == 'iterations':
        iteration_based(config)
    straight = build(config, work_dir=config.work_dir + '_straight')
    straight.train()

    for number, at in enumerate(stops):
        stopped(config, PressCtrlC(at), resume=number > 0)
        saved = Path(config.work_dir, 'stopped.pth')
        assert Path(config.work_dir, 'last_checkpoint').read_text() == str(saved)
        assert load_checkpoint(saved)['meta']['iter'] == at + 1
    resumed = build(config, resume=True)
    resumed.train()

    assert resumed.iter == straight.iter == 8
    assert_same(straight.model.state_dict(), resumed.model.state_dict())


def test_gathered_gradients_are_stepped_with_first(config):
    config.optim_wrapper.accumulative_counts = 2

    stopped(config, PressCtrlC(0))

    saved = load_checkpoint(Path(config.work_dir, 'stopped.pth'))
    assert saved['meta']['iter'] == 2


def test_pressed_again_it_stops_at_once(config):
    runner = stopped(config, PressCtrlC(1, times=2, pause=1.1))

    assert runner.iter == 1
    assert not Path(config.work_dir, 'stopped.pth').exists()


def test_what_a_launcher_passes_on_is_the_same_press(config):
    stopped(config, PressCtrlC(1, times=2))

    assert Path(config.work_dir, 'stopped.pth').is_file()


def test_processes_agree_on_the_iteration_after_which_they_stop(monkeypatch):
    """The terminal may tell one of them only, or one of them sooner."""
    module = 'mmanon.engine.hooks.save_on_interrupt_hook'
    monkeypatch.setattr(f'{module}.get_world_size', lambda: 2)
    told, untold = SaveOnInterruptHook(), SaveOnInterruptHook()
    monkeypatch.setattr(f'{module}.all_reduce', lambda told: told.add_(0))
    assert not any(untold._pressed_anywhere() for _ in range(10))
    assert not any(told._pressed_anywhere() for _ in range(10))
    told._pressed = time.monotonic()
    # What the other says is added to what each says.
    monkeypatch.setattr(f'{module}.all_reduce', lambda told: told.fill_(1))

    stops = [(told._pressed_anywhere(), untold._pressed_anywhere()) for _ in range(10)]

    assert stops == [(False, False)] * 9 + [(True, True)]


def test_ctrl_c_means_what_it_did_when_training_is_over(config):
    before = signal.getsignal(signal.SIGINT)
    build(config, train_cfg=dict(max_epochs=1)).train()

    assert signal.getsignal(signal.SIGINT) is before
    runner = build(config)
    runner.register_hook(Broken())
    with pytest.raises(ZeroDivisionError):
        runner.train()
    assert signal.getsignal(signal.SIGINT) is before


class Broken(Hook):
    def before_train_iter(self, runner, batch_idx, data_batch=None):
        raise ZeroDivisionError


def test_a_loader_begins_at_a_later_batch_once():
    loader = torch.utils.data.DataLoader(range(7), batch_size=2)

    skip_batches(loader, 2)

    assert [one.tolist() for one in loader] == [[4, 5], [6]]
    assert len(loader) == 4
    assert [one.tolist() for one in loader][0] == [0, 1]
