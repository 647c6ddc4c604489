"""Hooks and the game; the first access to a hook imports them all.

A check of a config imports only :mod:`mmanon.engine.game.config_check`, without models
and data sets.
"""

from typing import Any

from mmanon._game import enter_game

enter_game(__name__)


def __getattr__(name: str) -> Any:
    if name.startswith('__'):
        raise AttributeError(name)
    from importlib import import_module

    return getattr(import_module(f'{__name__}.hooks'), name)
