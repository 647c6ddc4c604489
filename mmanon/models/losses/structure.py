"""What keeps modified faces looking like faces."""

import torch.nn.functional as F
from torch import Tensor, nn

from mmanon.registry import MODELS


@MODELS.register_module()
class AverageFaceLoss(nn.Module):
    """L1 distance of modified faces from the average of the batch's originals.

    The structure loss of Ren et al. (ECCV 2018), with the average person in the place
    of the face itself: what M keeps is a face, but nobody's. It is k-Same (Newton et
    al., "Preserving Privacy by De-identifying Face Images", TKDE 2005) as an objective,
    with all people of the batch as the k. What the detector needs of a face, its loss
    puts back. Needs face batches of several people, all cut out alike.

    Args:
        loss_weight (float): Factor of the loss. Defaults to 1.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, modified: Tensor, original: Tensor) -> Tensor:
        """Compute the weighted loss.

        Args:
            modified (Tensor): Modified faces, (B, 3, S, S) in [-1, 1].
            original (Tensor): Original faces of several people, (B, 3, S, S) in
                [-1, 1].

        Returns:
            Tensor: A scalar.
        """
        average = original.mean(0, keepdim=True).expand_as(modified)
        return self.loss_weight * F.l1_loss(modified, average)
