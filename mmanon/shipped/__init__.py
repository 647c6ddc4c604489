"""Learned modifiers that have a name: ``NAME.onnx`` and ``NAME.pth``.

They are in this folder, which is part of the package, and in the folders of
:data:`SEARCH_PATH`. The ONNX file needs no PyTorch. The other file contains the same
weights for PyTorch, to continue the training.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from mmanon.utils.near_names import or_near

__all__ = [
    'SCHEME',
    'SEARCH_PATH',
    'NamedModifier',
    'find_modifier',
    'is_name',
    'list_modifiers',
    'shipped_weights',
]

SEARCH_PATH = 'MMANON_MODIFIERS'
"""The environment variable with more folders of modifiers, separated as in ``PATH``."""

SCHEME = 'mmanon://'
"""The beginning of a ``checkpoint`` in an ``init_cfg`` that is such a name."""

_HERE = Path(__file__).parent
_KINDS = ('.onnx', '.pth')
_NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9._-]*')


class NamedModifier(NamedTuple):
    """The files of a modifier; one of them may be missing.

    Attributes:
        name (str): Its name.
        onnx (Path, optional): The file for ONNX Runtime.
        weights (Path, optional): The file for PyTorch.
    """

    name: str
    onnx: Path | None
    weights: Path | None


def list_modifiers() -> list[NamedModifier]:
    """List the modifiers that have names.

    Returns:
        list[NamedModifier]: Those of the package first, sorted by name in each folder.
        If two have the same name, the first one is listed.

    Raises:
        ValueError: When :data:`SEARCH_PATH` names something that is no folder.
    """
    found: dict[str, NamedModifier] = {}
    for folder in _folders():
        names = {path.stem for kind in _KINDS for path in folder.glob(f'*{kind}')}
        for name in sorted(filter(is_name, names)):
            files = [folder / f'{name}{kind}' for kind in _KINDS]
            onnx, weights = (file if file.is_file() else None for file in files)
            found.setdefault(name, NamedModifier(name, onnx, weights))
    return list(found.values())


def is_name(text: str) -> bool:
    """Whether a text may be the name of a modifier."""
    return _NAME.fullmatch(text) is not None


def find_modifier(name: str) -> NamedModifier | None:
    """The modifier with this name, or None if there is none."""
    if not is_name(name):
        return None
    return next((one for one in list_modifiers() if one.name == name), None)


def shipped_weights(address: str) -> Path:
    """The file of weights for ``mmanon://NAME``.

    Raises:
        FileNotFoundError: When no modifier has this name, or it has no weights for
            PyTorch.
    """
    name = address.removeprefix(SCHEME)
    found = find_modifier(name)
    if found is None:
        known = [one.name for one in list_modifiers()]
        raise FileNotFoundError(
            f'{address}: no modifier with weights is called {name!r}; '
            + (or_near(name, known) if known else _none_is_there())
        )
    if found.weights is None:
        raise FileNotFoundError(
            f'{address}: there is no {name}.pth next to {found.onnx}, so this modifier '
            'can draw but its training cannot be continued'
        )
    return found.weights


def _none_is_there() -> str:
    return (
        f'this installation has none: put NAME.pth into a folder and set {SEARCH_PATH} '
        'to that folder'
    )


def _folders() -> list[Path]:
    named = filter(None, os.environ.get(SEARCH_PATH, '').split(os.pathsep))
    more = [Path(one).expanduser() for one in named]
    for folder in more:
        if not folder.is_dir():
            raise ValueError(f'{SEARCH_PATH} names {folder}, which is no folder')
    return [_HERE, *more]
