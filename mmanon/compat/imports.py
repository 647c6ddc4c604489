"""Makes the current releases of the OpenMMLab packages import together.

mmaction2 1.2.0, as published on PyPI, has six problems with them:

- ``mmaction`` (like OpenMMLab's ``mmdet`` 3.x) refuses mmcv 2.2 and later, but only
  these versions can be built with current PyTorch;
- its wheel lacks ``mmaction.models.localizers.drn``, which ``mmaction.models`` imports;
- it uses NumPy's ``NAN`` and ``Inf``, which NumPy 2 has only as ``nan`` and ``inf``:
  AVAMetric fails when a class has no ground truth;
- AVAMetric names a file in the current folder after the current second: when two
  processes evaluate in the same second, one of them fails or reads the predictions of
  the other;
- its models of video and text import names that transformers 5 no longer has, and then
  none of its models can be imported;
- mmcv as pip installs it without a compiler lacks the compiled operators.

:func:`make_stack_importable` adds two finders to ``sys.meta_path`` for exactly these
cases. They act when the packages are imported, not earlier, and change nothing in
packages that have none of these problems. No installed file is changed. Configs can
inherit from ``mmaction::...``, ``mmdet::...`` and, added here, ``mmanon::...``.
"""

import importlib
import multiprocessing
import sys
import uuid
from collections.abc import Sequence
from datetime import datetime
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

__all__ = ['make_stack_importable']

_REQUIRED = {
    'torch': 'torch',
    'torchvision': 'torchvision',
    'mmengine': 'mmengine (or onedl-mmengine)',
    'mmcv': 'mmcv (or onedl-mmcv)',
}
_REFUSING = ('mmaction', 'mmdet')
# Modules that use np.NAN or np.Inf.
_OF_NUMPY_1 = (
    'mmaction.evaluation.functional.ava_evaluation.metrics',
    'mmaction.datasets.transforms.pose_transforms',
    'mmaction.utils.misc',
)
# Modules that name files after the current second.
_OF_ONE_SECOND = ('mmaction.evaluation.metrics.ava_metric',)
# The module that records whether models of video and text can be built.
_OF_TRANSFORMERS_4 = 'mmaction.utils.dependency'
_DRN_PACKAGE = 'mmaction.models.localizers.drn'
_DRN_MODULE = f'{_DRN_PACKAGE}.drn'
_COMPILED_OPERATORS = 'mmcv._ext'
# The module that maps names like mmaction::detection/... in configs to packages.
_CONFIG_PACKAGES = 'mmengine.config.utils'
_LOOKED_AFTER = (
    *_REFUSING,
    *_OF_NUMPY_1,
    *_OF_ONE_SECOND,
    _OF_TRANSFORMERS_4,
    _COMPILED_OPERATORS,
    _CONFIG_PACKAGES,
)


def make_stack_importable() -> None:
    """Prepare the imports of mmaction2 and mmdet.

    It imports neither of them, and neither has to be installed. A second call changes
    nothing.

    Raises:
        ImportError: If PyTorch, torchvision, mmengine or mmcv is not installed; the
            message says what to install.
    """
    missing = [
        package
        for module, package in _REQUIRED.items()
        if module not in sys.modules and find_spec(module) is None
    ]
    if missing:
        raise ImportError(
            f'mmanon needs {", ".join(missing)}, not installed in {sys.prefix}. In a '
            'checkout of mmanon, `make setup` installs everything; otherwise install '
            'PyTorch and torchvision for your machine first, then run `pip install '
            'openmim && mim install mmengine mmcv mmdet mmaction2`'
        )
    if not any(isinstance(finder, _StandIns) for finder in sys.meta_path):
        # Last: it is asked only for modules that no installed package has.
        sys.meta_path.append(_StandIns())
    if not any(isinstance(finder, _RelaxedVersions) for finder in sys.meta_path):
        sys.meta_path.insert(0, _RelaxedVersions())
    if _CONFIG_PACKAGES in sys.modules:
        _add_config_package(sys.modules[_CONFIG_PACKAGES])


def _add_config_package(module: ModuleType) -> None:
    module.MODULE2PACKAGE.setdefault('mmanon', 'mmanon')


