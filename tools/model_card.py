"""Fill the tables of a modifier's model card with measured figures.

    python tools/model_card.py docs/modifiers/NAME.md --new
    python tools/model_card.py docs/modifiers/NAME.md

The first command writes a new card with sections and blocks for figures. The second
command fills each block as its line says, and keeps all other text:

    <!-- figures: attackers seed0.json seed1.json -->
    <!-- figures: attackers NAME.json#portraits/ -->
    <!-- figures: groups gender=female:female.json gender=male:male.json -->
    <!-- figures: practice NAME.json#practice/ -->
    <!-- figures: kept NAME.json#kept/ -->
    <!-- figures: others seed0.json seed1.json -->
    <!-- figures: files NAME.onnx NAME.pth -->
    <!-- end of figures -->

Paths are relative to the card's folder. `mmanon measure` and `mmanon test --out` write
the files of figures; several files in `attackers` and `others` are several seeds of one
training. The text after `#` selects figures by the beginning of their names, and is not
shown. `groups` has one file for each group of people, tested separately; an attribute
without a group, `gender=NAME.json#groups/gender/`, stands for all measured groups. A
block without a file says that nothing was measured.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import re
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mmanon.utils.atomic_write import write_whole
from mmanon.utils.near_names import or_near

TEMPLATE = Path(__file__).with_name('model_card_template.md')
BLOCK = re.compile(
    r'(?P<head>^<!-- figures: (?P<kind>\S+)(?P<files>[^\n]*?) -->\n)'
    r'(?P<body>.*?)'
    r'(?P<tail>^<!-- end of figures -->$)',
    re.MULTILINE | re.DOTALL,
)
# Names of an attacker's figures: the attacker, its view, the matching, the figure.
FIGURE = re.compile(
    r'(?P<attacker>.+?)(?:[-_](?P<view>face|crop|head))?/'
    r'(?P<matching>original_original|modified_original|modified_modified)/'
    r'(?P<figure>\S+)'
)
MATCHINGS = {
    'original_original': 'originals',
    'modified_original': 'modified and original',
    'modified_modified': 'modified and modified',
}
VIEWS = {'face': 'face box', 'crop': 'whole crop', 'head': 'head in the frame'}
NOTHING = 'Nothing was measured yet.\n'
_NO_FIGURES = ('time', 'data_time')

Figures = Mapping[str, float]


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('card', type=Path, help='the card, *.md')
    parser.add_argument(
        '--new', action='store_true', help='write a new card to fill in'
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        int: 0, or 1 if the card or one of its files is wrong.
    """
    args = parse_args(argv)
    try:
        if args.new:
            if args.card.exists():
                raise FileExistsError(f'{args.card} exists already: leave out --new')
            text = TEMPLATE.read_text(encoding='utf-8').replace('NAME', args.card.stem)
        else:
            text = args.card.read_text(encoding='utf-8')
        write_whole(args.card, filled(text, args.card))
    except (OSError, ValueError) as error:
        print(f'{Path(sys.argv[0]).name}: {error}', file=sys.stderr)
        return 1
    return 0


def filled(text: str, card: Path) -> str:
    """Return the text of a card with its blocks filled.

    Args:
        text (str): Text of the card.
        card (Path): File of the card. Paths in the card are relative to its folder.

    Raises:
        FileNotFoundError: If a file of a block does not exist.
        ValueError: If a block is of an unknown kind or has no end, or a file has no
            figures for it.
    """
    opened = len(re.findall(r'^<!-- figures:', text, re.MULTILINE))
    if opened != len(BLOCK.findall(text)):
        raise ValueError(
            f'{card} has a block of figures without its end, `<!-- end of figures -->`'
        )

    def write(block: re.Match) -> str:
        kind, files = block['kind'], block['files'].split()
        if kind not in KINDS:
            raise ValueError(
                f'{card}: no block is called {kind!r}; {or_near(kind, KINDS)}'
            )
        if kind in ('kept', 'practice') and len(files) > 1:
            raise ValueError(f'{card}: {kind} takes one file, got {files}')
        body = KINDS[kind](files, card.parent) if files else NOTHING
        return f'{block["head"]}\n{body}\n{block["tail"]}'

    return BLOCK.sub(write, text)


