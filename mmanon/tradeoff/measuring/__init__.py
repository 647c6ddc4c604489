"""All figures of one modifier: what its model card tells."""

from .plan import Measurement, read_measurement
from .running import PARTS, measure

__all__ = ['PARTS', 'Measurement', 'measure', 'read_measurement']
