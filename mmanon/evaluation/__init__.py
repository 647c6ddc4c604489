"""Measures who can still be recognized, and what is still detected."""

from mmanon._game import enter_game

enter_game(__name__)

from mmanon.datasets.formats.ava_reader import *  # noqa: F401,F403
from mmanon.structures.boxes import *  # noqa: F401,F403
from mmanon.structures.tubes import *  # noqa: F401,F403

from .functional.attributes import *  # noqa: F401,F403
from .functional.face_identification import *  # noqa: F401,F403
from .functional.face_verification import *  # noqa: F401,F403
from .functional.found_again import *  # noqa: F401,F403
from .functional.frame_map import *  # noqa: F401,F403
from .functional.image_quality import *  # noqa: F401,F403
from .functional.video_map import *  # noqa: F401,F403
from .metrics import *  # noqa: F401,F403
