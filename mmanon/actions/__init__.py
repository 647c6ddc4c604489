"""What an action detector sees in anonymized videos: as a film and as a table."""

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
