"""Rows of a trade-off: detection with a method, and what an attacker achieves.

``mmanon tradeoff`` writes a JSON file of rows; tables, plots and reports read it.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np

from mmanon.utils.atomic_write import write_whole

FIGURES = ('mAP', 'eer', 'rank1', 'tar_at_far1')
"""The measured figures of a row, all fractions."""
WORST = 'worst case'
"""The attacker in the rows of :func:`worst_case`."""


@dataclass(frozen=True)
class Row:
    """The figures of one attacker on the faces of one trained detector.

    Attributes:
        method: Name of the method.
        strength: Strength of the method, or None.
        seed: Seed of the training.
        mAP: Mean average precision of the detector, in [0, 1].
        attacker: Name of the attacker.
        matching: The kind of comparison, one of mmanon's ``MATCHINGS``.
        eer: Equal error rate; 0.5 is chance.
        rank1: How often the right person is the most similar.
        tar_at_far1: True accept rate at a false accept rate of 1 %; None if there were
            too few pairs to measure it.
        view: The attacker's view, one of mmanon's ``VIEWS``. Defaults to the face box.
    """

    method: str
    strength: float | None
    seed: int
    mAP: float
    attacker: str
    matching: str
    eer: float
    rank1: float
    tar_at_far1: float | None
    view: str = 'face'


@dataclass(frozen=True)
class Point:
    """The mean over the seeds of a method at a strength, for one attacker and matching.

    Attributes:
        method: As in :class:`Row`.
        strength: As in :class:`Row`.
        attacker: Name of the attacker, with the view if it is not the face box; see
            :func:`shown_name`.
        matching: As in :class:`Row`.
        seeds: Number of seeds.
        mean: Means by the names of figures; NaN if a figure was not measured.
        std: Sample standard deviation over the seeds; NaN for one seed.
    """

    method: str
    strength: float | None
    attacker: str
    matching: str
    seeds: int
    mean: dict[str, float]
    std: dict[str, float]

    @property
    def name(self) -> str:
        """The method and its strength, such as ``downsample 8``."""
        return named(self.method, self.strength)


def named(method: str, strength: float | None, between: str = ' ') -> str:
    """Return the name of a method at a strength."""
    return method if strength is None else f'{method}{between}{strength:g}'


def shown_name(attacker: str, view: str) -> str:
    """Return the name of an attacker in a view, such as ``mobilefacenet-crop``."""
    return attacker if view == 'face' else f'{attacker}-{view}'


def worst_case(rows: Sequence[Row]) -> list[Row]:
    """Return the worst figures of each run and matching over attackers and views.

    Each figure counts by itself: the lowest equal error rate, and the highest of the
    others. Even if all attackers guess, the lowest of several error rates is below 0.5.

    Returns:
        list[Row]: Rows of the attacker :data:`WORST`; none if there is only one
        attacker in one view.
    """
    if len({(row.attacker, row.view) for row in rows}) < 2:
        return []
    groups: dict[tuple, list[Row]] = {}
    for row in rows:
        key = row.method, row.strength, row.seed, row.matching
        groups.setdefault(key, []).append(row)
    found = []
    for group in groups.values():
        tars = [row.tar_at_far1 for row in group if row.tar_at_far1 is not None]
        worst = replace(
            group[0],
            attacker=WORST,
            view='face',
            eer=min(row.eer for row in group),
            rank1=max(row.rank1 for row in group),
            tar_at_far1=max(tars, default=None),
        )
        found.append(worst)
    return found


def read_rows(path: str | Path) -> list[Row]:
    """Read a JSON file of rows.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it is not a list of rows; the message names the file, the row
            and the key.
    """
    try:
        content = json.loads(Path(path).read_text(encoding='utf-8'))
    except json.JSONDecodeError as error:
        raise ValueError(f'{path} is not JSON: {error}') from None
    if not isinstance(content, list):
        raise ValueError(f'{path} must be a list of rows')
    return [_row(one, f'{path}, row {index}') for index, one in enumerate(content)]


def write_rows(rows: Iterable[Row], path: str | Path) -> None:
    """Write rows as JSON, one row on each line."""
    lines = [json.dumps(asdict(row)) for row in rows]
    write_whole(Path(path), '[\n' + ',\n'.join(lines) + '\n]\n')


def summarize(rows: Iterable[Row]) -> list[Point]:
    """Compute mean and standard deviation over the seeds, in the order of the rows.

    Raises:
        ValueError: If two rows have the same setting, seed, attacker and matching.
    """
    groups: dict[tuple, list[Row]] = {}
    for row in rows:
        attacker = shown_name(row.attacker, row.view)
        key = row.method, row.strength, attacker, row.matching
        groups.setdefault(key, []).append(row)
    points = []
    for (method, strength, attacker, matching), group in groups.items():
        seeds = [row.seed for row in group]
        if len(set(seeds)) < len(seeds):
            twice = next(seed for seed in seeds if seeds.count(seed) > 1)
            raise ValueError(
                f'two rows of {named(method, strength)!r}, seed {twice}, attacker '
                f'{attacker!r}, {matching}'
            )
        values = {
            name: np.array([_number(getattr(row, name)) for row in group])
            for name in FIGURES
        }
        points.append(
            Point(
                method,
                strength,
                attacker,
                matching,
                len(group),
                mean={
                    name: float(measured.mean()) for name, measured in values.items()
                },
                std={name: _std(measured) for name, measured in values.items()},
            )
        )
    return points


def pareto_front(
    points: Sequence[Point], x: str = 'mAP', y: str = 'eer'
) -> list[Point]:
    """Return the points of one attacker and matching that no other point dominates.

    A point dominates another if it is at least as high in both figures and higher in
    one of them.

    Args:
        points (Sequence[Point]): Points.
        x (str): A figure for which higher is better.
        y (str): Another such figure.

    Returns:
        list[Point]: Points by ascending ``x``.
    """
    placed = [(p.mean[x], p.mean[y], p) for p in points]
    front = [
        point
        for point in placed
        if not any(
            other[0] >= point[0] and other[1] >= point[1] and other[:2] != point[:2]
            for other in placed
        )
    ]
    return [point for *_, point in sorted(front, key=lambda point: point[:2])]


def _row(content: object, where: str) -> Row:
    names = [field.name for field in fields(Row)]
    if not isinstance(content, dict):
        raise ValueError(f'{where} must be an object, got {content!r}')
    content = {'view': 'face', **content}
    wrong = sorted(set(content) ^ set(names))
    if wrong:
        kind = 'has no key' if wrong[0] in names else 'has the unknown key'
        raise ValueError(f'{where} {kind} {wrong[0]!r}; the keys are {names}')
    for name in ('method', 'attacker', 'matching', 'view'):
        if not isinstance(content[name], str):
            raise ValueError(f'{where}: {name} must be a string, got {content[name]!r}')
    for name in ('strength', 'seed', *FIGURES):
        value = content[name]
        if value is None and name in ('strength', 'tar_at_far1'):
            continue
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not math.isfinite(value):
            raise ValueError(f'{where}: {name} must be a number, got {value!r}')
    return Row(**content)


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _std(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else math.nan