def attackers(files: Sequence[str], folder: Path) -> str:
    """Make a table of the figures of each attacker, in each view."""
    seeds = [_read(name, folder) for name in files]
    told = {FIGURE.fullmatch(key) for key in seeds[0]} - {None}
    rows = sorted({(one['attacker'], one['view'] or 'face') for one in told if one})
    if not rows:
        raise ValueError(f'{folder / files[0]} has no figures of attackers')
    lines = _header(
        'attacker',
        'looks at',
        *(
            f'{what}: {figure}'
            for what in MATCHINGS.values()
            for figure in ('equal error', 'rank-1')
        ),
    )
    for attacker, view in rows:
        cells = [
            _over_seeds([_of(one, attacker, view, matching, figure) for one in seeds])
            for matching in MATCHINGS
            for figure in ('eer', 'rank1')
        ]
        lines.append(_row(attacker, VIEWS[view], *cells))
    worst = []
    for matching in MATCHINGS:
        for figure, chosen in (('eer', min), ('rank1', max)):
            cell = _over_seeds([_worst(one, matching, figure, chosen) for one in seeds])
            # The best attacker on originals is not a worst case of the modifier.
            worst.append('' if matching == 'original_original' else f'**{cell}**')
    lines.append(_row('**worst**', '', *worst))
    said = 'Equal error: 50 % is a guess. '
    if 'people' in seeds[0] and 'faces' in seeds[0]:
        said += f'{seeds[0]["people"]:.0f} people, {seeds[0]["faces"]:.0f} faces. '
    if len(seeds) > 1:
        said += f'Mean and standard deviation over {len(seeds)} seeds. '
    return '\n'.join([*lines, '', f'{said}Of {_named(files)}.', ''])


def groups(files: Sequence[str], folder: Path) -> str:
    """Make a table of the worst attacker's equal error, by groups of people."""
    by_attribute: dict[str, list[tuple[str, Figures]]] = {}
    for entry in files:
        match = re.fullmatch(r'([^=:]+)=(?:([^=:]+):)?(.+)', entry)
        if match is None:
            raise ValueError(
                f'groups are given as attribute=group:file.json, got {entry!r}'
            )
        attribute, group, name = match.groups()
        here = by_attribute.setdefault(attribute, [])
        figures = _read(name, folder)
        if group is not None:
            here.append((group, figures))
            continue
        for group in dict.fromkeys(key.partition('/')[0] for key in figures):
            here.append((group, _read(f'{name}{group}/', folder)))
    asked = [name for name in MATCHINGS if name != 'original_original']
    lines = _header(
        'attribute',
        'group',
        *(f'{MATCHINGS[one]}: {what}' for one in asked for what in ('error', 'beside')),
        'people',
    )
    for attribute, members in by_attribute.items():
        errors = {
            matching: [_worst(figures, matching, 'eer', min) for _, figures in members]
            for matching in asked
        }
        for index, (group, found) in enumerate(members):
            cells = []
            for matching in asked:
                error = errors[matching][index]
                beside = error - statistics.fmean(errors[matching])
                cells += [
                    _with_spread(found, matching, error),
                    f'{100 * beside:+.1f}',
                ]
            people = found.get('people')
            cells.append('' if people is None else f'{people:.0f}')
            lines.append(_row(attribute, group.replace('_', ' '), *cells))
    said = (
        'Equal error of the worst attacker in the worst view, within each group, and '
        "points beside the mean of the attribute's groups. Behind ± is the standard "
        'deviation when people are drawn anew.'
    )
    return '\n'.join([*lines, '', said, ''])


def kept(files: Sequence[str], folder: Path) -> str:
    """Make a table, from one file, of how many faces a detector finds again."""
    columns: dict[str, tuple[str, Callable[[float], str]]] = {
        'faces': ('faces', '{:.0f}'.format),
        'found again': ('found_again', _percent),
        'landmarks, mean distance in parts of the eye distance': ('landmarks', _number),
        'nine of ten below': ('landmarks_90', _number),
        'covered, as let through': ('covered', _percent),
    }
    return _by_name('people', columns, files, folder)


def practice(files: Sequence[str], folder: Path) -> str:
    """Make a table, from one file, of how long attackers were trained."""
    columns = {
        'iterations': ('iterations', '{:.0f}'.format),
        'best weights after': ('best_iteration', '{:.0f}'.format),
        'would have been ended after': ('most', '{:.0f}'.format),
    }
    return _by_name('attacker', columns, files, folder)


def _by_name(
    first: str,
    columns: Mapping[str, tuple[str, Callable[[float], str]]],
    files: Sequence[str],
    folder: Path,
) -> str:
    """Make a table of one file's figures ``<name>/<figure>``, with a row per name."""
    figures = _read(files[0], folder)
    lines = _header(first, *columns)
    names = (key.rpartition('/')[0] for key in figures)
    for name in dict.fromkeys(filter(None, names)):
        told = ((figures.get(f'{name}/{key}'), show) for key, show in columns.values())
        lines.append(_row(name, *('' if v is None else show(v) for v, show in told)))
    people = figures.get('people')
    said = '' if people is None else f'On {people:.0f} people. '
    return '\n'.join([*lines, '', f'{said}Of {_named(files)}.', ''])


