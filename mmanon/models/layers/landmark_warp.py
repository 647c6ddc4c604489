"""Images warped so that their landmarks come to lie where they are wanted."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ['warp_by_landmarks']

# How far a landmark moves the pixels around it, in parts of the side, and the weight of
# leaving pixels as the affine map has them.
_REACH, _STIFFNESS = 0.07, 0.25
# Keeps the affine map sound where landmarks lie on a line, as in profile.
_RIDGE = 1e-3


def warp_by_landmarks(images: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """Warp images by five landmarks.

    The affine map of least squares moves all pixels. Near a landmark the rest of its
    way is added, so that it arrives.

    Args:
        images (Tensor): (K, C, S, S). Pixels from outside are 0.
        source (Tensor): Landmarks of the images, (K, N, 2) in parts of the side.
        target (Tensor): Where they are wanted, likewise.

    Returns:
        Tensor: (K, C, S, S).
    """
    source, target = source.float(), target.float()
    side = images.shape[-1]
    from_middle, to_middle = source.mean(1, True), target.mean(1, True)
    away, wanted = source - from_middle, target - to_middle
    # From places in the result to places in the image: away ≈ wanted @ turn.
    squares = wanted.transpose(1, 2) @ wanted
    a = squares[:, 0, 0] + _RIDGE
    d = squares[:, 1, 1] + _RIDGE
    b = squares[:, 0, 1]
    inverse = (
        torch.stack([torch.stack([d, -b], 1), torch.stack([-b, a], 1)], 1)
        / (a * d - b * b)[:, None, None]
    )
    turn = inverse @ (wanted.transpose(1, 2) @ away)
    rest = away - wanted @ turn
    line = (torch.arange(side, device=images.device) + 0.5) / side
    places = torch.stack(torch.meshgrid(line, line, indexing='xy'), -1).view(1, -1, 2)
    near = places[:, :, None] - target[:, None]
    near = (-near.square().sum(-1) / (2 * _REACH**2)).exp()
    near = near / (near.sum(-1, True) + _STIFFNESS)
    grid = (places - to_middle) @ turn + from_middle + near @ rest
    return F.grid_sample(
        images.float(), grid.view(-1, side, side, 2) * 2 - 1, align_corners=False
    )
