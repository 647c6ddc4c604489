"""Importing this module registers all data sets and transforms."""

from mmanon.structures.face_table import *  # noqa: F401,F403

from .face_augmentation import *  # noqa: F401,F403
from .face_batch import *  # noqa: F401,F403
from .face_identities import *  # noqa: F401,F403
from .formats.proposals import *  # noqa: F401,F403
from .portraits import *  # noqa: F401,F403
from .transforms import *  # noqa: F401,F403
