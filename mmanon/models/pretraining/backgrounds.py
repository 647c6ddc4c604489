"""Other backgrounds behind portraits, and heads without what is below them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ['only_head', 'random_backgrounds']


def random_backgrounds(count: int, side: int, device: torch.device) -> Tensor:
    """Draw backgrounds of clouds and patches at several scales.

    Portraits have plain walls; videos have anything.

    Returns:
        Tensor: (count, 3, side, side) in [-1, 1].
    """

    def number(*shape: int) -> Tensor:
        return torch.rand(count, *shape, device=device) * 2 - 1

    each = (1, 1, 1)
    shown = 0.7 * number(3, 1, 1).expand(-1, -1, side, side)
    for cells in (2, 4, 8, 16, 32, 64):
        clouds = F.interpolate(
            number(3, cells, cells),
            size=side,
            mode='bicubic' if cells < 32 else 'bilinear',
            align_corners=False,
        )
        # A flat patch where the first channel is positive.
        patches = (clouds[:, :1] > 0).float() * number(3, 1, 1)
        layer = torch.where(number(*each) < -0.4, patches, clouds)
        weight = ((number(*each) + 1) / 2) ** 2 * (4 / cells) ** 0.3
        shown = shown + 0.6 * weight * layer
    return shown.clamp(-1, 1)


def only_head(opacity: Tensor, landmarks: Tensor) -> Tensor:
    """Fade out what is below the chin, so that a head comes without its clothes.

    Args:
        opacity (Tensor): (K, 1, S, S) in [0, 1].
        landmarks (Tensor): (K, 5, 2) as fractions of the side.
    """
    side = opacity.shape[-1]
    mouth = landmarks[:, 3:].mean(1)
    down = mouth - landmarks[:, :2].mean(1)
    line = (torch.arange(side, device=opacity.device) + 0.5) / side
    places = torch.stack(torch.meshgrid(line, line, indexing='xy'), -1)
    away = places[None] - mouth[:, None, None]
    # In parts of the way from the eyes to the mouth: the chin is at about 0.9.
    below = (away * down[:, None, None]).sum(-1) / down.square().sum(1)[:, None, None]
    return opacity * ((1.4 - below) / 0.35).clamp(0, 1)[:, None]
