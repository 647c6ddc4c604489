"""Networks of the modifier that puts another head into a picture."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ['CODED_SIDE', 'NARROWEST', 'CodeEncoder', 'InpaintingDecoder', 'spots']

NARROWEST, CODED_SIDE = 8, 64
"""Side in pixels of the smallest feature maps, and of the faces that are encoded."""


class CodeEncoder(nn.Module):
    """Maps faces to the mean and the log variance of each number of their code.

    Args:
        code_size (int): N, the number of values in a code.
        base (int): Channels of the first convolution.
    """

    def __init__(self, code_size: int, base: int) -> None:
        super().__init__()
        widths = [3, base, 2 * base, 4 * base, 4 * base]
        self.body = nn.Sequential(
            *(
                _Conv(before, after, stride=2)
                for before, after in zip(widths[:-1], widths[1:], strict=True)
            )
        )
        self.code = nn.Linear(widths[-1] * (CODED_SIDE // 16) ** 2, 2 * code_size)

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """Encode faces, (K, 3, 64, 64): mean and log variance, (K, N) each."""
        mean, log_variance = self.code(self.body(faces).flatten(1)).float().chunk(2, 1)
        # Limit the variance: neither almost no noise nor nothing but noise.
        return mean, log_variance.clamp(-6, 4)


class InpaintingDecoder(nn.Module):
    """Maps the surroundings of a head, a portrait, a code and landmarks to a head."""

    def __init__(self, base: int, levels: int, numbers: int) -> None:
        super().__init__()
        widths = [base * min(2**level, 4) for level in range(levels + 1)]
        style = 128
        self.first = _Conv(8, widths[0])
        self.downs = nn.ModuleList(
            _Conv(above, below, stride=2)
            for above, below in zip(widths[:-1], widths[1:], strict=True)
        )
        self.style = nn.Sequential(
            nn.Linear(numbers, style),
            nn.LeakyReLU(0.2),
            nn.Linear(style, style),
            nn.LeakyReLU(0.2),
        )
        self.start_width = 8
        self.start = nn.Linear(style, self.start_width * NARROWEST**2)
        self.middle = _Styled(widths[-1] + self.start_width, widths[-1], style)
        self.ups = nn.ModuleList(
            _Styled(below + above + 5, above, style)
            for above, below in zip(widths[-2::-1], widths[:0:-1], strict=True)
        )
        self.last = nn.Conv2d(widths[0], 10, 3, padding=1)
        with torch.no_grad():
            # At first the portrait as it is, for the most part.
            self.last.weight[3:] *= 0.1
            self.last.get_parameter('bias')[3] = 1

    def forward(self, around: Tensor, numbers: Tensor, places: Tensor) -> Tensor:
        """Map (K, 8, S, S), (K, numbers) and (K, 5, 2) to (K, 10, S, S).

        The channels are three of paint, one of how much the portrait is to show, three
        of its gain, and three of its shift.
        """
        levels = [self.first(around)]
        for down in self.downs:
            levels.append(down(levels[-1]))
        style = self.style(numbers)
        start = self.start(style)
        start = start.view(-1, self.start_width, NARROWEST, NARROWEST)
        features = self.middle(torch.cat([levels.pop(), start], 1), style)
        side = NARROWEST
        for up in self.ups:
            side *= 2
            above = F.interpolate(features, scale_factor=2.0)
            marks = spots(places, side).to(above)
            features = up(torch.cat([levels.pop(), above, marks], 1), style)
        return self.last(features).float()


def spots(places: Tensor, side: int, width: float = 0.03) -> Tensor:
    """Draw a Gaussian spot of height 1 at each place.

    Args:
        places (Tensor): (K, N, 2), x and y as fractions of the side.
        side (int): Side of the maps in pixels.
        width (float): Standard deviation as a fraction of the side; at least a pixel.

    Returns:
        Tensor: (K, N, side, side).
    """
    line = (torch.arange(side, device=places.device) + 0.5) / side
    width = max(width, 1 / side)
    across = (-((line - places[..., :1]) / width).square() / 2).exp()
    down = (-((line - places[..., 1:]) / width).square() / 2).exp()
    return down[..., :, None] * across[..., None, :]


class _Styled(nn.Module):
    """Two convolutions whose channels are scaled and shifted by a style."""

    def __init__(self, before: int, after: int, style: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            [
                nn.Conv2d(before, after, 3, padding=1),
                nn.Conv2d(after, after, 3, padding=1),
            ]
        )
        self.norms = nn.ModuleList(nn.GroupNorm(8, after) for _ in self.convs)
        self.tones = nn.ModuleList(nn.Linear(style, 2 * after) for _ in self.convs)

    def forward(self, features: Tensor, style: Tensor) -> Tensor:
        for conv, norm, tone in zip(self.convs, self.norms, self.tones, strict=True):
            scale, shift = tone(style)[:, :, None, None].chunk(2, 1)
            features = F.leaky_relu(norm(conv(features)) * (1 + scale) + shift, 0.2)
        return features


class _Conv(nn.Sequential):
    """Convolution, group norm and leaky ReLU; the kernel is 4 at stride 2, else 3."""

    def __init__(self, before: int, after: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(before, after, 2 + stride, stride, padding=1)
            if stride == 2
            else nn.Conv2d(before, after, 3, padding=1),
            nn.GroupNorm(8, after),
            nn.LeakyReLU(0.2),
        )
