"""Checks of detectors: find their configs, shrink them, run them on made-up data."""

from mmanon._game import enter_game

enter_game(__name__)

from .detector_check import STAGES, DetectorCheck
from .zoo import read_config, shipped_configs, two_line_config

__all__ = [
    'STAGES',
    'DetectorCheck',
    'read_config',
    'shipped_configs',
    'two_line_config',
]
