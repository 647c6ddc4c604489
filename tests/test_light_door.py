"""What `pip install mmanon` brings anonymizes at once, without what training needs.

The wheel is built and installed into an empty environment, to which only what it
requires is added from the packages that are installed here: nothing is downloaded.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
LIGHT_ROOMS = (
    'utils',
    'shipped',
    'structures',
    'tracking',
    'face_detectors',
    'anonymizer',
    'cli',
)
GAME_ROOMS = (
    'registry',
    'models',
    'datasets',
    'engine',
    'evaluation',
    'tradeoff',
    'testing',
)
OF_THE_GAME = ('torch', 'torchvision', 'mmengine', 'mmcv', 'mmdet', 'mmaction', 'cv2')
NAME = re.compile(r'[A-Za-z0-9._-]+')


def modules_of(room: str) -> list[str]:
    paths = sorted((ROOT / 'mmanon' / room).rglob('*.py'))
    parts = [path.relative_to(ROOT).with_suffix('').parts for path in paths]
    return ['.'.join(one[:-1] if one[-1] == '__init__' else one) for one in parts]


def required_by(requirements: list[str]) -> dict[str, object]:
    """The installed packages that requirements ask for, with all that those ask for."""
    found: dict[str, object] = {}
    todo = list(requirements)
    while todo:
        line = todo.pop()
        if 'extra ==' in line or ('python_version <' in line and ';' in line):
            continue
        name = NAME.match(line.strip())[0].lower().replace('_', '-')
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:  # for another system or Python
            continue
        todo += found[name].requires or []
    return found


def link_required(file: str, folder: Path) -> None:
    """Link the packages that ``requirements/<file>.txt`` asks for into a folder."""
    lines = (ROOT / 'requirements' / f'{file}.txt').read_text().splitlines()
    asked = [line for line in lines if line and line[0] != '#']
    for package in required_by(asked).values():
        for installed in package.files or ():
            top = Path(str(installed)).parts[0]
            if top not in ('..', '__pycache__') and not (folder / top).exists():
                (folder / top).symlink_to(package.locate_file(top))


@pytest.fixture(scope='session')
def light_door(tmp_path_factory) -> Path:
    """An environment with the built wheel and its requirements; its folder."""
    folder = tmp_path_factory.mktemp('light')
    source = folder / 'source'
    ignored = shutil.ignore_patterns('.mim', '__pycache__', 'weights')
    shutil.copytree(ROOT / 'mmanon', source / 'mmanon', ignore=ignored)
    for name in ('configs', 'tools', 'requirements'):
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for name in ('setup.py', 'pyproject.toml', 'MANIFEST.in', 'README.md'):
        shutil.copy(ROOT / name, source)
    for name in ('requirements.txt', 'model-index.yml', 'LICENSE'):
        shutil.copy(ROOT / name, source)
    build = (
        'import sys, setuptools.build_meta as backend; backend.build_wheel(sys.argv[1])'
    )
    _done(subprocess.run([sys.executable, '-c', build, folder], cwd=source, **SHOWN))
    wheel = next(folder.glob('mmanon-*.whl'))

    env = folder / 'env'
    command = [sys.executable, '-m', 'venv', '--without-pip', env]
    _done(subprocess.run(command, **SHOWN))
    python = env / 'bin' / 'python'
    where = [python, '-c', 'import sysconfig; print(sysconfig.get_path("purelib"))']
    packages = Path(_done(subprocess.run(where, **SHOWN)).strip())
    link_required('runtime', packages)
    pip = [sys.executable, '-m', 'pip', '--python', python, 'install', '-q']
    install = [*pip, '--no-index', '--no-deps', wheel]
    _done(subprocess.run(install, env=_clean(), **SHOWN))
    return env


SHOWN = dict(stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)


def _done(done: subprocess.CompletedProcess) -> str:
    assert done.returncode == 0, done.stdout
    return done.stdout


def _clean(*paths: Path) -> dict[str, str]:
    rest = {key: value for key, value in os.environ.items() if key != 'PYTHONPATH'}
    return {**rest, 'PYTHONPATH': os.pathsep.join(map(str, paths))}


def python(env: Path, code: str, *arguments: str, paths: tuple[Path, ...] = ()) -> str:
    """The output of code in the environment, which runs in a folder of its own."""
    command = [env / 'bin' / 'python', '-c', code, *arguments]
    return _done(subprocess.run(command, cwd=env, env=_clean(*paths), **SHOWN))


def processor_time(command: list, env: Path) -> float:
    """The least seconds of a processor that a command takes, of three runs."""
    code = (
        'import os, subprocess, sys\n'
        'subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)\n'
        'times = os.times()\n'
        'print(times.children_user + times.children_system)'
    )
    return min(float(python(env, code, *map(str, command))) for _ in range(3))


def test_the_environment_has_nothing_of_the_game(light_door):
    code = (
        'import json, sys; from importlib.util import find_spec;'
        'print(json.dumps([one for one in sys.argv[1:] if find_spec(one)]))'
    )
    assert json.loads(python(light_door, code, *OF_THE_GAME)) == []


IMPORT_ALL = (
    'import sys; from importlib import import_module\n'
    'for name in sys.argv[1:]: import_module(name)'
)


@pytest.mark.parametrize('room', LIGHT_ROOMS)
def test_each_module_of_a_light_room_can_be_imported(light_door, room):
    modules = modules_of(room)
    assert modules
    python(light_door, IMPORT_ALL, *modules)


def test_the_page_needs_its_own_extra_and_no_more(light_door, tmp_path):
    link_required('app', tmp_path)
    modules = modules_of('app')
    assert modules
    python(light_door, IMPORT_ALL, *modules, paths=(tmp_path,))
    code = 'from importlib.util import find_spec; print(bool(find_spec("torch")))'
    assert python(light_door, code, paths=(tmp_path,)).strip() == 'False'


@pytest.mark.parametrize('room', GAME_ROOMS)
def test_a_room_of_the_game_says_in_one_sentence_which_extra_to_install(
    light_door, room
):
    code = (
        'import sys; from importlib import import_module\n'
        'try: import_module(sys.argv[1])\n'
        'except ImportError as error: print(error)\n'
        'else: raise SystemExit("was imported")'
    )
    said = python(light_door, code, f'mmanon.{room}').strip()
    assert f'mmanon.{room}, which is for training, needs PyTorch' in said
    assert 'pip install "mmanon[train]"' in said
    assert '\n' not in said


@pytest.mark.parametrize('command', ['train', 'detect-faces'])
def test_a_command_of_the_game_says_it_as_well(light_door, command, tmp_path):
    done = subprocess.run(
        [light_door / 'bin' / 'mmanon', command, 'x'],
        cwd=tmp_path,
        env=_clean(),
        **SHOWN,
    )
    assert done.returncode != 0
    assert 'pip install "mmanon[train]"' in done.stdout
    assert 'Traceback' not in done.stdout


def test_importing_mmanon_takes_less_than_a_tenth_of_a_second(light_door):
    code = (
        'import time; start = time.process_time(); import mmanon;'
        'print(time.process_time() - start)'
    )
    assert min(float(python(light_door, code)) for _ in range(3)) < 0.1


@pytest.mark.parametrize('command', ['mmanon', 'mmanon-anonymize', 'mmanon-audit'])
def test_help_takes_less_than_half_a_second_of_a_processor(light_door, command):
    assert processor_time([light_door / 'bin' / command, '--help'], light_door) < 0.5


@pytest.fixture(scope='session')
def portrait() -> np.ndarray:
    """A photograph in the public domain with one face, RGB (H, W, 3)."""
    return pytest.importorskip('skimage.data').astronaut()


@pytest.fixture(scope='session')
def clip(portrait, tmp_path_factory) -> Path:
    """Twelve frames of the photograph, which moves a little."""
    path = tmp_path_factory.mktemp('clips') / 'clip.mp4'
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', 12)
        stream.width, stream.height, stream.pix_fmt = 320, 320, 'yuv420p'
        for number in range(12):
            pixels = np.ascontiguousarray(portrait[:320, 80 + number : 400 + number])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
        container.mux(stream.encode())
    return path


def frames_of(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format='rgb24') for frame in container.decode()]
    return np.stack(frames).astype(int)


def test_a_clip_goes_through_and_its_face_is_covered(light_door, clip, tmp_path):
    command = [light_door / 'bin' / 'mmanon-anonymize', clip, '-o', tmp_path / 'out']
    said = _done(subprocess.run(command, cwd=tmp_path, env=_clean(), **SHOWN))
    before, after = frames_of(clip), frames_of(tmp_path / 'out' / 'clip.mp4')
    assert before.shape == after.shape
    for number, (old, new) in enumerate(zip(before, after, strict=True)):
        # The eyes and the mouth, x from the left edge of the first frame.
        face = np.s_[90:145, 125 - number : 165 - number]
        assert _detail(new[face]) < 0.3 * _detail(old[face]), (
            f'{number} shows it; {said}'
        )
        elsewhere = abs(old - new)[:, 280:] > 40
        assert elsewhere.mean() < 0.02, f'frame {number} is covered elsewhere'


def test_a_learned_modifier_is_called_by_its_name_and_repeated_by_a_seed(
    light_door, portrait, stranger, tmp_path
):
    Image.fromarray(portrait[:320, 80:400]).save(tmp_path / 'photo.png')
    made = []
    for folder, seed in (('one', 1), ('again', 1), ('other', 2)):
        command = [light_door / 'bin' / 'mmanon-anonymize', tmp_path / 'photo.png']
        command += [
            '-o',
            tmp_path / folder,
            '--modifier',
            stranger,
            '--seed',
            str(seed),
        ]
        _done(subprocess.run(command, cwd=tmp_path, env=_clean(), **SHOWN))
        made.append(np.array(Image.open(tmp_path / folder / 'photo.png')).astype(int))
    one, again, other = made
    assert np.array_equal(one, again)
    changed = np.abs(one - portrait[:320, 80:400]).max(-1) > 0
    # The square around the head, with its hair, and nothing else.
    assert changed[60:180, 110:200].mean() > 0.95 and not changed[250:].any()
    assert np.abs(one - other)[90:145, 125:165].mean() > 1


def _detail(picture):
    """By how much neighbouring pixels differ."""
    return abs(np.diff(picture, axis=0)).mean() + abs(np.diff(picture, axis=1)).mean()


def test_nothing_is_kept_of_who_anonymizes_what(light_door, portrait, tmp_path):
    Image.fromarray(portrait).save(tmp_path / 'photo.png')
    home = tmp_path / 'home'
    home.mkdir()
    env = {**_clean(), 'HOME': str(home), 'XDG_CACHE_HOME': str(home / '.cache')}
    command = [light_door / 'bin' / 'mmanon-anonymize', tmp_path / 'photo.png']
    done = subprocess.run([*command, '-o', tmp_path / 'out'], env=env, **SHOWN)
    assert (tmp_path / 'out' / 'photo.png').is_file(), done.stdout
    assert [path for path in home.rglob('*') if path.is_file()] == []


@pytest.mark.parametrize('margin', ['-1', '-0.5', 'nan'])
def test_a_margin_that_would_show_the_face_is_refused(
    light_door, clip, margin, tmp_path
):
    command = [light_door / 'bin' / 'mmanon-anonymize', clip, f'--margin={margin}']
    command += ['-o', tmp_path / 'out']
    done = subprocess.run(command, cwd=tmp_path, env=_clean(), **SHOWN)
    assert done.returncode != 0
    assert 'margin must be a number, at least 0' in done.stdout
    assert 'Traceback' not in done.stdout


def test_a_run_says_that_outputs_of_another_one_were_left(light_door, clip, tmp_path):
    command = [light_door / 'bin' / 'mmanon-anonymize', clip, '-o', tmp_path / 'out']
    _done(subprocess.run(command, env=_clean(), **SHOWN))
    again = subprocess.run([*command, '--modifier', 'blur'], env=_clean(), **SHOWN)
    assert '--overwrite writes them again' in again.stdout


def test_a_wrong_name_of_a_modifier_is_told_what_there_is(light_door, clip, tmp_path):
    command = [light_door / 'bin' / 'mmanon-anonymize', clip, '-o', tmp_path / 'out']
    done = subprocess.run([*command, '--modifier', 'blurr'], env=_clean(), **SHOWN)
    assert 'did you mean blur?' in done.stdout
    done = subprocess.run([*command, '--modifier', 'none.pth'], env=_clean(), **SHOWN)
    assert 'none.pth does not exist' in done.stdout


def test_the_audit_finds_the_face_in_the_original_alone(light_door, clip, tmp_path):
    out = tmp_path / 'out'
    command = [light_door / 'bin' / 'mmanon-anonymize', clip, '-o', out]
    _done(subprocess.run(command, cwd=tmp_path, env=_clean(), **SHOWN))
    audit = [light_door / 'bin' / 'mmanon-audit', clip]
    whole = subprocess.run([*audit, out / 'clip.mp4'], env=_clean(), **SHOWN)
    assert whole.returncode == 0, whole.stdout
    leaking = subprocess.run([*audit, clip], env=_clean(), **SHOWN)
    assert leaking.returncode != 0, leaking.stdout


def test_nothing_that_works_in_light_asks_for_opencv(light_door, clip, tmp_path):
    code = (
        'import sys; from mmanon.anonymizer import AnonymizerInferencer;'
        'AnonymizerInferencer()(sys.argv[1], sys.argv[2], show_progress=False);'
        'print("cv2" in sys.modules)'
    )
    said = python(light_door, code, str(clip), str(tmp_path / 'out'))
    assert said.strip().endswith('False')
