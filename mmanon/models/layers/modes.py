"""Networks that for a moment do not learn."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

__all__ = ['evaluating', 'held_still']


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode for a block: batch norms keep their statistics.

    Afterwards each of its modules is in the mode that it was in.
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
    """Let gradients through a network that neither learns nor counts."""
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
