"""Building blocks, padding and output layer of the learned modifiers."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from torch import Tensor, nn


class ConvBlock(ConvModule):
    """mmcv's ``ConvModule`` with reflection padding, instance norm and ReLU."""

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
    """Pad images by reflection.

    With deterministic algorithms the result is built of slices, because PyTorch's own
    padding has no deterministic backward pass on a GPU.

    Args:
        features (Tensor): (K, C, H, W).
        padding (Sequence[int]): Pixels to add on the left, right, top and bottom, each
            less than the width or height of the images.

    Returns:
        Tensor: The padded images.
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

    A transposed convolution of kernel 3 and stride 2 adds to neighbouring pixels
    unequally often. The result is a checkerboard pattern, which both a detector and a
    discriminator learn to see (Odena et al., Distill 2016).
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

    With ``'identity'`` it returns ``tanh(atanh(f) + change)``. The change is 0 at
    first, so that output and face differ by at most 0.01. The change is unbounded, so
    every colour can be reached, even black from white, although slowly: near 1 the
    slope of tanh is a fiftieth of the slope at 0.

    With ``'blend'`` it returns ``f + share * (tanh(change) - f)``. The network draws
    the share, in [0, 1] for each pixel, in addition to the colours: the attention mask
    of Pumarola et al., "GANimation" (ECCV 2018). Where the share is 0, the original
    pixel stays; where it is 1, nothing of the face is left.

    Args:
        channels (int): Channels of the features.
        kernel_size (int): Kernel size of the convolution.
        start (str): ``'identity'``; ``'scratch'`` for ``tanh(change)``, which depends
            on the face through the features only; or ``'blend'``, whose share is 0.73
            at first. The buffer ``start_index`` saves it with the weights: weights that
            were trained with ``'scratch'`` would show the face with ``'identity'``.

    Raises:
        ValueError: If ``start`` is none of these.
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
            # A large share: near 0 the gradient of the sigmoid would be small.
            nn.init.ones_(self.conv.get_parameter('bias')[3:])
        self.register_buffer('start_index', torch.tensor(STARTS.index(start)))

    def forward(self, features: Tensor, faces: Tensor) -> Tensor:
        """Draw faces.

        Args:
            features (Tensor): Features of the padded faces, (K, C, S', S'), S' >= S.
            faces (Tensor): (K, 3, S, S) in [-1, 1].

        Returns:
            Tensor: (K, 3, S, S) in [-1, 1], of the type of ``faces``.
        """
        side = faces.shape[-1]
        # Half precision would change colours near black or white by a grey level.
        change = self.conv(features)[..., :side, :side].float()
        if self.start == 'blend':
            colours, share = change[:, :3].tanh(), change[:, 3:].sigmoid()
            return torch.lerp(faces.float(), colours, share).to(faces.dtype)
        if self.start == 'identity':
            # At -1 and 1 atanh is infinite and tanh has no gradient.
            change = change + torch.atanh(faces.float().clamp(-0.99, 0.99))
        return change.tanh().to(faces.dtype)

    def _load_from_state_dict(
        self, state_dict: Mapping[str, Tensor], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        """Load weights that were trained with the same start.

        Raises:
            ValueError: If they were trained with another start. ``'identity'`` also
                rejects weights that do not name their start; the others accept them,
                because with them the face does not pass around the network.
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
                f'but the modifier has start={self.start!r}: it would draw something '
                'else and could show faces; give the modifier the start that it was '
                'trained with'
            )
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def averaged(images: Tensor, size: int) -> Tensor:
    """Shrink images to squares by adaptive average pooling.

    With deterministic algorithms it uses matrix products, because PyTorch's pooling has
    no deterministic backward pass on a GPU.

    Args:
        images (Tensor): (K, C, H, W).
        size (int): S', the side of the results.

    Returns:
        Tensor: (K, C, S', S').
    """
    if not torch.are_deterministic_algorithms_enabled():
        return F.adaptive_avg_pool2d(images, size)
    rows, columns = (
        _cell_weights(length, size).to(images, non_blocking=True)
        for length in images.shape[-2:]
    )
    return rows @ images @ columns.T


def _cell_weights(length: int, size: int) -> Tensor:
    """Weights of the pixels of a row in the cells of the pooling, (size, length)."""
    cell, pixel = torch.arange(size)[:, None], torch.arange(length)
    first = cell * length // size
    behind = -(-(cell + 1) * length // size)
    inside = ((pixel >= first) & (pixel < behind)).double()
    return inside / inside.sum(1, keepdim=True)


def pad_to_multiple(faces: Tensor, multiple: int) -> Tensor:
    """Pad faces by reflection on the right and at the bottom to a multiple of a side.

    The result is at least twice the multiple, so that the smallest feature map has at
    least 2 x 2 pixels: a single pixel has no neighbours and no instance statistics.

    Args:
        faces (Tensor): (K, 3, S, S).
        multiple (int): The new side is a multiple of this number.

    Returns:
        Tensor: (K, 3, S', S'), with the faces in the upper left corner.
    """
    wanted = max(2, -(-faces.shape[-1] // multiple)) * multiple
    while (side := faces.shape[-1]) < wanted:
        # Reflection padding must be smaller than the image; a single pixel is repeated.
        more = min(wanted - side, max(side - 1, 1))
        if side > 1:
            faces = reflected(faces, (0, more, 0, more))
        else:
            faces = faces.expand(*faces.shape[:2], 2, 2)
    return faces
