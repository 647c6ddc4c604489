"""All models, imported when the first of them is asked for.

Whoever needs a part only, such as face detectors, which work without PyTorch, imports
``mmanon.models.<part>`` and does not wait for the rest.
"""

from typing import Any

from mmanon._game import enter_game

enter_game(__name__)


def __getattr__(name: str) -> Any:
    if name.startswith('__'):
        raise AttributeError(name)
    from importlib import import_module

    return getattr(import_module(f'{__name__}.parts'), name)
