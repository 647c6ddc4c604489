"""Plots the trade-off: better detection to the right, better privacy upwards."""

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmanon.utils.atomic_write import write_whole

from .rows import Point, pareto_front

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MATCHINGS = dict(
    modified_original='modified against original: re-identification',
    modified_modified='modified against modified: linkability',
)
_MARKERS = 'osD^v<>Phpd8H'
# Learned ones are stars, the first of them red.
_LEARNED = '*'
_LEARNED_COLORS = ('crimson', 'darkorange', 'mediumvioletred', 'saddlebrown', 'navy')
# matplotlib's colours without red.
_COLORS = [f'C{number}' for number in range(10) if number != 3]
CHANCE = 0.5
"""Equal error rate of guessing."""


def plot_tradeoff(
    points: Sequence[Point],
    attackers: Sequence[str] | None = None,
    raw: str = 'raw',
    learned: Sequence[str] = ('learned',),
) -> 'Figure':
    """Draw detection mAP against equal error rate, with a row of panels per attacker.

    Each panel shows the Pareto front, the standard deviation over the seeds if there
    are several, and the corner where detection is as good as on raw faces and the
    attacker can only guess.

    Args:
        points (Sequence[Point]): Points of all attackers and matchings.
        attackers (Sequence[str], optional): The attackers to draw. Defaults to all.
        raw (str): The method that does not change faces, for the corner.
        learned (Sequence[str]): The methods to draw as stars.

    Returns:
        Figure: A figure of matplotlib; :func:`save_plot` writes it.

    Raises:
        ValueError: If an attacker has no points.
    """
    from matplotlib.figure import Figure

    there = list(dict.fromkeys(point.attacker for point in points))
    attackers = list(there if attackers is None else attackers)
    unknown = [attacker for attacker in attackers if attacker not in there]
    if unknown or not attackers:
        raise ValueError(f'no points of {unknown or "any attacker"}; there are {there}')
    methods = list(dict.fromkeys(point.method for point in points))
    stars = [method for method in methods if method in learned]
    styles = {
        method: _star(stars.index(method)) if method in stars else _style(index)
        for index, method in enumerate(methods)
    }
    figure = Figure(figsize=(11, 4.2 * len(attackers) + 0.8), layout='constrained')
    panels = figure.subplots(len(attackers), 2, squeeze=False, sharex=True)
    for row, attacker in zip(panels, attackers, strict=True):
        for axes, (matching, title) in zip(row, _MATCHINGS.items(), strict=True):
            of_panel = [
                point
                for point in points
                if (point.attacker, point.matching) == (attacker, matching)
            ]
            _draw_panel(axes, of_panel, styles, raw)
            axes.set_title(f'{attacker}, {title}', fontsize=10)
            axes.set_ylabel('equal error rate')
            axes.set_xlabel('detection mAP')
    entries: dict[str, Artist] = {}
    for axes in panels.flat:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    figure.legend(entries.values(), entries.keys(), loc='outside lower center', ncols=6)
    return figure


def save_plot(figure: 'Figure', stem: str | Path) -> list[Path]:
    """Write a figure as ``<stem>.svg`` and ``<stem>.png``; equal data give equal files.

    Returns:
        list[Path]: Both files.
    """
    import matplotlib

    paths = []
    for suffix, metadata in (('.svg', dict(Date=None)), ('.png', {})):
        content = io.BytesIO()
        with matplotlib.rc_context({'svg.hashsalt': 'mmanon', 'svg.fonttype': 'none'}):
            figure.savefig(content, format=suffix[1:], dpi=150, metadata=metadata)
        paths.append(Path(f'{stem}{suffix}'))
        write_whole(paths[-1], content.getvalue())
    return paths


def _draw_panel(
    axes: 'Axes', points: Sequence[Point], styles: dict[str, dict], raw: str
) -> None:
    for method, style in styles.items():
        chosen = [point for point in points if point.method == method]
        if not chosen:
            continue
        x, y = ([p.mean[f] for p in chosen] for f in ('mAP', 'eer'))
        spread = [[_bar(p.std[f]) for p in chosen] for f in ('mAP', 'eer')]
        axes.errorbar(
            x,
            y,
            xerr=spread[0],
            yerr=spread[1],
            label=method,
            linestyle=':',
            linewidth=0.8,
            elinewidth=1.2,
            capsize=3,
            **style,
        )
        for point in chosen:
            if point.strength is not None:
                axes.annotate(
                    f'{point.strength:g}',
                    (point.mean['mAP'], point.mean['eer']),
                    xytext=(5, 4),
                    textcoords='offset points',
                    fontsize=7,
                    color=style['color'],
                )
    front = pareto_front(points)
    axes.plot(
        [point.mean['mAP'] for point in front],
        [point.mean['eer'] for point in front],
        color='0.35',
        linewidth=1.4,
        zorder=1,
        label='Pareto front',
    )
    _mark_corner(axes, points, raw)
    axes.set_ylim(-0.02, 0.58)
    axes.grid(True, color='0.92')
    axes.set_axisbelow(True)


def _mark_corner(axes: 'Axes', points: Sequence[Point], raw: str) -> None:
    """Mark the corner: chance, and the detection on raw faces, or else the best."""
    best = [p.mean['mAP'] for p in points if p.method == raw]
    best = best or [p.mean['mAP'] for p in points]
    if not best:
        return
    axes.axhline(CHANCE, color='0.6', linewidth=0.8, linestyle='--')
    axes.axvline(max(best), color='0.6', linewidth=0.8, linestyle='--')
    axes.plot(
        [max(best)],
        [CHANCE],
        marker='+',
        markersize=16,
        markeredgewidth=2,
        color='black',
        linestyle='none',
        label='corner: raw detection, chance',
    )


def _style(index: int) -> dict:
    return dict(
        color=_COLORS[index % len(_COLORS)],
        marker=_MARKERS[index % len(_MARKERS)],
        markersize=6,
        zorder=3,
    )


def _star(index: int) -> dict:
    color = _LEARNED_COLORS[index % len(_LEARNED_COLORS)]
    return dict(color=color, marker=_LEARNED, markersize=13, zorder=4)


def _bar(std: float) -> float:
    return 0.0 if math.isnan(std) else std
