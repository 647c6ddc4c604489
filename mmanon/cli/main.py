"""The command ``mmanon``, which runs all other commands, with or without a checkout.

Each command is the ``main`` of a module, or a script of ``tools/``, which the wheel
contains as well. A module is imported only when its command runs.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path

from mmanon.utils.extras import ExtraNotInstalled
from mmanon.utils.near_names import near_name
from mmanon.utils.standard_output import ends_with_its_reader
from mmanon.version import __version__

__all__ = ['COMMANDS', 'main', 'tools_folder']

COMMANDS: dict[str, dict[str, tuple[str, str]]] = {
    'Anonymize': {
        'anonymize': ('mmanon.cli.anonymize', 'anonymize images, folders and videos'),
        'audit': (
            'mmanon.cli.audit',
            'search outputs for faces that are still visible',
        ),
        'app': ('mmanon.cli.app', 'serve a page for the browser'),
        'detect-actions': (
            'mmanon.cli.detect_actions',
            'show which actions a detector finds in anonymized videos',
        ),
        'anonymize-on-ray': (
            'mmanon.cli.anonymize_on_ray',
            'anonymize files on a cluster',
        ),
    },
    'Prepare': {
        'detect-faces': (
            'detect_faces.py',
            'write the face table of a folder of videos',
        ),
        'align-faces': (
            'mmanon.cli.align_faces',
            'align the photographs of a config, before a distributed training',
        ),
        'convert': (
            'dataset_converters',
            'convert a data set; for example mmanon convert ava --help',
        ),
        'mini-benchmark': ('make_mini_benchmark.py', 'make the mini benchmark'),
    },
    'Train': {
        'train': (
            'mmanon.cli.train',
            'train detector, modifier and discriminator together',
        ),
        'test': ('mmanon.cli.test', 'test a checkpoint'),
        'export': (
            'mmanon.cli.export_checkpoint',
            'split a checkpoint into the plain detector and the modifier',
        ),
        'export-onnx': (
            'mmanon.cli.export_onnx',
            'write a modifier as an ONNX file, which needs no PyTorch',
        ),
        'name-modifier': (
            'mmanon.cli.name_modifier',
            'give a modifier a name, for --modifier NAME',
        ),
    },
    'Measure': {
        'tradeoff': (
            'mmanon.cli.tradeoff',
            'compare many modifiers: privacy against detection',
        ),
        'measure': ('mmanon.cli.measure', "measure the figures of a modifier's card"),
        'report': ('mmanon.cli.report', 'make a web page of a trade-off'),
        'user-study': (
            'mmanon.cli.user_study',
            'ask people whether they recognize modified faces',
        ),
    },
}
"""By group and name: the module or the script of ``tools/``, and the description."""


@ends_with_its_reader
def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv (Sequence[str], optional): The command and its arguments. Defaults to those
            of the process.

    Returns:
        int: The exit code of the command; 2 when the command is unknown, or a package
        that it needs is not installed.
    """
    name, *rest = list(sys.argv[1:] if argv is None else argv) or ['--help']
    if name in ('-h', '--help', 'help'):
        print(_usage())
        return 0
    if name == '--version':
        print(f'mmanon {__version__}')
        return 0
    commands = {
        name: what for group in COMMANDS.values() for name, what in group.items()
    }
    if name not in commands:
        print(f'mmanon: no command {name!r}{_near(name, commands)}', file=sys.stderr)
        return 2
    place, _ = commands[name]
    title = f'mmanon {name}'
    try:
        if place.startswith('mmanon.'):
            return _run_module(place, title, rest)
        if place.endswith('.py'):
            return _run_script(tools_folder() / place, title, rest)
        return _run_one_of(tools_folder() / place, title, rest)
    except ExtraNotInstalled as error:
        print(f'{title}: {error}', file=sys.stderr)
        return 2


def tools_folder() -> Path:
    """The folder ``tools/`` of the checkout, or its copy in the wheel.

    Raises:
        FileNotFoundError: When there is none.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / '.mim' / 'tools', package.parent / 'tools'):
        if (folder / 'train.py').is_file():
            return folder
    raise FileNotFoundError(
        f'{package / ".mim" / "tools"} does not exist: install mmanon again'
    )


def _run_module(module: str, title: str, rest: list[str]) -> int:
    # The command's parser takes its name from here.
    sys.argv = [title, *rest]
    return import_module(module).main() or 0


def _run_script(path: Path, title: str, rest: list[str]) -> int:
    sys.argv = [title, *rest]
    runpy.run_path(str(path), run_name='__main__')
    return 0


def _run_one_of(folder: Path, title: str, rest: list[str]) -> int:
    scripts = {path.stem.replace('_', '-'): path for path in folder.glob('*.py')}
    name = rest[0].replace('_', '-') if rest else '--help'
    if name in ('-h', '--help'):
        print(f'usage: {title} NAME ...\n\nNAME is one of:')
        print('\n'.join(f'  {one}' for one in sorted(scripts)))
        return 0
    if name not in scripts:
        print(f'{title}: no {rest[0]!r}{_near(name, scripts)}', file=sys.stderr)
        return 2
    return _run_script(scripts[name], f'{title} {name}', rest[1:])


def _near(name: str, known: Iterable[str]) -> str:
    near = near_name(name, known)
    return f'; did you mean {near}?' if near else ': see --help'


def _usage() -> str:
    lines = [
        'usage: mmanon COMMAND ...',
        '',
        'Anonymize faces in videos so that actions stay detectable.',
    ]
    for group, commands in COMMANDS.items():
        lines += ['', f'{group}:']
        lines += [f'  {name:<18}{what}' for name, (_, what) in commands.items()]
    lines += ['', 'mmanon COMMAND --help describes a command; mmanon --version.']
    return '\n'.join(lines)
