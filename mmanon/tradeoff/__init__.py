"""The trade-off between privacy and detection: rows, their summary, table and plot."""

from mmanon._game import enter_game

enter_game(__name__)

from .plot import plot_tradeoff, save_plot
from .rows import FIGURES, Point, Row, pareto_front, read_rows, summarize, write_rows
from .table import markdown_table

__all__ = [
    'FIGURES',
    'Point',
    'Row',
    'markdown_table',
    'pareto_front',
    'plot_tradeoff',
    'read_rows',
    'save_plot',
    'summarize',
    'write_rows',
]
