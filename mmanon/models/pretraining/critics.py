"""Critics of drawn heads in pretraining: realism and landmarks."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

__all__ = ['LandmarkNet', 'RealismCritic', 'aligned', 'recognize']


class RealismCritic(nn.Module):
    """Separates real crops from drawn ones, as a whole and patch by patch.

    It uses spectral normalization (Miyato et al., ICLR 2018).

    Args:
        size (int): Side of the crops: 4 times a power of 2.
        base (int): Channels of the first layer, at half the side.
    """

    def __init__(self, size: int, base: int = 48) -> None:
        super().__init__()
        steps = int(math.log2(size / 4))
        widths = [3, *(base * min(2**step, 6) for step in range(steps))]
        self.body = nn.ModuleList(
            nn.Sequential(
                spectral_norm(nn.Conv2d(before, after, 4, 2, 1)), nn.LeakyReLU(0.2)
            )
            for before, after in zip(widths[:-1], widths[1:], strict=True)
        )
        self.patches = spectral_norm(nn.Conv2d(widths[-3], 1, 3, padding=1))
        self.whole = spectral_norm(nn.Linear(widths[-1] * 16, 1))

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Judge crops, (K, 3, size, size), in [-1, 1].

        Returns:
            tuple[Tensor, Tensor, list[Tensor]]: Scores of the crops, (K, 1), scores of
            their patches, (K, 1, H, W), and the features of each layer. High scores
            mean real.
        """
        features = []
        for layer in self.body:
            crops = layer(crops)
            features.append(crops)
        return (
            self.whole(crops.flatten(1)),
            self.patches(features[-3]),
            features,
        )


class LandmarkNet(nn.Module):
    """Finds five landmarks in crops, as fractions of the side."""

    def __init__(self, base: int = 24) -> None:
        super().__init__()
        widths = [3, base, 2 * base, 4 * base, 4 * base]
        self.body = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv2d(before, after, 4, 2, 1),
                    nn.GroupNorm(8, after),
                    nn.LeakyReLU(0.2),
                )
                for before, after in zip(widths[:-1], widths[1:], strict=True)
            )
        )
        self.out = nn.Linear(widths[-1] * 16, 10)

    def forward(self, crops: Tensor) -> Tensor:
        """Map crops, (K, 3, S, S), to landmarks, (K, 5, 2)."""
        shown = F.interpolate(crops, size=64, mode='bilinear', antialias=True)
        found = self.out(self.body(shown).flatten(1)).float()
        return found.view(-1, 5, 2) * 0.1 + 0.5


def aligned(crops: Tensor, landmarks: Tensor, template: Tensor, side: int) -> Tensor:
    """Rotate, scale and shift crops so that their landmarks match a template.

    Args:
        crops (Tensor): (K, 3, S, S).
        landmarks (Tensor): (K, 5, 2) as fractions of the side.
        template (Tensor): (5, 2) as fractions of the new side.
        side (int): The new side S' in pixels.

    Returns:
        Tensor: (K, 3, S', S').
    """
    source, goal = landmarks.float() * 2 - 1, template.to(landmarks).float() * 2 - 1
    middle, centre = source.mean(1, True), goal.mean(0)
    away, wanted = source - middle, goal - centre
    # The least-squares similarity transform from the template to the crop.
    norm = wanted.square().sum()
    a = (away * wanted).sum((1, 2)) / norm
    b = (away[..., 1] * wanted[:, 0] - away[..., 0] * wanted[:, 1]).sum(1) / norm
    turn = torch.stack([torch.stack([a, -b], 1), torch.stack([b, a], 1)], 1)
    start = middle[:, 0] - torch.einsum('kij,j->ki', turn, centre)
    theta = torch.cat([turn, start[:, :, None]], 2)
    grid = F.affine_grid(theta, [len(crops), 3, side, side], align_corners=False)
    return F.grid_sample(
        crops.float(), grid, padding_mode='border', align_corners=False
    )


def recognize(
    recognizer: nn.Module, crops: Tensor, landmarks: Tensor, template: Tensor
) -> tuple[Tensor, list[Tensor]]:
    """Embed aligned faces, and tell what a recognizer sees on the way.

    Args:
        recognizer (nn.Module): A face backbone for faces of 112 pixels.
        crops (Tensor): (K, 3, S, S) in [-1, 1].
        landmarks (Tensor): (K, 5, 2) as fractions of the side.
        template (Tensor): See :func:`aligned`.

    Returns:
        tuple[Tensor, list[Tensor]]: Embeddings of length 1, (K, N); and features of
        three convolutions, near a sixth, a third and a half of the depth: edges, parts
        of a face, and a face.
    """
    with torch.autocast(crops.device.type, enabled=False):
        faces = aligned(crops, landmarks, template, 112)
    convs = [m for m in recognizer.modules() if isinstance(m, nn.Conv2d)]
    seen: list[Tensor] = []
    hooks = [
        convs[len(convs) * part // 12].register_forward_hook(
            lambda _, __, out: seen.append(out)
        )
        for part in (2, 4, 6)
    ]
    try:
        names = recognizer(faces.to(memory_format=torch.channels_last))
    finally:
        for hook in hooks:
            hook.remove()
    return F.normalize(names.float()), seen
