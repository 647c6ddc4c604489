"""Optional packages: if one is missing, one sentence names the extra to install."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec

__all__ = ['ExtraNotInstalled', 'require']

_NAMES = {
    'facenet_pytorch': 'facenet-pytorch',
    'gradio': 'Gradio',
    'mmaction': 'mmaction2',
    'mmengine': 'MMEngine',
    'onnxruntime': 'ONNX Runtime',
    'pillow_heif': 'pillow-heif',
    'ray': 'Ray',
    'torch': 'PyTorch',
}


class ExtraNotInstalled(ImportError):
    """A package of an extra is missing; the message is one sentence."""


def require(what: str, modules: str | Sequence[str], extra: str) -> None:
    """Raise an error if modules of an extra are missing; import nothing.

    Args:
        what (str): What needs them, as the beginning of a sentence.
        modules (str or Sequence[str]): The modules that it imports.
        extra (str): The extra of mmanon that installs them.

    Raises:
        ExtraNotInstalled: When one is not installed; the message says in one sentence
            what to install.

    Examples:
        >>> require('the modifier pixelate', 'torch', 'train')  # doctest: +SKIP
        ExtraNotInstalled: the modifier pixelate needs PyTorch, which is ...
    """
    modules = [modules] if isinstance(modules, str) else modules
    missing = [name for name in modules if not _is_there(name)]
    if missing:
        *others, last = [_NAMES.get(name, name) for name in missing]
        names = f'{", ".join(others)} and {last}' if others else last
        verb = 'is' if len(missing) == 1 else 'are'
        raise ExtraNotInstalled(
            f'{what} needs {names}, which {verb} not installed: '
            f'pip install "mmanon[{extra}]"',
            name=missing[0],
        )


def _is_there(module: str) -> bool:
    if module in sys.modules:
        return sys.modules[module] is not None
    return find_spec(module) is not None
