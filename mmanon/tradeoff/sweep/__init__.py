"""Trains and tests a detector with many modifiers, at the same budget."""

from .attacks import Attack, list_attacks
from .checks import check_sweep
from .plan import Plan, Run, Setting, read_plan
from .results import collect_rows, write_results
from .stages import Stage, Stages
from .workers import Commands, StageFailed, hold_work_dir

__all__ = [
    'Attack',
    'Commands',
    'Plan',
    'Run',
    'Setting',
    'Stage',
    'StageFailed',
    'Stages',
    'check_sweep',
    'collect_rows',
    'hold_work_dir',
    'list_attacks',
    'read_plan',
    'write_results',
]
