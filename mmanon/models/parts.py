"""Importing this module registers all models."""

from mmanon.face_detectors import *  # noqa: F401,F403
from mmanon.face_detectors.build import FACE_DETECTORS
from mmanon.registry import MODELS

from .attackers import *  # noqa: F401,F403
from .detectors import *  # noqa: F401,F403
from .discriminators import *  # noqa: F401,F403
from .losses import *  # noqa: F401,F403
from .modifiers import *  # noqa: F401,F403
from .pretraining import *  # noqa: F401,F403

# Not by a decorator: face detectors must also work without a registry.
for _detector in FACE_DETECTORS.values():
    MODELS.register_module(module=_detector)
