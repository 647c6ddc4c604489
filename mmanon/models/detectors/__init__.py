from mmanon._moved import renamed

from .anonymized_detector import AnonymizedDetector
from .phase import Phase

__all__ = ['AnonymizedDetector', 'Phase']


def __getattr__(name: str) -> object:
    return renamed(__name__, name)
