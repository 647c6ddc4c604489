"""How much of each pixel a modifier draws over."""

import torch
from torch import Tensor, nn

from mmanon.models.layers.blocks import (
    ConvBlock,
    ReflectConv,
    UpConv,
    pad_to_multiple,
)

__all__ = ['ShareMap']


class ShareMap(nn.Module):
    """A small U-Net that predicts how much of each pixel is covered."""

    def __init__(self, base: int, depth: int = 3) -> None:
        super().__init__()
        self.multiple = 2**depth
        widths = [base * 2**level for level in range(depth + 1)]
        steps = list(zip(widths[:-1], widths[1:], strict=True))
        self.first = ConvBlock(3, base)
        self.downs = nn.ModuleList(
            ConvBlock(above, below, stride=2) for above, below in steps
        )
        self.ups = nn.ModuleList(UpConv(below, above) for above, below in steps[::-1])
        self.merges = nn.ModuleList(
            ConvBlock(2 * above, above) for above, _ in steps[::-1]
        )
        self.last = ReflectConv(base, 1, 3)
        # Mostly drawn: from a share near 0 there would be little slope to leave by.
        nn.init.ones_(self.last.get_parameter('bias'))

    def forward(self, faces: Tensor) -> Tensor:
        """(K, 3, S, S) in [-1, 1] to (K, 1, S, S) in [0, 1]."""
        side = faces.shape[-1]
        levels = [self.first(pad_to_multiple(faces, self.multiple))]
        for down in self.downs:
            levels.append(down(levels[-1]))
        features = levels.pop()
        for up, merge in zip(self.ups, self.merges, strict=True):
            features = merge(torch.cat([levels.pop(), up(features)], 1))
        return self.last(features)[..., :side, :side].float().sigmoid()
