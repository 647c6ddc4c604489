"""MobileFaceNet, a small face recognizer."""

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn
from torchvision.models.mobilenetv2 import InvertedResidual
from torchvision.ops import Conv2dNormActivation

from mmanon.registry import MODELS

from .base_backbone import BaseFaceBackbone

# Expansion, channels, number of blocks, and stride of the first block.
_RESIDUALS = (
    (2, 64, 5, 2),
    (4, 128, 1, 2),
    (2, 128, 6, 1),
    (4, 128, 1, 2),
    (2, 128, 2, 1),
)


@MODELS.register_module()
class MobileFaceNet(BaseFaceBackbone):
    """MobileFaceNet, with weights named as in public state dicts.

    Chen et al., "MobileFaceNets: Efficient CNNs for Accurate Real-Time Face
    Verification on Mobile Devices", 2018, with ReLU instead of PReLU. Faces are
    normalized by the mean and standard deviation of ImageNet.

    Args:
        embed_dim (int): E, the size of an embedding. Defaults to 128.
        input_size (Sequence[int]): Height and width of the faces, multiples of 16.
            Defaults to (112, 112).
        init_cfg (dict, optional): See :class:`BaseFaceBackbone`.

    Raises:
        ValueError: If a side of the input size is not a multiple of 16.
    """

    def __init__(
        self,
        embed_dim: int = 128,
        input_size: Sequence[int] = (112, 112),
        init_cfg: dict | None = None,
    ) -> None:
        if any(side % 16 or side < 16 for side in input_size):
            raise ValueError(
                f'input_size of MobileFaceNet must be multiples of 16, got {input_size}'
            )
        super().__init__(
            input_size,
            embed_dim,
            mean=[123.675, 116.28, 103.53],
            std=[58.395, 57.12, 57.375],
            init_cfg=init_cfg,
        )
        self.conv1 = Conv2dNormActivation(3, 64, 3, 2, activation_layer=nn.ReLU6)
        self.dw_conv = _named(
            depthwise=nn.Conv2d(64, 64, 3, padding=1, groups=64, bias=False),
            bn1=nn.BatchNorm2d(64),
            relu1=nn.ReLU(),
            pointwise=nn.Conv2d(64, 64, 1, bias=False),
            bn2=nn.BatchNorm2d(64),
            relu2=nn.ReLU(),
        )
        residuals = []
        before = 64
        for expansion, channels, repeats, first_stride in _RESIDUALS:
            for repeat in range(repeats):
                stride = 1 if repeat else first_stride
                residuals.append(InvertedResidual(before, channels, stride, expansion))
                before = channels
        self.features = nn.Sequential(*residuals)
        self.conv2 = Conv2dNormActivation(before, 512, 1, activation_layer=nn.ReLU6)
        # The kernel covers the whole feature map: a weight per position, no pooling.
        height, width = self.input_size
        left = height // 16, width // 16
        self.gdconv = _named(
            depthwise=nn.Conv2d(512, 512, left, groups=512, bias=False),
            bn=nn.BatchNorm2d(512),
        )
        self.conv3 = nn.Conv2d(512, embed_dim, 1)
        self.bn = nn.BatchNorm1d(embed_dim)

    def extract(self, faces: Tensor) -> Tensor:
        """Embed normalized faces."""
        features = self.features(self.dw_conv(self.conv1(faces)))
        places = self.gdconv(self.conv2(features))
        return self.bn(self.conv3(places).flatten(1))


def _named(**layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(layers))
