"""A trade-off's results as one web page."""

from .page import write_report
from .pictures import Grid, Shown, make_grids
from .sweep_folder import RunFolder, SweepFolder, read_sweep

__all__ = [
    'Grid',
    'RunFolder',
    'Shown',
    'SweepFolder',
    'make_grids',
    'read_sweep',
    'write_report',
]
