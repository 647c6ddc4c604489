from .adaptive_recognizer import AdaptiveRecognizer
from .aligning_recognizer import AligningRecognizer
from .dlib_recognizer import DlibRecognizer
from .margin_pixel_recognizer import MarginPixelRecognizer
from .nafnet_restorer import NAFNetRestorer
from .restoring_recognizer import RestoringRecognizer
from .trained_attacker import TrainedAttacker
from .tuned_recognizer import TunedRecognizer

__all__ = [
    'AdaptiveRecognizer',
    'AligningRecognizer',
    'DlibRecognizer',
    'MarginPixelRecognizer',
    'NAFNetRestorer',
    'RestoringRecognizer',
    'TrainedAttacker',
    'TunedRecognizer',
]
