"""The command ``mmanon``: one door to what is run, with or without a checkout.

Each command is the ``main`` of a module, or a script of ``tools/``, which a wheel
brings along. Nothing of it is imported before it is asked for.
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
        'anonymize': ('mmanon.cli.anonymize', 'images, folders and videos'),
        'audit': ('mmanon.cli.audit', 'does a face of the original still show?'),
        'app': ('mmanon.cli.app', 'the page in the browser'),
        'detect-actions': (
            'mmanon.cli.detect_actions',
            'which actions a detector finds in what is anonymized',
        ),
        'anonymize-on-ray': ('mmanon.cli.anonymize_on_ray', 'on a cluster'),
    },
    'Prepare': {
        'detect-faces': ('detect_faces.py', 'the face table of a folder of videos'),
        'align-faces': (
            'mmanon.cli.align_faces',
            'the photographs of a config, before a distributed training',
        ),
        'convert': (
            'dataset_converters',
            'a data set, by its converter: mmanon convert ava --help',
        ),
        'mini-benchmark': ('make_mini_benchmark.py', 'make the mini benchmark'),
    },
    'Train': {
        'train': ('mmanon.cli.train', 'detector, modifier and discriminator'),
        'test': ('mmanon.cli.test', 'a checkpoint of it'),
        'export': (
            'mmanon.cli.export_checkpoint',
            'the plain detector and the modifier out of a checkpoint',
        ),
        'export-onnx': (
            'mmanon.cli.export_onnx',
            'a modifier as an ONNX file, drawn without PyTorch',
        ),
        'name-modifier': (
            'mmanon.cli.name_modifier',
            'a modifier under a name, for --modifier NAME',
        ),
    },
    'Measure': {
        'tradeoff': ('mmanon.cli.tradeoff', 'many modifiers: how private, how good?'),
        'measure': ('mmanon.cli.measure', 'one modifier: the figures of its card'),
        'report': ('mmanon.cli.report', 'one web page of a trade-off'),
        'user-study': ('mmanon.cli.user_study', 'can people still recognize anybody?'),
    },
}
"""By group and name, the module or the script of ``tools/``, and what it is for."""


@ends_with_its_reader
def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv (Sequence[str], optional): The command and its arguments. Defaults to those
            of the process.

    Returns:
        int: The exit code of the command; 2 when there is no such command, or what it
            needs is not installed.
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
    """The folder ``tools/``: that of the checkout, or what the wheel brought of it.

    Raises:
        FileNotFoundError: When there is none.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / '.mim' / 'tools', package.parent / 'tools'):
        if (folder / 'train.py').is_file():
            return folder
    raise FileNotFoundError(
        f'{package / ".mim" / "tools"} does not exist: install mmanon anew'
    )


def _run_module(module: str, title: str, rest: list[str]) -> int:
    # The parser of a command names it by this.
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
        'Learns to anonymize faces in videos while actions stay detectable.',
    ]
    for group, commands in COMMANDS.items():
        lines += ['', f'{group}:']
        lines += [f'  {name:<18}{what}' for name, (_, what) in commands.items()]
    lines += ['', 'mmanon COMMAND --help tells of each; mmanon --version.']
    return '\n'.join(lines)
