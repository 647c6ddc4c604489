"""The built-in mini benchmark: short clips of drawn people, made from a seed.

The steps are: a plan of who does what (:mod:`.plan`), the performance of each person
(:mod:`.actions`), the person (:mod:`.people`: body, arms and a
:mod:`head <.drawn_head>`), the :mod:`scene <.scene>`, and the files (:mod:`.build`,
:mod:`.annotations`).
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
