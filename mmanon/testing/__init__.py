from .detector_check import STAGES, DetectorCheck
from .zoo import read_config, shipped_configs, two_line_config

__all__ = [
    'STAGES',
    'DetectorCheck',
    'read_config',
    'shipped_configs',
    'two_line_config',
]
