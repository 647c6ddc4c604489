"""One command with the tools behind it, and nothing imported before it is needed."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from mmanon.cli.main import COMMANDS, main, tools_folder
from mmanon.version import __version__

ROOT = Path(__file__).parents[2]
PLACES = {
    name: place for group in COMMANDS.values() for name, (place, _) in group.items()
}
OURS = (
    *('train', 'test', 'export', 'export-onnx', 'align-faces', 'tradeoff', 'report'),
    *('name-modifier', 'user-study', 'mini-benchmark', 'anonymize', 'audit', 'app'),
)
FRONTS = (
    *('train', 'test', 'export_checkpoint', 'export_onnx', 'align_faces', 'tradeoff'),
    *('report', 'user_study', 'make_mini_benchmark', 'anonymize', 'audit', 'app'),
)
# As if the packages that training is built of were not installed.
NOT_INSTALLED = """
import sys
from importlib.machinery import PathFinder
find = PathFinder.find_spec
absent = ('torch', 'torchvision', 'mmengine', 'mmcv', 'mmdet', 'mmaction', 'cv2')
PathFinder.find_spec = lambda name, *args: (
    None if name.partition('.')[0] in absent else find(name, *args)
)
"""


@pytest.fixture
def bare():
    """Run code where nothing that trains is installed; what comes of each line.

    One Python for all: each start takes its time.
    """

    def run(*lines):
        calls = ''.join(f'call({line!r})\n' for line in lines)
        code = f"""{NOT_INSTALLED}
import contextlib, io, json, runpy
from mmanon.cli.main import main
def script(path, *args):
    sys.argv = [path, *args]
    runpy.run_path(path, run_name='__main__')
def call(line):
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            eval(line)
        except SystemExit as ended:
            code = ended.code
    print(json.dumps([code, out.getvalue(), err.getvalue()]))
{calls}"""
        done = subprocess.run(
            [sys.executable, '-c', code],
            cwd=ROOT,
            env=dict(os.environ, PYTHONPATH=str(ROOT)),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


@pytest.mark.parametrize('name', PLACES)
def test_each_command_leads_somewhere(name):
    place = PLACES[name]
    if place.startswith('mmanon.'):
        assert find_spec(place) is not None
    else:
        assert (tools_folder() / place).exists()


def test_help_needs_nothing_of_what_trains(bare):
    """Importing PyTorch and mmaction2 alone takes seconds."""
    calls = [
        'main(["--help"])',
        *(f'main([{name!r}, "--help"])' for name in OURS),
        *(f'script("tools/{name}.py", "--help")' for name in FRONTS),
    ]
    for call, (code, out, err) in zip(calls, bare(*calls), strict=True):
        assert (code, err) == (0, ''), call
        assert out.startswith('usage: '), call


def test_without_the_training_extra_one_sentence_says_what_to_install(bare):
    commands = (
        ['train', 'config.py'],
        ['test', 'config.py', 'x.pth'],
        ['export', 'x.pth', '--detector', 'y.pth'],
        ['export-onnx', 'pixelate', '-', 'm.onnx'],
        ['name-modifier', 'm.pth', 'me', '--folder', '.'],
        ['tradeoff', 'config.py'],
        ['align-faces', 'config.py'],
        ['report', 'work'],
        ['user-study', 'score', 'study', 'answers.json'],
    )
    said = bare(*(f'main({one})' for one in commands), 'script("tools/train.py", "c")')
    names = [*(f'mmanon {one[0]}' for one in commands), 'train.py']
    for name, (sentence, _, err) in zip(names, said, strict=True):
        assert sentence.startswith(f'{name} needs PyTorch'), err
        assert sentence.endswith('pip install "mmanon[train]"')


def test_all_commands_are_listed_and_the_version_is_told(capsys):
    assert main([]) == 0
    listed = capsys.readouterr().out
    assert all(f'\n  {name} ' in listed for name in PLACES)
    assert main(['--version']) == 0
    assert capsys.readouterr().out == f'mmanon {__version__}\n'


def test_a_command_that_is_not_there_is_answered_with_a_near_one(capsys):
    assert main(['trian']) == 2
    assert (
        capsys.readouterr().err == "mmanon: no command 'trian'; did you mean train?\n"
    )
    assert main(['convert', 'ucf101']) == 2
    assert 'did you mean ucf101-24?' in capsys.readouterr().err


def test_python_runs_the_package_on_a_config_that_inherits_from_it(tmp_path):
    """Not only what an installation puts on the path, and before mmengine is there."""
    (tmp_path / 'own.py').write_text(
        "_base_ = 'mmanon::_base_/schedules/mini.py'\nmodel = dict(type='Plain')\n"
    )
    done = subprocess.run(
        [sys.executable, '-m', 'mmanon', 'train', 'own.py'],
        cwd=tmp_path,
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith('own.py: none of its custom_hooks anonymizes')


def test_converters_are_listed_and_run(capsys, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['mmanon'])
    assert main(['convert']) == 0
    assert '  ucf101-24\n' in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(['convert', 'jhmdb', '--help'])
    assert ended.value.code == 0
    assert 'Prepare JHMDB' in capsys.readouterr().out
