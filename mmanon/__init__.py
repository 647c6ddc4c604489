"""Learns to anonymize faces in videos while actions stay detectable.

Two doors: what anonymizes (:mod:`mmanon.anonymizer` and the rooms below it) needs
neither PyTorch nor OpenMMLab; what trains (:mod:`mmanon.models` and the rooms above it)
needs both, and says so when it is entered without.
"""

from importlib import import_module
from types import ModuleType

from ._game import enter_with_mmengine
from ._moved import keep_old_names
from .version import __version__

keep_old_names()
enter_with_mmengine()

__all__ = ['__version__']


def __getattr__(name: str) -> ModuleType:
    # Imported when it is asked for: it stands on mmengine.
    if name == 'registry':
        return import_module(f'{__name__}.registry')
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
