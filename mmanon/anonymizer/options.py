"""What can be chosen; read by the commands before anything large is imported."""

from __future__ import annotations

__all__ = ['DETECTORS', 'SURE']

DETECTORS = ('centerface', 'mtcnn', 'yunet', 'thorough')
"""Face detectors by name; see :func:`.face_finding.build_detector`."""

SURE = 0.6
"""Faces at least this sure are covered wherever they are, less sure ones only next to
the track of one that was. Scores of detectors that are sure at another one are put on
this scale. MTCNN's and YuNet's own thresholds are 0.7 and 0.6."""
