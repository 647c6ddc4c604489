"""A loss against flicker of modified faces."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from mmanon.registry import MODELS

__all__ = ['FlickerLoss']


@MODELS.register_module()
class FlickerLoss(nn.Module):
    """Penalizes modified faces that change more than their originals along a track.

    The loss is the mean over pixels of ``max(0, |M(f₂) − M(f₁)| − |f₂ − f₁|)`` for two
    consecutive faces of a track. Changes of the original, such as a mouth that opens,
    are allowed; pixels that do not change in the video must not change in the modified
    faces. Crops follow the face, so a head that moves through the frame does not count
    as a change.

    Args:
        loss_weight (float): Weight of the loss. Defaults to 1.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, modified: Tensor, original: Tensor, pairs: Tensor) -> Tensor:
        """Compute the weighted loss.

        Args:
            modified (Tensor): Modified faces of clips, (K, 3, S, S) in [-1, 1].
            original (Tensor): The original faces, (K, 3, S, S) in [-1, 1].
            pairs (Tensor): Indices of the earlier and the later face, (P, 2) int64.

        Returns:
            Tensor: A scalar, 0 without pairs.
        """
        if not len(pairs):
            return modified.sum() * 0.0
        before, after = pairs.unbind(1)
        change = (modified[after] - modified[before]).abs()
        allowed = (original[after] - original[before]).abs()
        return self.loss_weight * F.relu(change - allowed).mean()
