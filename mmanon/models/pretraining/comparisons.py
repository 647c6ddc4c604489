"""How far drawn heads are from what is wanted."""

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ['difference', 'edges', 'mean_in', 'moved', 'overlap_loss']


def difference(one: Tensor, other: Tensor) -> Tensor:
    """Mean absolute difference, in parts of what is wanted."""
    other = other.detach().float()
    return (one.float() - other).abs().mean() / other.abs().mean().clamp(min=1e-4)


def mean_in(region: Tensor, values: Tensor) -> Tensor:
    """The mean of (K, C, S, S) within a region, (S, S) or (K, 1, S, S) from 0 on."""
    weight = region.expand(len(values), 1, *values.shape[-2:])
    return (values.mean(1, True) * weight).sum() / weight.sum()


def edges(images: Tensor) -> Tensor:
    """Differences to the pixels on the right and below, (K, 2 C, S - 1, S - 1)."""
    corner = images[..., :-1, :-1]
    return torch.cat([images[..., :-1, 1:] - corner, images[..., 1:, :-1] - corner], 1)


def moved(images: Tensor, nudge: Tensor) -> Tensor:
    """The next frame of images, (K, C, S, S), see :func:`~.portrait_views.nudged`."""
    return F.grid_sample(images, nudge, padding_mode='border', align_corners=False)


def overlap_loss(region: Tensor, found: Tensor, wanted: Tensor) -> Tensor:
    """1 less the Dice coefficient of two maps, (K, 1, S, S), within a region.

    Some pixels on top keep maps without anything from weighing as much as others.
    """
    some = 20.0
    both = (found * wanted * region).sum((1, 2, 3))
    either = ((found + wanted) * region).sum((1, 2, 3))
    return (1 - (2 * both + some) / (either + some)).mean()
