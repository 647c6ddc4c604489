"""The door to the rooms of the game, which stand on PyTorch and OpenMMLab."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

from .utils.extras import require

__all__ = ['enter_game', 'enter_with_mmengine']

_REQUIRED = ('torch', 'torchvision', 'mmengine', 'mmcv')
_HOSTS = ('mmcv', 'mmdet', 'mmaction')

_prepared = False


def enter_game(room: str) -> None:
    """Prepare the OpenMMLab stack, or say what is missing; called by each room.

    Args:
        room (str): The module that is entered.

    Raises:
        ExtraNotInstalled: When a package of the stack is not there; names the extra.
    """
    require(f'{room}, which is for training,', _REQUIRED, 'train')
    _prepare_stack()


def enter_with_mmengine() -> None:
    """Prepare the stack as soon as any of it is imported, if it is not yet.

    A config's ``custom_imports`` name mmanon when mmengine is there; a script may
    import mmanon first and mmaction2 next, and never one of our rooms.
    """
    if 'mmengine' in sys.modules:
        if _is_installed():
            _prepare_stack()
    elif not any(isinstance(finder, _AtTheStack) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AtTheStack())


def _is_installed() -> bool:
    return all(name in sys.modules or find_spec(name) for name in _REQUIRED)


def _prepare_stack() -> None:
    global _prepared
    if _prepared:
        return
    _prepared = True
    from .compat import make_stack_importable

    make_stack_importable()
    # Teaches mmengine to load proposals as arrays, for data sets of any detector.
    from .datasets.formats import proposals  # noqa: F401


class _AtTheStack(MetaPathFinder):
    """Prepares the stack when the first package of it is imported.

    Asking whether a package is there imports nothing, and changes nothing here.
    """

    def __init__(self) -> None:
        # Another finder that asks all others asks this one back.
        self.asking = False

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if self.asking or fullname not in ('mmengine', *_HOSTS):
            return None
        spec = self.find_otherwise(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Prepares(spec.loader, self)
        return spec

    def find_otherwise(self, fullname: str) -> ModuleSpec | None:
        """What the other finders find."""
        self.asking = True
        try:
            for finder in sys.meta_path:
                find = getattr(finder, 'find_spec', None)
                spec = None if find is None else find(fullname, None)
                if spec is not None:
                    return spec
            return None
        finally:
            self.asking = False


class _Prepares(Loader):
    """Executes a module by its own loader, with the stack prepared.

    The preparation needs mmengine itself, and is needed by the others.
    """

    def __init__(self, loader: Loader, finder: _AtTheStack) -> None:
        self.loader = loader
        self.finder = finder

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        if self.finder in sys.meta_path:
            sys.meta_path.remove(self.finder)
        name, loader = module.__name__, self.loader
        if name != 'mmengine' and _is_installed():
            _prepare_stack()
            # The prepared one may load what its own loader refuses.
            spec = self.finder.find_otherwise(name)
            loader = spec.loader if spec and spec.loader else loader
        # Whoever looks at the module later finds it as if we had not been here.
        if module.__spec__ is not None:
            module.__spec__.loader = module.__loader__ = loader
        loader.exec_module(module)
        if name == 'mmengine' and _is_installed():
            _prepare_stack()
