"""The paper's modifier: an image transformation network of residual blocks."""

from torch import Tensor, nn

from mmanon.models.layers.blocks import ConvBlock, FaceOutput, UpConv, pad_to_multiple
from mmanon.registry import MODELS

from .base import LearnedModifier, check_sizes


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with instance norm and a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            ConvBlock(channels, channels), ConvBlock(channels, channels, act_cfg=None)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Refine features, (K, C, H, W)."""
        return features + self.body(features)


@MODELS.register_module()
class ResNetModifier(LearnedModifier):
    """The generator of Johnson et al. (ECCV 2016), as Ren et al. (ECCV 2018) use it.

    A 7x7 convolution, two convolutions of stride 2, residual blocks, two
    up-convolutions, a 7x7 convolution and tanh, with instance norm and reflection
    padding.

    The identity is a good start, because a detector's weights fit original videos. But
    the output then contains the original face unless the network cancels it. The
    paper's network has no such path: use ``start='scratch'`` and some steps of
    reconstruction before the game. It then has to draw everything; with
    ``start='blend'`` it can keep pixels that identify nobody.

    Args:
        base_channels (int): Channels of the first convolution. Defaults to 64.
        num_blocks (int): Residual blocks. Defaults to 9.
        num_downs (int): How often the side is halved and the channels are doubled.
            Defaults to 2.
        outer_kernel (int): Kernel size of the first and the last convolution, odd.
            With few channels these two cost more than all blocks: 3 makes a small
            network a quarter faster on a CPU. Defaults to 7.
        start (str): ``'identity'`` adds the network's output, 0 at first, to the face
            before tanh; ``'scratch'`` is the paper's network; ``'blend'`` draws
            colours and, for each pixel, their opacity over the face. Defaults to
            ``'identity'``.
        init_cfg (dict, optional): Initialization, as of mmengine's ``BaseModule``.

    Raises:
        ValueError: When an argument is outside its range.

    Examples:
        >>> modifier = ResNetModifier(base_channels=8, num_blocks=1)
        >>> modifier(torch.zeros(2, 3, 64, 64)).shape
        torch.Size([2, 3, 64, 64])
    """

    def __init__(
        self,
        base_channels: int = 64,
        num_blocks: int = 9,
        num_downs: int = 2,
        outer_kernel: int = 7,
        start: str = 'identity',
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        check_sizes(
            base_channels=base_channels,
            num_blocks=num_blocks,
            num_downs=num_downs,
            outer_kernel=outer_kernel,
        )
        if outer_kernel % 2 == 0:
            raise ValueError(f'outer_kernel must be odd, got {outer_kernel}')
        self.multiple = 2**num_downs
        widths = [base_channels * 2**level for level in range(num_downs + 1)]
        steps = list(zip(widths[:-1], widths[1:], strict=True))
        self.body = nn.Sequential(
            ConvBlock(3, base_channels, kernel_size=outer_kernel),
            *(ConvBlock(wide, narrow, stride=2) for wide, narrow in steps),
            *(ResidualBlock(widths[-1]) for _ in range(num_blocks)),
            *(UpConv(narrow, wide) for wide, narrow in reversed(steps)),
        )
        self.output = FaceOutput(base_channels, kernel_size=outer_kernel, start=start)

    def modify(self, faces: Tensor) -> Tensor:
        """Redraw at least one face; shapes as in :meth:`forward`."""
        return self.output(self.body(pad_to_multiple(faces, self.multiple)), faces)
