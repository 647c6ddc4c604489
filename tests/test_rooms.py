"""The order of the rooms: arrows run down only.

A room is a folder of mmanon. The light ones, which anonymize, know nothing of the game
and import without PyTorch and OpenMMLab; where one of them offers what a game room
knows how to do, it imports it when it is asked for.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).parents[1] / 'mmanon'

# What each room may import, beside itself.
BELOW = {
    'utils': set(),
    'shipped': {'utils'},
    'structures': {'utils'},
    'tracking': {'structures', 'utils'},
    'face_detectors': {'structures', 'utils'},
}
BELOW['anonymizer'] = {*BELOW, *BELOW['tracking']}
BELOW['app'] = {'anonymizer', *BELOW['anonymizer']}
BELOW['cli'] = {'app', *BELOW['app']}
BELOW['models'] = {*BELOW['anonymizer'], 'registry'}
BELOW['datasets'] = {'models', *BELOW['models']}
BELOW['evaluation'] = {'datasets.formats', 'models', *BELOW['models']}
BELOW['engine'] = {'datasets', 'evaluation', *BELOW['datasets']}
# The report on a sweep builds modifiers as whoever anonymizes by them does.
BELOW['tradeoff'] = {'engine', 'anonymizer', *BELOW['engine']}
# What a detector sees in what the anonymizer makes.
BELOW['actions'] = {'engine', 'anonymizer', *BELOW['engine']}
BELOW['testing'] = {'tradeoff', 'app', 'cli', *BELOW['tradeoff']}

# What a light room may import inside a function, and for its type hints.
WHEN_ASKED = {
    # A detector that is not mmanon's own is built by the registry.
    'face_detectors': {'registry'},
    # Learned modifiers, and the recognizers that audit what is left of a face.
    'anonymizer': {'registry', 'models'},
    'app': {'models'},
    # Commands of the game stand beside those that anonymize.
    'cli': {'registry', *BELOW},
}

# Modules beside the rooms, and which rooms may know them.
GAME = {
    *('models', 'datasets', 'evaluation', 'engine', 'tradeoff', 'actions', 'testing'),
}
BESIDE = {
    'version': set(BELOW),
    '_moved': set(BELOW),  # for names of their own that have moved
    '_game': GAME,  # the door
    'compat': {'models', 'testing'},
}


class Import(NamedTuple):
    """One name that a module imports from mmanon."""

    module: str
    line: int
    name: str
    asked: bool  # inside a function or for types alone

    def __str__(self) -> str:
        return f'{self.module}, line {self.line}: {self.name}'


def imports() -> Iterator[tuple[str, Import]]:
    """Every import of mmanon by a module of a room, with that room."""
    for path in sorted(PACKAGE.glob('*/**/*.py')):
        parts = ('mmanon', *path.relative_to(PACKAGE).with_suffix('').parts)
        package = parts[:-1]
        for node, asked in walk(ast.parse(path.read_text()), False):
            for name in names_of(node, package):
                if name.split('.')[0] == 'mmanon':
                    yield parts[1], Import('.'.join(parts), node.lineno, name, asked)


def walk(node: ast.AST, asked: bool) -> Iterator[tuple[ast.stmt, bool]]:
    """The imports of a module, and whether they run when the module is imported."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, asked
        later = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        later |= isinstance(child, ast.If) and 'TYPE_CHECKING' in ast.dump(child.test)
        yield from walk(child, asked or later)


def names_of(node: ast.Import | ast.ImportFrom, package: tuple[str, ...]) -> list[str]:
    """What is imported, by whole names."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    above = package[: len(package) + 1 - node.level] if node.level else ()
    start = '.'.join([*above, *([node.module] if node.module else [])])
    return [f'{start}.{alias.name}' for alias in node.names]


def is_allowed(room: str, found: Import) -> bool:
    """Whether a room may have an import."""
    there, inside, *_ = [*found.name.split('.')[1:], '', '']
    if there in BESIDE:
        return room in BESIDE[there]
    allowed = {room} | BELOW[room]
    if found.asked:
        allowed |= WHEN_ASKED.get(room, set())
    return there in allowed or f'{there}.{inside}' in allowed


@pytest.fixture(scope='module')
def found() -> list[tuple[str, Import]]:
    return list(imports())


def test_every_room_has_its_place_in_the_order() -> None:
    rooms = {path.parent.name for path in PACKAGE.glob('*/__init__.py')}
    assert rooms - {'compat'} == set(BELOW)


def test_no_two_rooms_stand_above_each_other() -> None:
    for room, below in BELOW.items():
        for other in {name.split('.')[0] for name in below} & set(BELOW):
            # The formats of annotations are all that measuring knows of data sets.
            assert room not in BELOW[other], f'{room} and {other} know each other'


@pytest.mark.parametrize('room', BELOW)
def test_a_room_imports_what_is_below_it(found, room: str) -> None:
    own = [one for name, one in found if name == room]
    assert own or room == 'utils'
    assert not [str(one) for one in own if not is_allowed(room, one)]


def test_an_arrow_that_runs_up_is_seen() -> None:
    def allowed(room: str, name: str, asked: bool = False) -> bool:
        return is_allowed(room, Import('here', 1, f'mmanon.{name}', asked))

    assert allowed('structures', 'utils.log.print_log')
    assert not allowed('utils', 'structures.faces.Faces')
    assert not allowed('models', 'engine.hooks.FacePictureHook', asked=True)
    assert allowed('anonymizer', 'models.modifiers.BaseModifier', asked=True)
    assert not allowed('anonymizer', 'models.modifiers.BaseModifier')
    assert not allowed('anonymizer', 'datasets.transforms.LoadFaces', asked=True)
    assert not allowed('anonymizer', 'engine.seeding.SeededIndex', asked=True)
    assert allowed('evaluation', 'datasets.formats.ava_reader.AvaBoxes')
    assert not allowed('evaluation', 'datasets.face_identities.FaceDraw')
    assert not allowed('utils', '__version__')


def test_imports_are_told_apart_by_when_they_run() -> None:
    code = """
import mmanon.utils.log
if TYPE_CHECKING:
    from mmanon.models import parts
def function():
    from ..structures.faces import Faces
class Class:
    from .sources import Source
"""
    names = [
        (name, asked)
        for node, asked in walk(ast.parse(code), False)
        for name in names_of(node, ('mmanon', 'anonymizer', 'io'))
    ]
    assert names == [
        ('mmanon.utils.log', False),
        ('mmanon.models.parts', True),
        ('mmanon.anonymizer.structures.faces.Faces', True),
        ('mmanon.anonymizer.io.sources.Source', False),
    ]


# Files


LONGEST = 400


@pytest.mark.parametrize('folder', ['mmanon', 'tools'])
def test_a_long_file_says_why_it_is_not_divided(folder: str) -> None:
    long: dict[str, int] = {}
    for path in sorted((PACKAGE.parent / folder).rglob('*.py')):
        text = path.read_text()
        if len(text.splitlines()) > LONGEST:
            head = ast.get_docstring(ast.parse(text)) or ''
            if 'reads better whole' not in ' '.join(head.split()):
                long[str(path.relative_to(PACKAGE.parent))] = len(text.splitlines())
    assert not long, f'divide it, or say at its head why it reads better whole: {long}'
