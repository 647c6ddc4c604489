"""What can be chosen; read by the commands before anything large is imported."""

from __future__ import annotations

from mmanon.face_detectors.named import DETECTOR_NAMES

__all__ = ['DETECTORS', 'SURE']

DETECTORS = DETECTOR_NAMES
"""Face detectors by name; see :func:`.face_finding.build_detector`."""

SURE = 0.6
"""Faces at least this sure are covered wherever they are, less sure ones only next to
the track of one that was. MTCNN's own threshold is 0.7, that of the others this."""
