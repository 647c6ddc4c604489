"""Context managers that freeze networks temporarily."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

__all__ = ['evaluating', 'held_still']


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Set evaluation mode for a ``with`` block: batch norms keep their statistics.

    Afterwards each module returns to its former mode.
    """
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True


@contextmanager
def held_still(module: nn.Module) -> Iterator[None]:
    """Freeze a network for a ``with`` block; gradients still pass through it.

    Its parameters get no gradients, and it is in evaluation mode.
    """
    learning = [
        parameter for parameter in module.parameters() if parameter.requires_grad
    ]
    module.requires_grad_(False)
    try:
        with evaluating(module):
            yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)
