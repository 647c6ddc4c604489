"""Losses that keep modified faces similar to faces."""

from pathlib import Path

import torch.nn.functional as F
from torch import Tensor, nn

from mmanon.models.layers.lpips_network import build_lpips
from mmanon.registry import MODELS


@MODELS.register_module()
class AverageFaceLoss(nn.Module):
    """L1 distance of modified faces from the average of the batch's originals.

    This is the structure loss of Ren et al. (ECCV 2018) with the average face in
    addition to the face itself: ``|M(f) - average| + own_weight * |M(f) - f|``. M draws
    a face, but of no real person: k-Same (Newton et al., "Preserving Privacy by
    De-identifying Face Images", TKDE 2005) as an objective, where k is the number of
    faces in the batch. It needs face batches of several people with the same alignment.

    With an ``own_weight`` near 1, all values between the face and the average cost
    about the same at each pixel. The adversarial loss moves M towards the average where
    pixels identify the person, and the detector's loss moves it back where they show
    the action. Texture outside this range is expensive.

    Args:
        own_weight (float): Weight of the distance from the face itself, relative to the
            distance from the average, in [0, 1]. Defaults to 0.
        loss_weight (float): Weight of the loss. Defaults to 1.

    Raises:
        ValueError: If ``own_weight`` is not in [0, 1].
    """

    def __init__(self, own_weight: float = 0.0, loss_weight: float = 1.0) -> None:
        super().__init__()
        if not 0 <= own_weight <= 1:
            raise ValueError(f'own_weight must be in [0, 1], got {own_weight}')
        self.own_weight = own_weight
        self.loss_weight = loss_weight

    def forward(self, modified: Tensor, original: Tensor) -> Tensor:
        """Compute the weighted loss.

        Args:
            modified (Tensor): Modified faces, (B, 3, S, S) in [-1, 1].
            original (Tensor): Original faces of several people, (B, 3, S, S) in
                [-1, 1].

        Returns:
            Tensor: A scalar.

        Raises:
            ValueError: If there are fewer than two faces: the average of one face is
                the face itself, and M would learn to keep it.
        """
        if len(original) < 2:
            raise ValueError(
                f'AverageFaceLoss needs at least 2 faces in a batch, got '
                f'{len(original)}: give `faces` a larger `batch_size`'
            )
        average = original.mean(0, keepdim=True).expand_as(modified)
        loss = F.l1_loss(modified, average)
        if self.own_weight:
            loss = loss + self.own_weight * F.l1_loss(modified, original)
        return self.loss_weight * loss


@MODELS.register_module()
class PerceptualLoss(nn.Module):
    """LPIPS between modified faces and their originals.

    A distance of deep features, computed by the package ``lpips`` (``pip install
    lpips``). It allows colours and positions to change, but keeps the appearance. Faces
    that look alike may also be recognized: use a small weight, and measure privacy.

    The network does not learn, and checkpoints do not contain it.

    Args:
        weights (str or Path): State dict of torchvision's AlexNet, VGG-16 or
            SqueezeNet 1.1; nothing is downloaded.
        net (str): The network of these weights: ``'alex'``, ``'vgg'`` or ``'squeeze'``.
            Defaults to ``'alex'``.
        loss_weight (float): Weight of the loss. Defaults to 1.

    Raises:
        ImportError, FileNotFoundError, ValueError: As in :func:`build_lpips`.
    """

    def __init__(
        self, weights: str | Path, net: str = 'alex', loss_weight: float = 1.0
    ) -> None:
        super().__init__()
        # In a tuple: as a submodule it would be saved with the game's weights.
        self._network = (build_lpips(weights, net),)
        self.loss_weight = loss_weight

    def forward(self, modified: Tensor, original: Tensor) -> Tensor:
        """Compute the weighted loss.

        Args:
            modified (Tensor): Modified faces, (B, 3, S, S) in [-1, 1].
            original (Tensor): The original faces, (B, 3, S, S) in [-1, 1].

        Returns:
            Tensor: A scalar.
        """
        (network,) = self._network
        distance = network.to(modified.device)(modified.float(), original.float())
        return self.loss_weight * distance.mean()
