"""What keeps modified faces steady along a video."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from mmanon.registry import MODELS

__all__ = ['FlickerLoss']


@MODELS.register_module()
class FlickerLoss(nn.Module):
    """By how much modified faces change more than their originals along a track.

    The mean over pixels of ``max(0, |M(f₂) − M(f₁)| − |f₂ − f₁|)`` for two faces of a
    track that follow each other: a mouth that opens may open, and what stands still in
    the video has to stand still in what is drawn. Crops follow the face, so that a head
    that moves through the frame is not counted as change.

    Args:
        loss_weight (float): Factor of the loss. Defaults to 1.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, modified: Tensor, original: Tensor, pairs: Tensor) -> Tensor:
        """Compute the weighted loss.

        Args:
            modified (Tensor): The faces of clips, modified, (K, 3, S, S) in [-1, 1].
            original (Tensor): The same before.
            pairs (Tensor): (P, 2) int64, places of the earlier and the later face.

        Returns:
            Tensor: A scalar, 0 without pairs.
        """
        if not len(pairs):
            return modified.sum() * 0.0
        before, after = pairs.unbind(1)
        change = (modified[after] - modified[before]).abs()
        allowed = (original[after] - original[before]).abs()
        return self.loss_weight * F.relu(change - allowed).mean()
