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


def test_each_seed_trains_by_itself_in_a_work_dir_of_its_own(tmp_path, monkeypatch):
    names = runpy.run_path(str(DEMO))['main'].__globals__
    figures = {'mAP/overall': 0.8, 'faces/acc_original': 0.9}
    figures |= {'faces/acc_modified': 0.2, 'faces/num_identities': 60}
    trained = []

    def train(config, work_dir, *overrides):
        (tmp_path / work_dir).mkdir(parents=True)
        trained.append((work_dir.as_posix(), *overrides))
        return 1.0

    fakes = dict(ROOT=tmp_path, train=train, run=lambda *args: None)
    fakes |= dict(test=lambda *args: figures)
    fakes |= dict(film=lambda *args: (tmp_path / 'film.mp4', tmp_path / 'film.jpg'))
    for name, fake in fakes.items():
        monkeypatch.setitem(names, name, fake)
    for seed, work in ((0, 'work_dirs/mini'), (3, 'work_dirs/mini_seed_3')):
        monkeypatch.setattr('sys.argv', ['demo.py', '--seed', str(seed)])
        names['main']()
        seeded, start = f'randomness.seed={seed}', f'load_from={work}/plain/epoch_7.pth'
        assert trained == [
            (f'{work}/plain', seeded),
            (f'{work}/raw', seeded, start),
            (f'{work}/joint', seeded, start),
        ]
        assert (tmp_path / work / 'summary.md').is_file()
        trained.clear()
