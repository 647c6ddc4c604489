"""All models; the first access to one of them imports them all.

To import only a part of the models, import ``mmanon.models.<part>``.
"""

from typing import Any

from mmanon._game import enter_game

enter_game(__name__)


def __getattr__(name: str) -> Any:
    if name.startswith('__'):
        raise AttributeError(name)
    from importlib import import_module

    return getattr(import_module(f'{__name__}.parts'), name)
