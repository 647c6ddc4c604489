"""Shared by the learned modifiers: blocks, padding, and how they start."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from torch import Tensor, nn


class ConvBlock(ConvModule):
    """Reflection padding, convolution, norm and ReLU: mmcv's, with our defaults."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        norm_cfg: dict | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            padding=kernel_size // 2,
            padding_mode='reflect',
            norm_cfg=norm_cfg or dict(type='IN', affine=True),
            **kwargs,
        )
        self.padding_layer = _ReflectionPad(kernel_size // 2)


class ReflectConv(nn.Conv2d):
    """A convolution with reflection padding of half its kernel."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            padding=kernel_size // 2,
            padding_mode='reflect',
        )

    def _conv_forward(
        self, input: Tensor, weight: Tensor, bias: Tensor | None
    ) -> Tensor:
        padded = reflected(input, self._reversed_padding_repeated_twice)
        return F.conv2d(padded, weight, bias)


class _ReflectionPad(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, features: Tensor) -> Tensor:
        return reflected(features, [self.width] * 4)


def reflected(features: Tensor, padding: Sequence[int]) -> Tensor:
    """Reflect images beyond their edges.

    Args:
        features (Tensor): (K, C, H, W).
        padding (Sequence[int]): Pixels beyond the left, right, upper and lower edge,
            each fewer than there are.

    Returns:
        Tensor: The larger images. Where PyTorch is asked for deterministic algorithms
        they are put together of slices: on a GPU its own padding has no backward pass
        in a fixed order.
    """
    if not torch.are_deterministic_algorithms_enabled():
        return F.pad(features, tuple(padding), mode='reflect')
    left, right, up, down = padding
    for dim, before, after in ((-1, left, right), (-2, up, down)):
        side = features.shape[dim]
        parts = [
            features.narrow(dim, 1, before).flip(dim),
            features,
            features.narrow(dim, side - 1 - after, after).flip(dim),
        ]
        features = torch.cat(parts, dim)
    return features


class UpConv(nn.Sequential):
    """Up-sampling by 2 and a convolution.

    A transposed convolution of kernel 3 and stride 2 writes on neighbouring pixels
    unequally often, and what it leaves is a checkerboard, which a detector and a
    discriminator both learn to see (Odena et al., Distill 2016).
    """

    def __init__(
        self, in_channels: int, out_channels: int, norm_cfg: dict | None = None
    ) -> None:
        super().__init__(
            nn.Upsample(scale_factor=2, mode='nearest'),
            ConvBlock(in_channels, out_channels, norm_cfg=norm_cfg),
        )


STARTS = ('identity', 'scratch', 'blend')


class FaceOutput(nn.Module):
    """Turns features into faces by a last convolution and tanh.

    Started as the identity it returns ``tanh(atanh(f) + change)``, with a change of 0
    at first: faces differ by at most 0.01. The change is unbounded, so every colour can
    be reached, even black from white, although slowly: near 1 the slope of tanh is a
    fiftieth of the slope at 0.

    When blending it returns ``f + share * (tanh(change) - f)``. The network draws the
    share, in [0, 1] for each pixel, in addition to the colours: the attention mask of
    Pumarola et al., "GANimation" (ECCV 2018). Where the share is 0, the original pixel
    stays; where it is 1, nothing of the face is left.

    Args:
        channels (int): Channels of the features.
        kernel_size (int): Side of the convolution's kernel.
        start (str): ``'identity'``; ``'scratch'`` for ``tanh(change)``, which sees the
            face through the features alone; or ``'blend'``, whose share is 0.73 at
            first. The choice travels with the weights, as the buffer ``start_index``:
            what has learned without the path past the network lets the face through
            along it.
    """

    def __init__(self, channels: int, kernel_size: int, start: str) -> None:
        super().__init__()
        if start not in STARTS:
            raise ValueError(f'start must be one of {STARTS}, got {start!r}')
        self.start = start
        self.conv = ReflectConv(channels, 4 if start == 'blend' else 3, kernel_size)
        if start == 'identity':
            for weights in self.conv.parameters():
                nn.init.zeros_(weights)
        elif start == 'blend':
            # Mostly drawn: from a share near 0 there would be little slope to leave by.
            nn.init.ones_(self.conv.get_parameter('bias')[3:])
        self.register_buffer('start_index', torch.tensor(STARTS.index(start)))

    def forward(self, features: Tensor, faces: Tensor) -> Tensor:
        """Draw faces.

        Args:
            features (Tensor): (K, C, S', S') of the padded faces, S' >= S.
            faces (Tensor): (K, 3, S, S) in [-1, 1].

        Returns:
            Tensor: (K, 3, S, S) in [-1, 1], of the type of ``faces``.
        """
        side = faces.shape[-1]
        # Half precision would move a colour near black or white by a grey level.
        change = self.conv(features)[..., :side, :side].float()
        if self.start == 'blend':
            colours, share = change[:, :3].tanh(), change[:, 3:].sigmoid()
            return torch.lerp(faces.float(), colours, share).to(faces.dtype)
        if self.start == 'identity':
            # Where |f| is 1 atanh is infinite and tanh has no slope to learn by.
            change = change + torch.atanh(faces.float().clamp(-0.99, 0.99))
        return change.tanh().to(faces.dtype)

    def _load_from_state_dict(
        self, state_dict: Mapping[str, Tensor], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        """Load weights of the same start.

        Raises:
            ValueError: When they belong to the other start. The identity rejects
                weights that do not name their start; ``'scratch'`` accepts them,
                because its output does not contain the original face.
        """
        index = state_dict.get(f'{prefix}start_index')
        if index is not None:
            theirs = STARTS[int(index)]
        elif f'{prefix}conv.weight' in state_dict and self.start == 'identity':
            theirs = None
        else:
            theirs = self.start
        if theirs != self.start:
            said = f'start={theirs!r}' if theirs else 'a start that they do not name'
            raise ValueError(
                f'the weights of {prefix.rstrip(".") or "the output"} are of {said}, '
                f'but the modifier has start={self.start!r}, with which they would not '
                'draw what they have learned to and could let faces through; give the '
                'modifier the start that it was trained with'
            )
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def averaged(images: Tensor, size: int) -> Tensor:
    """Shrink images to squares by averaging, as adaptive average pooling does.

    Args:
        images (Tensor): (K, C, H, W).
        size (int): S', the side of what is left.

    Returns:
        Tensor: (K, C, S', S'). Where PyTorch is asked for deterministic algorithms, by
        matrix products: on a GPU its pooling has no backward pass in a fixed order.
    """
    if not torch.are_deterministic_algorithms_enabled():
        return F.adaptive_avg_pool2d(images, size)
    rows, columns = (
        _cell_weights(length, size).to(images, non_blocking=True)
        for length in images.shape[-2:]
    )
    return rows @ images @ columns.T


def _cell_weights(length: int, size: int) -> Tensor:
    """Weights (size, length) of a row's pixels in the cells that it is parted into."""
    cell, pixel = torch.arange(size)[:, None], torch.arange(length)
    first = cell * length // size
    behind = -(-(cell + 1) * length // size)
    inside = ((pixel >= first) & (pixel < behind)).double()
    return inside / inside.sum(1, keepdim=True)


def pad_to_multiple(faces: Tensor, multiple: int) -> Tensor:
    """Reflect beyond the right and the lower edge until the side is a multiple.

    It becomes at least twice the multiple, so that two pixels a side are left where the
    network is narrowest: one alone has neither neighbours nor instance statistics.

    Args:
        faces (Tensor): (K, 3, S, S).
        multiple (int): What the side has to be a multiple of.

    Returns:
        Tensor: (K, 3, S', S'), with the faces in the upper left corner.
    """
    wanted = max(2, -(-faces.shape[-1] // multiple)) * multiple
    while (side := faces.shape[-1]) < wanted:
        # Reflection cannot reach beyond the far edge; a single pixel is repeated.
        more = min(wanted - side, max(side - 1, 1))
        if side > 1:
            faces = reflected(faces, (0, more, 0, more))
        else:
            faces = faces.expand(*faces.shape[:2], 2, 2)
    return faces
