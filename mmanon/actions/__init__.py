"""Detect actions in anonymized videos, and show them in a film and a table."""

from mmanon._game import enter_game

enter_game(__name__)

from .agreement import agreement
from .detector import ActionDetector
from .inferencer import ActionDetectionInferencer, ActionDetectionResult
from .records import ActionRecord, write_records

__all__ = [
    'ActionDetectionInferencer',
    'ActionDetectionResult',
    'ActionDetector',
    'ActionRecord',
    'agreement',
    'write_records',
]
