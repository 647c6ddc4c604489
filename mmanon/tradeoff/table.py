"""Formats the trade-off as Markdown tables."""

import math
from collections.abc import Sequence

from .rows import Point, Row, named, pareto_front, shown_name, summarize, worst_case

_COLUMNS = (
    ('original_original', 'eer'),
    ('modified_original', 'eer'),
    ('modified_original', 'rank1'),
    ('modified_original', 'tar_at_far1'),
    ('modified_modified', 'eer'),
    ('modified_modified', 'rank1'),
    ('modified_modified', 'tar_at_far1'),
)
_HEADS = dict(eer='EER', rank1='rank-1', tar_at_far1='TAR at FAR 1 %')
_MATCHINGS = dict(
    original_original='orig.–orig.',
    modified_original='mod.–orig.',
    modified_modified='mod.–mod.',
)


def markdown_table(points: Sequence[Point]) -> str:
    """Format one line for each attacker and method, in percent, with ± over the seeds.

    Equal error rates on the Pareto front of an attacker and a matching are bold: no
    other method is better in both mAP and this rate.

    Args:
        points (Sequence[Point]): Points of all attackers and matchings.

    Returns:
        str: The lines of a Markdown table, attacker by attacker.
    """
    heads = ['attacker', 'method', 'seeds', 'mAP']
    heads += [f'{_HEADS[f]} {_MATCHINGS[matching]}' for matching, f in _COLUMNS]
    lines = [
        _line(heads),
        _line(['---', '---', *['--:'] * (len(heads) - 2)]),
    ]
    cells: dict[tuple[str, str], dict[str, Point]] = {}
    for point in points:
        cells.setdefault((point.attacker, point.name), {})[point.matching] = point
    attackers = list(dict.fromkeys(attacker for attacker, _ in cells))
    front = _fronts(points)
    for (attacker, name), found in sorted(
        cells.items(), key=lambda item: attackers.index(item[0][0])
    ):
        first = next(iter(found.values()))
        line = [attacker, name, str(first.seeds), _percent(first, 'mAP')]
        for matching, figure in _COLUMNS:
            there = found.get(matching)
            cell = '–' if there is None else _percent(there, figure)
            line.append(f'**{cell}**' if figure == 'eer' and there in front else cell)
        lines.append(_line(line))
    return '\n'.join(lines) + '\n'


def worst_table(rows: Sequence[Row]) -> str:
    """Format the worst case of each method over attackers and views, with the attacker.

    Args:
        rows (Sequence[Row]): Rows of all attackers, views and matchings.

    Returns:
        str: The lines of a Markdown table and an empty line; empty if there is only one
        attacker in one view.
    """
    worst = summarize(worst_case(rows))
    if not worst:
        return ''
    of: dict[str, dict[str, Point]] = {}
    for point in worst:
        of.setdefault(point.name, {})[point.matching] = point
    heads = ['method', 'seeds', 'mAP']
    shown = [matching for matching in _MATCHINGS if matching != 'original_original']
    for matching in shown:
        heads += [f'worst EER {_MATCHINGS[matching]}', 'by', 'worst rank-1', 'by']
    lines = [_line(heads), _line(['---', *['--:'] * (len(heads) - 1)])]
    front = _fronts(worst)
    for name, found in of.items():
        first = next(iter(found.values()))
        line = [name, str(first.seeds), _percent(first, 'mAP')]
        for matching in shown:
            there = found.get(matching)
            for figure in ('eer', 'rank1'):
                cell = '–' if there is None else _percent(there, figure)
                bold = figure == 'eer' and there in front
                by = _worst_of(rows, name, matching, figure)
                line += [f'**{cell}**' if bold else cell, by]
        lines.append(_line(line))
    return '\n'.join(lines) + '\n\n'


def decisive_attackers(rows: Sequence[Row]) -> list[str]:
    """Return the attackers, with views, that have the lowest error of some method.

    Args:
        rows (Sequence[Row]): Rows of all attackers, views and matchings.

    Returns:
        list[str]: Names as in :attr:`Point.attacker`, in the order of the rows.
    """
    methods = {(named(row.method, row.strength), row.matching) for row in rows}
    found = {
        _worst_of(rows, name, matching, 'eer')
        for name, matching in methods
        if matching != 'original_original'
    }
    names = dict.fromkeys(shown_name(row.attacker, row.view) for row in rows)
    return [name for name in names if name in found]


def _worst_of(rows: Sequence[Row], name: str, matching: str, figure: str) -> str:
    """Return the attacker with the worst mean figure of a method over the seeds."""
    sums: dict[str, float] = {}
    for row in rows:
        if (named(row.method, row.strength), row.matching) == (name, matching):
            attacker = shown_name(row.attacker, row.view)
            sums[attacker] = sums.get(attacker, 0.0) + getattr(row, figure)
    choose = min if figure == 'eer' else max
    return choose(sums, key=lambda one: sums[one]) if sums else '–'


def _fronts(points: Sequence[Point]) -> list[Point]:
    """Return points on the Pareto front of their attacker and modified matching."""
    groups: dict[tuple[str, str], list[Point]] = {}
    for point in points:
        if point.matching != 'original_original':
            groups.setdefault((point.attacker, point.matching), []).append(point)
    return [point for group in groups.values() for point in pareto_front(group)]


def _line(cells: Sequence[str]) -> str:
    return '| ' + ' | '.join(cells) + ' |'


def _percent(point: Point, figure: str) -> str:
    mean, std = point.mean[figure], point.std[figure]
    if math.isnan(mean):
        return '–'
    spread = '' if math.isnan(std) else f' ± {100 * std:.1f}'
    return f'{100 * mean:.1f}{spread}'
