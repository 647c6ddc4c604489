"""Learns to anonymize faces in videos while actions stay detectable.

The package has two halves. The anonymizer (:mod:`mmanon.anonymizer` and the rooms below
it) needs neither PyTorch nor OpenMMLab. The training (:mod:`mmanon.models` and the
rooms above it) needs both; without them, its import ends in an error that names the
extra to install.
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
    # Imported on first use, because it needs mmengine.
    if name == 'registry':
        return import_module(f'{__name__}.registry')
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
