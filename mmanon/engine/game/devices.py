"""Copies to a GPU in the background, and the check of deterministic training."""

from collections.abc import Iterator

import torch
from mmengine.logging import print_log
from mmengine.runner import Runner
from torch import nn

__all__ = ['check_deterministic', 'copies_ahead', 'refuses_fixed_order']

# Layers without a deterministic backward pass on a GPU, from PyTorch's notes on
# `torch.use_deterministic_algorithms`.
_REFUSED: tuple[type[nn.Module], ...] = (
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveAvgPool3d,
    nn.AdaptiveMaxPool2d,
    nn.AdaptiveMaxPool3d,
    nn.AvgPool3d,
    nn.FractionalMaxPool2d,
    nn.FractionalMaxPool3d,
    nn.MaxPool3d,
    nn.ReflectionPad1d,
    nn.ReflectionPad2d,
    nn.ReflectionPad3d,
    nn.ReplicationPad1d,
    nn.ReplicationPad2d,
    nn.ReplicationPad3d,
)
# Layers of mmcv, with any implementation.
_REFUSED_BY_NAME = {'RoIAlign', 'RoIPool'}


def copies_ahead(runner: Runner) -> bool:
    """Copy clips to a GPU in the background, if the training uses one.

    Loaders then return batches in pinned memory, and the detector's preprocessor does
    not wait for its copies. Existing iterators do not change.

    Returns:
        bool: Whether the detector is on a GPU.
    """
    device = next(runner.model.detector.parameters()).device
    if device.type != 'cuda':
        return False
    runner.train_loop.dataloader.pin_memory = True
    preprocessor = runner.model.data_preprocessor
    if hasattr(preprocessor, '_non_blocking'):
        preprocessor._non_blocking = True
    return True


def refuses_fixed_order(model: nn.Module) -> Iterator[tuple[str, str]]:
    """Find layers without a deterministic backward pass on a GPU.

    It finds only layers, not functions.

    Args:
        model (nn.Module): The model to search.

    Yields:
        tuple[str, str]: Name of the layer in the model, and its class.
    """
    for name, layer in model.named_modules():
        # Pooling to a single pixel is a mean, which is deterministic.
        size = getattr(layer, 'output_size', None)
        kind = type(layer).__name__
        refused = isinstance(layer, _REFUSED) or kind in _REFUSED_BY_NAME
        if refused and size not in (1, (1, 1), (1, 1, 1)):
            yield name, kind


def check_deterministic(model: nn.Module, device: torch.device) -> None:
    """Reject a deterministic training that PyTorch would stop in its first step.

    Raises:
        ValueError: If deterministic algorithms are required, the device is a GPU and
            the model has layers without them.
    """
    if device.type != 'cuda' or not torch.are_deterministic_algorithms_enabled():
        return
    found = list(refuses_fixed_order(model))
    if not found:
        return
    named = ', '.join(f'{kind} ({name})' for name, kind in found[:5])
    more = f' and {len(found) - 5} more' if len(found) > 5 else ''
    text = (
        f'deterministic algorithms are required, but on a GPU PyTorch has none for '
        f'the backward pass of {named}{more}'
    )
    if torch.is_deterministic_algorithms_warn_only_enabled():
        print_log(f'{text}: two trainings will differ', logger='current')
        return
    raise ValueError(
        f'{text}: leave `deterministic` out of `randomness`. Crop, paste, modifiers '
        'and discriminators of mmanon have them; to repeat a training bit by bit, '
        'train on the CPU, or a detector without these layers'
    )
