from .adaptive_recognizer import AdaptiveRecognizer
from .dlib_recognizer import DlibRecognizer
from .restoring_recognizer import RestoringRecognizer
from .trained_attacker import TrainedAttacker

__all__ = [
    'AdaptiveRecognizer',
    'DlibRecognizer',
    'RestoringRecognizer',
    'TrainedAttacker',
]
