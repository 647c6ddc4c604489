"""All models: importing this registers them."""

from mmanon.face_detectors import *  # noqa: F401,F403

from .attackers import *  # noqa: F401,F403
from .detectors import *  # noqa: F401,F403
from .discriminators import *  # noqa: F401,F403
from .losses import *  # noqa: F401,F403
from .modifiers import *  # noqa: F401,F403
