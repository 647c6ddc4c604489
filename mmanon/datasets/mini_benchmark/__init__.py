"""The built-in mini benchmark: short clips of drawn people, made from a seed.

One person's drawing goes from the plan (:mod:`.plan`: who does what) through the
performance (:mod:`.actions`), the person (:mod:`.people`: body, arms and a
:mod:`head <.drawn_head>`) and the :mod:`scene <.scene>` to the files
(:mod:`.build`, :mod:`.annotations`).
"""

from .actions import ACTIONS, BODY_ACTIONS, FACE_ACTIONS
from .build import build_mini_benchmark, is_there
from .settings import MiniBenchmarkSettings

__all__ = [
    'ACTIONS',
    'BODY_ACTIONS',
    'FACE_ACTIONS',
    'MiniBenchmarkSettings',
    'build_mini_benchmark',
    'is_there',
]
