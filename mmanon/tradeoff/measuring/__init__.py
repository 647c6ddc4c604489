"""Measures all figures of one modifier's model card."""

from .plan import Measurement, read_measurement
from .running import PARTS, measure

__all__ = ['PARTS', 'Measurement', 'measure', 'read_measurement']
