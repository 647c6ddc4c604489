"""Measures of the difference between drawn heads and their targets."""

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ['difference', 'distances', 'edges', 'mean_in', 'moved', 'overlap_loss']


def difference(one: Tensor, other: Tensor) -> Tensor:
    """Mean absolute difference, relative to the mean absolute value of the target."""
    other = other.detach().float()
    return (one.float() - other).abs().mean() / other.abs().mean().clamp(min=1e-4)


def distances(places: Tensor, side: int) -> Tensor:
    """Distance of each pixel from places, (K, N, 2) to (K, N, side, side).

    Places and distances are fractions of the side.
    """
    line = (torch.arange(side, device=places.device) + 0.5) / side
    across = (line - places[..., :1])[..., None, :]
    down = (line - places[..., 1:])[..., :, None]
    return torch.hypot(across.expand(-1, -1, side, -1), down.expand(-1, -1, -1, side))


def mean_in(region: Tensor, values: Tensor) -> Tensor:
    """Weighted mean of (K, C, S, S) by weights >= 0, (S, S) or (K, 1, S, S)."""
    weight = region.expand(len(values), 1, *values.shape[-2:])
    return (values.mean(1, True) * weight).sum() / weight.sum().clamp(min=1e-6)


def edges(images: Tensor) -> Tensor:
    """Differences to the pixel on the right and the one below, (K, 2C, S-1, S-1)."""
    corner = images[..., :-1, :-1]
    return torch.cat([images[..., :-1, 1:] - corner, images[..., 1:, :-1] - corner], 1)


def moved(images: Tensor, nudge: Tensor) -> Tensor:
    """Make the next frame of images, (K, C, S, S), by a motion of :func:`.nudged`."""
    return F.grid_sample(images, nudge, padding_mode='border', align_corners=False)


def overlap_loss(region: Tensor, found: Tensor, wanted: Tensor) -> Tensor:
    """1 minus the Dice coefficient of two maps, (K, 1, S, S), within a region.

    20 pixels are added to both sums, so that empty maps weigh less than others.
    """
    some = 20.0
    both = (found * wanted * region).sum((1, 2, 3))
    either = ((found + wanted) * region).sum((1, 2, 3))
    return (1 - (2 * both + some) / (either + some)).mean()
