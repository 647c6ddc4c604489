"""A U-Net that redraws faces at several scales."""

import torch
from torch import Tensor, nn

from mmanon.models.layers.blocks import ConvBlock, FaceOutput, UpConv, pad_to_multiple
from mmanon.registry import MODELS

from .base import LearnedModifier, check_sizes


@MODELS.register_module()
class UNetModifier(LearnedModifier):
    """A U-Net (Ronneberger et al., MICCAI 2015) that maps faces to faces.

    Its receptive field is larger than that of :class:`ResNetModifier`, at a lower cost,
    because it computes mostly at small sizes. Its skip connections pass details of the
    face on even with ``start='scratch'``.

    Args:
        base_channels (int): Channels at full size; each halving of the side doubles
            them. Defaults to 32.
        depth (int): How often the side is halved. Defaults to 4.
        norm_cfg (dict, optional): Norm layer, as of mmcv. Defaults to affine instance
            norm.
        start (str): ``'identity'`` adds the network's output, 0 at first, to the face
            before tanh; ``'scratch'`` does not; ``'blend'`` draws colours and, for
            each pixel, their opacity over the face. Defaults to ``'identity'``.
        init_cfg (dict, optional): Initialization, as of mmengine's ``BaseModule``.

    Raises:
        ValueError: When an argument is outside its range.
    """

    def __init__(
        self,
        base_channels: int = 32,
        depth: int = 4,
        norm_cfg: dict | None = None,
        start: str = 'identity',
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        check_sizes(base_channels=base_channels, depth=depth)
        self.multiple = 2**depth
        widths = [base_channels * 2**level for level in range(depth + 1)]
        steps = list(zip(widths[:-1], widths[1:], strict=True))

        def block(in_channels: int, out_channels: int, stride: int = 1) -> ConvBlock:
            return ConvBlock(
                in_channels, out_channels, norm_cfg=norm_cfg, stride=stride
            )

        self.first = nn.Sequential(
            block(3, base_channels), block(base_channels, base_channels)
        )
        self.downs = nn.ModuleList(
            nn.Sequential(block(above, below, stride=2), block(below, below))
            for above, below in steps
        )
        self.ups = nn.ModuleList(
            UpConv(below, above, norm_cfg) for above, below in reversed(steps)
        )
        self.merges = nn.ModuleList(
            block(above * 2, above) for above, _ in reversed(steps)
        )
        self.output = FaceOutput(base_channels, kernel_size=1, start=start)

    def modify(self, faces: Tensor) -> Tensor:
        """Redraw at least one face; shapes as in :meth:`forward`."""
        levels = [self.first(pad_to_multiple(faces, self.multiple))]
        for down in self.downs:
            levels.append(down(levels[-1]))
        features = levels.pop()
        for up, merge in zip(self.ups, self.merges, strict=True):
            features = merge(torch.cat([levels.pop(), up(features)], dim=1))
        return self.output(features, faces)
