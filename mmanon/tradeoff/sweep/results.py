"""Writes rows, table and plot from the figures of a sweep's tests."""

import json
from collections.abc import Sequence
from pathlib import Path

from mmanon.evaluation.metrics import MATCHINGS
from mmanon.tradeoff import (
    WORST,
    Row,
    markdown_table,
    plot_tradeoff,
    save_plot,
    summarize,
    worst_case,
    worst_table,
    write_rows,
)
from mmanon.tradeoff.table import decisive_attackers
from mmanon.utils.atomic_write import write_whole

from .attacks import is_learned, list_attacks
from .plan import Plan
from .stages import Stages

MOST_PANELS = 6
"""Largest number of attackers in the plot, without the worst case."""


def collect_rows(plan: Plan) -> list[Row]:
    """Collect the rows of all runs that are tested as planned, in their order.

    Raises:
        ValueError: If a figure of a run is missing.
    """
    rows, stages = [], Stages(plan)
    for run in plan.runs:
        of_run = stages.of(run)
        # Tests with other attackers, or of older trainings, do not count.
        if not all(stage.is_done for stage in of_run):
            continue
        path = of_run[-1].result
        figures = json.loads(path.read_text())
        for attack in list_attacks(plan.attackers):
            for matching in MATCHINGS:
                start = f'{attack.name}/{matching}'
                rows.append(
                    Row(
                        method=run.setting.method,
                        strength=run.setting.strength,
                        seed=run.seed,
                        mAP=_figure(figures, plan.figure, path),
                        attacker=attack.attacker,
                        matching=matching,
                        eer=_figure(figures, f'{start}/eer', path),
                        rank1=_figure(figures, f'{start}/rank1', path),
                        tar_at_far1=figures.get(f'{start}/tar_at_far_1e-2'),
                        view=attack.view,
                    )
                )
    return rows


def write_results(plan: Plan, plot: bool = True) -> list[Path]:
    """Write ``tradeoff.json``, ``.md``, ``.svg`` and ``.png`` of the finished runs.

    Args:
        plan (Plan): The plan of the sweep.
        plot (bool): Whether to draw the plot as well. Defaults to True.

    Returns:
        list[Path]: The files.
    """
    rows = collect_rows(plan)
    stem = plan.work_dir / 'tradeoff'
    files = [stem.with_suffix('.json'), stem.with_suffix('.md')]
    worst = worst_case(rows)
    points = summarize([*worst, *rows])
    write_rows(rows, files[0])
    write_whole(files[1], worst_table(rows) + markdown_table(points))
    if plot and points:
        methods = [run.setting.method for run in plan.runs if is_learned(run)]
        figure = plot_tradeoff(points, _plotted(rows), learned=methods)
        files += save_plot(figure, stem)
    return files


def _plotted(rows: Sequence[Row]) -> list[str] | None:
    """Return the attackers to plot: all, or the decisive ones if there are many."""
    if len({(row.attacker, row.view) for row in rows}) <= MOST_PANELS:
        return None
    return [WORST, *decisive_attackers(rows)[:MOST_PANELS]]


def _figure(figures: dict[str, float], name: str, path: Path) -> float:
    if name not in figures:
        raise ValueError(
            f'{path} has no figure {name!r}, only {", ".join(sorted(figures))}; '
            "`tradeoff.figure` of the config must be the detector's figure"
        )
    return figures[name]
