"""Where tests of GPUs run: on one where there is one, and on the CPU."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

# Without it cuBLAS has no fixed order, which PyTorch refuses; mmengine sets it as well.
os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')
HERE = 'cuda' if torch.cuda.is_available() else 'cpu'


def needs_gpu(test):
    """A test of what the CPU cannot show."""
    skip = pytest.mark.skipif(HERE == 'cpu', reason='PyTorch sees no CUDA device')
    return pytest.mark.gpu(skip(test))


def on_each_device(test):
    """A test that takes a ``device``: the CPU, and a GPU where there is one."""
    gpu = pytest.param('cuda', marks=[*_marks()])
    return pytest.mark.parametrize('device', ['cpu', gpu])(test)


def _marks() -> Iterator[pytest.MarkDecorator]:
    yield pytest.mark.gpu
    yield pytest.mark.skipif(HERE == 'cpu', reason='PyTorch sees no CUDA device')


@contextmanager
def in_fixed_order():
    """PyTorch's deterministic algorithms, and those alone."""
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


def away(found: torch.Tensor, expected: torch.Tensor) -> float:
    """The distance of two tensors as a fraction of the length of the second."""
    found, expected = found.detach().cpu().double(), expected.detach().cpu().double()
    assert found.shape == expected.shape
    assert found.isfinite().all()
    return float((found - expected).norm() / expected.norm().clamp(min=1e-6))