def others(files: Sequence[str], folder: Path) -> str:
    """Make a table of all figures except those of attackers."""
    seeds = [_read(name, folder) for name in files]
    names = [
        key
        for key in seeds[0]
        if FIGURE.fullmatch(key) is None and key not in _NO_FIGURES
    ]
    lines = _header('figure', 'value')
    for name in names:
        shown = _over_seeds([one.get(name, math.nan) for one in seeds], _number)
        if shown:
            lines.append(_row(f'`{name}`', shown))
    return '\n'.join([*lines, '', f'Of {_named(files)}.', ''])


def sizes(files: Sequence[str], folder: Path) -> str:
    """Make a table of files with their sizes and digests."""
    lines = _header('file', 'MB', 'SHA-256')
    for name in files:
        path = folder / name
        if not path.is_file():
            raise FileNotFoundError(f'{path} does not exist')
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        size = path.stat().st_size / 1e6
        lines.append(_row(f'`{path.name}`', f'{size:.1f}', f'`{digest}`'))
    return '\n'.join([*lines, ''])


KINDS: dict[str, Callable[[Sequence[str], Path], str]] = dict(
    attackers=attackers,
    groups=groups,
    kept=kept,
    practice=practice,
    others=others,
    files=sizes,
)
"""The kinds of blocks."""


def read_figures(path: Path) -> dict[str, float]:
    """Read a file of `mmanon test --out`; leave out values that are not numbers.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file does not have figures by name.
    """
    if not path.is_file():
        raise FileNotFoundError(f'figures {path} do not exist')
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise ValueError(f'{path} is not JSON: {error}') from None
    if not isinstance(content, dict):
        raise ValueError(f'{path} must have figures by name')
    return {
        name: float(value)
        for name, value in content.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }


def _read(entry: str, folder: Path) -> dict[str, float]:
    """Read the figures of ``file.json``, or of ``file.json#prefix``, without prefix."""
    name, _, start = entry.partition('#')
    figures = read_figures(folder / name)
    begun = [key for key in figures if key.startswith(start)]
    chosen = {key.removeprefix(start): figures[key] for key in begun}
    if not chosen:
        raise ValueError(f'{folder / name} has no figures that start with {start!r}')
    return chosen


def _with_spread(figures: Figures, matching: str, error: float) -> str:
    """Format the worst attacker's error, with its spread if that was measured."""
    for key, value in figures.items():
        spread = figures.get(key.removesuffix('eer') + 'spread')
        if f'/{matching}/' in key and value == error and spread:
            return f'{100 * error:.1f} ± {100 * spread:.1f} %'
    return _percent(error)


def _of(
    figures: Figures, attacker: str, view: str, matching: str, figure: str
) -> float:
    for key, value in figures.items():
        if (match := FIGURE.fullmatch(key)) is None:
            continue
        told = match.group('attacker', 'matching', 'figure')
        if told == (attacker, matching, figure) and (match['view'] or 'face') == view:
            return value
    return math.nan


def _worst(
    figures: Figures, matching: str, figure: str, chosen: Callable[..., float]
) -> float:
    found = [
        value
        for key, value in figures.items()
        if (match := FIGURE.fullmatch(key)) is not None
        and (match['matching'], match['figure']) == (matching, figure)
    ]
    return chosen(found, default=math.nan)


def _over_seeds(
    values: Sequence[float], shown: Callable[[float], str] | None = None
) -> str:
    """Format a figure of one seed, or its mean and spread over several."""
    shown = shown or _percent
    if not all(map(math.isfinite, values)):
        return ''
    if len(values) == 1:
        return shown(values[0])
    spread = shown(statistics.stdev(values)).removesuffix(' %')
    mean = shown(statistics.fmean(values))
    unit = ' %' if mean.endswith(' %') else ''
    return f'{mean.removesuffix(" %")} ± {spread}{unit}'


def _percent(value: float) -> str:
    return f'{100 * value:.1f} %' if math.isfinite(value) else ''


def _number(value: float) -> str:
    return f'{value:.4g}'


def _named(files: Sequence[str]) -> str:
    return ', '.join(f'`{Path(name.partition("#")[0]).name}`' for name in files)


def _header(*cells: str) -> list[str]:
    return [_row(*cells), _row(*(['---'] * len(cells)))]


def _row(*cells: str) -> str:
    return f'| {" | ".join(cells)} |'


if __name__ == '__main__':
    sys.exit(main())
