"""The recognizer of SphereFace."""

from collections.abc import Sequence

from mmengine.model import xavier_init
from torch import Tensor, nn

from mmanon.registry import MODELS

from .base_backbone import BaseFaceBackbone

# Residual units of the four stages; each stage begins with a strided convolution
# (Liu et al., CVPR 2017, table 2).
_UNITS = {
    4: (0, 0, 0, 0),
    10: (0, 1, 2, 0),
    20: (1, 2, 4, 1),
    36: (2, 4, 8, 2),
    64: (3, 8, 16, 3),
}


@MODELS.register_module()
class SphereFaceNet(BaseFaceBackbone):
    """The residual network of SphereFace: no batch norm, PReLU, one linear layer.

    Liu et al., "SphereFace: Deep Hypersphere Embedding for Face Recognition", CVPR
    2017.

    Args:
        depth (int): Number of convolutions: 4, 10, 20, 36 or 64. Defaults to 20.
        base_channels (int): Channels of the first of four stages; each further stage
            has twice as many. Defaults to 64.
        embed_dim (int): E, the size of an embedding. Defaults to 512.
        input_size (Sequence[int]): Height and width of the faces. Defaults to
            (112, 96).
        init_cfg (dict, optional): See :class:`BaseFaceBackbone`.

    Raises:
        ValueError: If the depth is none of these.
    """

    def __init__(
        self,
        depth: int = 20,
        base_channels: int = 64,
        embed_dim: int = 512,
        input_size: Sequence[int] = (112, 96),
        init_cfg: dict | None = None,
    ) -> None:
        if depth not in _UNITS:
            raise ValueError(f'depth must be one of {sorted(_UNITS)}, got {depth}')
        super().__init__(
            input_size, embed_dim, mean=[127.5] * 3, std=[128.0] * 3, init_cfg=init_cfg
        )
        stages: list[nn.Module] = []
        height, width = self.input_size
        before = 3
        for stage, units in enumerate(_UNITS[depth]):
            channels = base_channels * 2**stage
            down = nn.Conv2d(before, channels, 3, 2, 1)
            xavier_init(down, distribution='uniform')
            stages += [down, nn.PReLU(channels)]
            stages += [_ResidualUnit(channels) for _ in range(units)]
            height, width, before = (height + 1) // 2, (width + 1) // 2, channels
        self.stages = nn.Sequential(*stages)
        self.embedding = nn.Linear(before * height * width, embed_dim)
        nn.init.xavier_uniform_(self.embedding.weight)
        nn.init.zeros_(self.embedding.bias)

    def extract(self, faces: Tensor) -> Tensor:
        """Embed normalized faces."""
        return self.embedding(self.stages(faces).flatten(1))


class _ResidualUnit(nn.Sequential):
    def __init__(self, channels: int) -> None:
        layers = []
        for _ in range(2):
            conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
            # A unit starts near the identity: deep networks without batch norm need it.
            nn.init.normal_(conv.weight, std=0.01)
            layers += [conv, nn.PReLU(channels)]
        super().__init__(*layers)

    def forward(self, features: Tensor) -> Tensor:
        return features + super().forward(features)
