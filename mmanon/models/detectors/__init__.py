from .anonymized_detector import AnonymizedDetector
from .phase import Phase, PhaseSchedule

__all__ = ['AnonymizedDetector', 'Phase', 'PhaseSchedule']
