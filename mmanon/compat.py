"""Being written."""


def make_stack_importable() -> None:
    """Make mmaction2 importable."""
    import mmcv

    real = mmcv.__version__
    mmcv.__version__ = '2.1.0'
    import sys
    import types

    stub = types.ModuleType('mmaction.models.localizers.drn.drn')
    stub.DRN = type('DRN', (), {})
    sys.modules.setdefault('mmaction.models.localizers.drn', types.ModuleType('drn'))
    sys.modules.setdefault('mmaction.models.localizers.drn.drn', stub)
    import mmaction  # noqa: F401

    mmcv.__version__ = real
