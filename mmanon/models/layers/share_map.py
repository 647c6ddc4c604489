"""The network that predicts the opacity of a drawn face."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmanon.models.layers.blocks import (
    ConvBlock,
    ReflectConv,
    UpConv,
    pad_to_multiple,
)

__all__ = ['ShareMap']


class ShareMap(nn.Module):
    """A small U-Net that predicts the opacity of the drawn face at each pixel.

    Args:
        base (int): Channels of the first level; each further level has twice as many.
        depth (int): Levels after the first, each of half the side. Defaults to 3.
        block (int): Side of the blocks of pixels that become one position of the
            network. With 2, the receptive field is twice as wide at the same cost.
            Defaults to 1.
        norm_cfg (dict, optional): Norm layer of the convolutions, as of mmcv. Defaults
            to affine instance norm.
    """

    def __init__(
        self, base: int, depth: int = 3, block: int = 1, norm_cfg: dict | None = None
    ) -> None:
        super().__init__()
        self.block, self.multiple = block, block * 2**depth
        widths = [base * 2**level for level in range(depth + 1)]
        steps = list(zip(widths[:-1], widths[1:], strict=True))
        self.first = ConvBlock(3 * block**2, base, norm_cfg=norm_cfg)
        self.downs = nn.ModuleList(
            ConvBlock(above, below, stride=2, norm_cfg=norm_cfg)
            for above, below in steps
        )
        self.ups = nn.ModuleList(
            UpConv(below, above, norm_cfg=norm_cfg) for above, below in steps[::-1]
        )
        self.merges = nn.ModuleList(
            ConvBlock(2 * above, above, norm_cfg=norm_cfg) for above, _ in steps[::-1]
        )
        self.last = ReflectConv(base, block**2, 3)
        # A large share at first: near 0 the gradient of the sigmoid would be small.
        nn.init.ones_(self.last.get_parameter('bias'))

    def forward(self, faces: Tensor) -> Tensor:
        """Map faces, (K, 3, S, S) in [-1, 1], to opacities, (K, 1, S, S) in [0, 1]."""
        side = faces.shape[-1]
        padded = pad_to_multiple(faces, self.multiple)
        levels = [self.first(F.pixel_unshuffle(padded, self.block))]
        for down in self.downs:
            levels.append(down(levels[-1]))
        features = levels.pop()
        for up, merge in zip(self.ups, self.merges, strict=True):
            features = merge(torch.cat([levels.pop(), up(features)], 1))
        answers = F.pixel_shuffle(self.last(features), self.block)
        return answers[..., :side, :side].float().sigmoid()
