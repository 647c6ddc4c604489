from .adaptive_recognizer import AdaptiveRecognizer
from .dlib_recognizer import DlibRecognizer
from .margin_pixel_recognizer import MarginPixelRecognizer
from .restoring_recognizer import RestoringRecognizer
from .trained_attacker import TrainedAttacker

__all__ = [
    'AdaptiveRecognizer',
    'DlibRecognizer',
    'MarginPixelRecognizer',
    'RestoringRecognizer',
    'TrainedAttacker',
]
