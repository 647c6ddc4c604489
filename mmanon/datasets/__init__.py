"""Data sets and transforms; the first access to one of them imports them all.

To import only a part of them, import ``mmanon.datasets.<part>``.
"""

from typing import Any

from mmanon._game import enter_game

enter_game(__name__)


def __getattr__(name: str) -> Any:
    if name.startswith('__'):
        raise AttributeError(name)
    from importlib import import_module

    return getattr(import_module(f'{__name__}.parts'), name)
