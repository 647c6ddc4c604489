"""The trade-off between privacy and detection: rows, summary, table and plot."""

from mmanon._game import enter_game

enter_game(__name__)

from .plot import plot_tradeoff, save_plot
from .rows import (
    FIGURES,
    WORST,
    Point,
    Row,
    pareto_front,
    read_rows,
    shown_name,
    summarize,
    worst_case,
    write_rows,
)
from .table import markdown_table, worst_table

__all__ = [
    'FIGURES',
    'WORST',
    'Point',
    'Row',
    'markdown_table',
    'pareto_front',
    'plot_tradeoff',
    'read_rows',
    'save_plot',
    'shown_name',
    'summarize',
    'worst_case',
    'worst_table',
    'write_rows',
]
