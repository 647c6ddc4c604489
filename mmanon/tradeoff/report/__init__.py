"""The results of a trade-off as one web page."""

from .audit import Audit, Hidden, make_audits
from .page import write_report
from .pictures import Grid, Shown, make_grids
from .sweep_folder import RunFolder, SweepFolder, read_sweep

__all__ = [
    'Audit',
    'Grid',
    'Hidden',
    'RunFolder',
    'Shown',
    'SweepFolder',
    'make_audits',
    'make_grids',
    'read_sweep',
    'write_report',
]
