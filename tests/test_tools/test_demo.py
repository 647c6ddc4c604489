import json
import runpy
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[2] / 'tools' / 'demo.py'
WORK = Path('work')


class Clock:
    """Time that passes only when something is run."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def demo(tmp_path, monkeypatch):
    """The demo in an empty checkout, and what each of its runs does."""
    names = runpy.run_path(str(DEMO))['train'].__globals__
    clock, runs = Clock(), []

    def run(script, *args):
        took, stop = runs.pop(0)
        (tmp_path / WORK / 'last_checkpoint').write_text('epoch_1.pth')
        names['resumed'] = '--resume' in args
        clock.now += took
        if stop:
            raise stop

    monkeypatch.setitem(names, 'ROOT', tmp_path)
    monkeypatch.setitem(names, 'time', clock)
    monkeypatch.setitem(names, 'run', run)

    def train(*asked):
        runs[:] = asked
        return names['train']('config.py', WORK)

    train.names = names
    return train


def test_the_time_of_an_interrupted_training_counts(demo, tmp_path):
    for stop in (KeyboardInterrupt(), SystemExit('tools/train.py failed')):
        with pytest.raises(type(stop)):
            demo((10, stop))
    assert demo((5, None)) == 25
    assert demo.names['resumed']
    # Nothing is run again.
    assert demo() == 25
    assert json.loads((tmp_path / WORK / 'train_seconds.json').read_text()) == 25


def test_a_killed_training_leaves_no_time(demo, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        demo((10, KeyboardInterrupt()))
    so_far = tmp_path / WORK / 'train_seconds_so_far.json'
    seen = []
    demo.names['run'] = lambda *args: seen.append(json.loads(so_far.read_text()))
    demo()
    assert seen == [None]
    # What a kill at that time leaves.
    (tmp_path / WORK / 'train_seconds.json').unlink()
    for content in ('null', ''):
        so_far.write_text(content) if content else so_far.unlink()
        assert demo() is None
        assert demo() is None
        (tmp_path / WORK / 'train_seconds.json').unlink()
        so_far.write_text('null')


def test_a_training_that_starts_anew_counts_anew(demo, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        demo((10, KeyboardInterrupt()))
    (tmp_path / WORK / 'last_checkpoint').unlink()
    assert demo((7, None)) == 7
    assert not demo.names['resumed']