class _RelaxedVersions(MetaPathFinder):
    """Imports mmaction and mmdet although newer releases of mmcv and NumPy are used."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname not in _LOOKED_AFTER:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, 'find_spec', None)
            if isinstance(finder, _RelaxedVersions | _StandIns) or find is None:
                continue
            spec = find(fullname, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _RelaxedLoader(spec.loader)
                return spec
        return None


class _RelaxedLoader(Loader):
    """Executes a module with its own loader, and again if it refused mmcv."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def __getattr__(self, name: str) -> object:
        if name == 'loader':  # not set yet, for example while being copied
            raise AttributeError(name)
        return getattr(self.loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # Later readers of the module find its original loader.
        if module.__spec__ is not None:
            module.__spec__.loader = self.loader
        module.__loader__ = self.loader
        if module.__name__ == 'mmaction':
            _require_importlib_metadata(module)
        try:
            self.loader.exec_module(module)
        except AssertionError:
            if not _refused_a_newer_mmcv(module):
                raise
            self._exec_with_older_mmcv(module)
        if module.__name__ in _OF_NUMPY_1 and not hasattr(module.np, 'NAN'):
            vars(module)['np'] = _NumpyOfOldNames('numpy')
        if module.__name__ in _OF_ONE_SECOND and hasattr(module, 'datetime'):
            vars(module)['datetime'] = _UniqueTime
        if module.__name__ == _OF_TRANSFORMERS_4:
            _leave_out_multimodal(module)
        if module.__name__ == _CONFIG_PACKAGES:
            _add_config_package(module)
        if module.__name__ == _COMPILED_OPERATORS:
            _announce("mmcv's own compiled operators are used (mmcv._ext)")

    def _exec_with_older_mmcv(self, module: ModuleType) -> None:
        import mmcv
        from mmengine.utils import digit_version

        real = mmcv.__version__
        mmcv.__version__ = module.mmcv_minimum_version
        try:
            self.loader.exec_module(module)
        finally:
            mmcv.__version__ = real
        vars(module)['mmcv_version'] = digit_version(real)
        _announce(
            f'{module.__name__} {getattr(module, "__version__", "")} accepts mmcv '
            f'below {module.mmcv_maximum_version}, but {real} is installed: its check '
            'was skipped'
        )


class _UniqueTime(datetime):
    """A time whose formatted text is unique to each process and each call."""

    def strftime(self, form: str) -> str:
        return f'{super().strftime(form)}_{uuid.uuid4().hex}'


class _NumpyOfOldNames(ModuleType):
    """NumPy for one module, with the names that NumPy 2 removed."""

    def __getattr__(self, name: str) -> object:
        import numpy

        return getattr(numpy, {'NAN': 'nan', 'Inf': 'inf'}.get(name, name))


def _refused_a_newer_mmcv(module: ModuleType) -> bool:
    """Whether a package failed in its own check because mmcv is a newer 2.x."""
    mmcv = sys.modules.get('mmcv')
    limit = getattr(module, 'mmcv_maximum_version', None)
    if mmcv is None or limit is None or not hasattr(module, 'mmcv_minimum_version'):
        return False
    from mmengine.utils import digit_version

    found = digit_version(mmcv.__version__)
    return digit_version(limit) <= found < digit_version('3.0.0')


def _require_importlib_metadata(mmaction: ModuleType) -> None:
    if find_spec('importlib_metadata') is not None:
        return
    uses = Path(mmaction.__path__[0], 'utils', 'dependency.py')
    if uses.is_file() and 'from importlib_metadata' in uses.read_text('utf-8'):
        raise ModuleNotFoundError(
            'mmaction2 imports the package importlib_metadata but does not install it: '
            'run pip install importlib_metadata',
            name='importlib_metadata',
        )


def _leave_out_multimodal(dependency: ModuleType) -> None:
    """Make mmaction2 treat transformers 5, which it cannot use, as not installed."""
    if not getattr(dependency, 'WITH_MULTIMODAL', False):
        return
    installed = version('transformers')
    if int(installed.partition('.')[0]) < 5:
        return
    vars(dependency)['WITH_MULTIMODAL'] = False
    _announce(
        f'transformers {installed} lacks names that mmaction2 imports: its models of '
        'video and text (VindLU) cannot be built'
    )


class _StandIns(MetaPathFinder, Loader):
    """Replaces what the installed packages lack.

    That is mmaction2's localizer DRN, and mmcv's compiled operators.
    """

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname not in (_DRN_PACKAGE, _DRN_MODULE, _COMPILED_OPERATORS):
            return None
        return ModuleSpec(
            fullname,
            self,
            origin=f'stand-in of {__name__}',
            is_package=fullname == _DRN_PACKAGE,
        )

    def exec_module(self, module: ModuleType) -> None:
        if module.__name__ == _COMPILED_OPERATORS:
            _fill_with_operators(module)
        elif module.__name__ == _DRN_MODULE:
            _fill_with_drn(module)


def _fill_with_operators(module: ModuleType) -> None:
    from . import mmcv_operators

    vars(module).update(mmcv_operators.OPERATORS)
    # mmcv looks up all of its operators when it is imported.
    vars(module)['__getattr__'] = mmcv_operators.not_available
    _announce(mmcv_operators.description())


def _fill_with_drn(module: ModuleType) -> None:
    class DRN:
        """Replaces mmaction2's localizer; it cannot be built."""

        def __init__(self, *args: object, **kwargs: object) -> None:
            raise ImportError(
                'the installed mmaction2 has no DRN (the wheel of 1.2.0 was published '
                'without it): install mmaction2 from source'
            )

    DRN.__module__ = module.__name__
    registry = importlib.import_module('mmaction.registry')
    vars(module)['DRN'] = registry.MODELS.register_module()(DRN)
    _announce(
        f'the installed mmaction2 lacks {_DRN_PACKAGE}: a replacement lets '
        'mmaction.models be imported; DRN itself cannot be built'
    )


def _announce(what: str) -> None:
    """Log a message once per program: its worker processes log nothing."""
    _prepare_workers()
    # A spawned process has its name already before it imports anything.
    if multiprocessing.current_process().name == 'MainProcess':
        from mmengine.logging import print_log

        print_log(f'mmanon.compat: {what}.', logger='current')


class _Preparation:
    """Is unpickled as a call of :func:`make_stack_importable`."""

    def __reduce__(self) -> tuple:
        return make_stack_importable, ()


def _prepare_workers() -> None:
    """Let spawned processes import mmaction before they import mmanon.

    The worker of a data loader unpickles the data set. This imports the class of the
    data set, for example from mmaction, before any code of mmanon runs. The
    configuration that a process passes to its children is unpickled before their
    arguments.
    """
    config = getattr(multiprocessing.current_process(), '_config', None)
    if isinstance(config, dict):
        config['mmanon.compat'] = _Preparation()
