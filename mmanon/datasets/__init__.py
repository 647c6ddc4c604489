"""All of data, imported when the first of it is asked for; see :mod:`mmanon.models`."""

from typing import Any

from mmanon._game import enter_game

enter_game(__name__)


def __getattr__(name: str) -> Any:
    if name.startswith('__'):
        raise AttributeError(name)
    from importlib import import_module

    return getattr(import_module(f'{__name__}.parts'), name)
