"""A restorer without activation functions, stronger than a U-Net of equal size."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmanon.models.layers.blocks import pad_to_multiple
from mmanon.models.modifiers.base import check_sizes
from mmanon.models.pretrained import WholePretrained
from mmanon.registry import MODELS

__all__ = ['NAFNetRestorer']


class _LayerNorm(nn.LayerNorm):
    """Layer norm over the channels of each pixel."""

    def forward(self, features: Tensor) -> Tensor:
        return super().forward(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class _SimpleGate(nn.Module):
    """Multiplies the first half of the channels by the second half."""

    def forward(self, features: Tensor) -> Tensor:
        first, second = features.chunk(2, dim=1)
        return first * second


class _ChannelAttention(nn.Module):
    """The paper's simplified channel attention: X times W pool(X)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, channels, 1)
        )

    def forward(self, features: Tensor) -> Tensor:
        return features * self.weigh(features)


class NAFBlock(nn.Module):
    """Two residual branches, each of a norm, 1x1 convolutions and a gate.

    Args:
        channels (int): C, the channels of the features, (K, C, H, W).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        wide = 2 * channels
        self.spatial = nn.Sequential(
            _LayerNorm(channels, eps=1e-6),
            nn.Conv2d(channels, wide, 1),
            nn.Conv2d(wide, wide, 3, padding=1, groups=wide),
            _SimpleGate(),
            _ChannelAttention(channels),
            nn.Conv2d(channels, channels, 1),
        )
        self.channel = nn.Sequential(
            _LayerNorm(channels, eps=1e-6),
            nn.Conv2d(channels, wide, 1),
            _SimpleGate(),
            nn.Conv2d(channels, channels, 1),
        )
        # A block starts as the identity.
        self.beta = nn.Parameter(torch.zeros(channels, 1, 1))
        self.gamma = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Refine features, (K, C, H, W), without a change of shape."""
        features = features + self.beta * self.spatial(features)
        return features + self.gamma * self.channel(features)


@MODELS.register_module()
class NAFNetRestorer(WholePretrained):
    """A small NAFNet, a U-shaped network whose output is added to the face.

    Chen et al., "Simple Baselines for Image Restoration", ECCV 2022: NAF blocks with
    strided convolutions, pixel shuffles and additive skip connections.

    Args:
        base_channels (int): Channels at full size; each level doubles them. Defaults to
            16.
        encoder_blocks (Sequence[int]): Number of blocks at each encoder level. Defaults
            to (1, 1, 2).
        middle_blocks (int): Number of blocks at the smallest size. Defaults to 2.
        decoder_blocks (Sequence[int]): Number of blocks at each decoder level, for as
            many levels. Defaults to (1, 1, 1).
        init_cfg (dict, optional): ``dict(type='Pretrained', checkpoint=file)`` loads
            all weights or none.

    Raises:
        ValueError: If a number is not a whole number of at least 1, or the numbers of
            levels differ.
    """

    def __init__(
        self,
        base_channels: int = 16,
        encoder_blocks: Sequence[int] = (1, 1, 2),
        middle_blocks: int = 2,
        decoder_blocks: Sequence[int] = (1, 1, 1),
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        check_sizes(base_channels=base_channels, middle_blocks=middle_blocks)
        if len(encoder_blocks) != len(decoder_blocks) or not encoder_blocks:
            raise ValueError(
                'encoder_blocks and decoder_blocks must have the same number of '
                'levels, at least one, got '
                f'{list(encoder_blocks)} and {list(decoder_blocks)}'
            )

        def blocks(count: int, channels: int) -> nn.Sequential:
            check_sizes(blocks=count)
            return nn.Sequential(*(NAFBlock(channels) for _ in range(count)))

        levels = len(encoder_blocks)
        widths = [base_channels * 2**level for level in range(levels + 1)]
        self.multiple = 2**levels
        self.first = nn.Conv2d(3, base_channels, 3, padding=1)
        self.encoders = nn.ModuleList(map(blocks, encoder_blocks, widths))
        self.downs = nn.ModuleList(
            nn.Conv2d(width, 2 * width, 2, stride=2) for width in widths[:-1]
        )
        self.middle = blocks(middle_blocks, widths[-1])
        self.ups = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, 2 * width, 1, bias=False), nn.PixelShuffle(2)
            )
            for width in reversed(widths[1:])
        )
        self.decoders = nn.ModuleList(
            map(blocks, decoder_blocks, reversed(widths[:-1]))
        )
        self.last = nn.Conv2d(base_channels, 3, 3, padding=1)

    def forward(self, faces: Tensor) -> Tensor:
        """Restore faces.

        Args:
            faces (Tensor): (K, 3, S, S) in [-1, 1].

        Returns:
            Tensor: Restored faces of the same shape, clamped to [-1, 1] except in
            training mode.
        """
        side = faces.shape[-1]
        features = self.first(pad_to_multiple(faces, self.multiple))
        skipped = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            features = encoder(features)
            skipped.append(features)
            features = down(features)
        features = self.middle(features)
        for up, decoder in zip(self.ups, self.decoders, strict=True):
            features = decoder(up(features) + skipped.pop())
        restored = faces + self.last(features)[..., :side, :side]
        return restored if self.training else restored.clamp(-1, 1)
