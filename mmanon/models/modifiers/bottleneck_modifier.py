"""A modifier that draws a face from a few noisy numbers and keeps some pixels."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmanon.models.layers.blocks import ConvBlock, ReflectConv, UpConv
from mmanon.models.layers.eigenfaces import RunningEigenfaces, resized
from mmanon.models.layers.noisy_code import rate_of
from mmanon.models.layers.share_map import ShareMap
from mmanon.registry import MODELS

from .base import LearnedModifier, check_sizes

__all__ = ['BottleneckModifier']

# Side in pixels of the smallest feature maps, and of the eigenfaces.
_NARROWEST, _TARGET_SIDE = 6, 24


@MODELS.register_module()
class BottleneckModifier(LearnedModifier):
    """Draws a new head from a code of limited information, and keeps objects.

    ``M(f) = f + share(f) · (G(z, k) − f)``. The code ``z = μ(f) + σ(f) · ε`` consists
    of a few numbers; the decoder ``G`` never sees the face; ``share``, in [0, 1] for
    each pixel, is the opacity of the drawn head over the face. This combines a
    variational information bottleneck (Alemi et al., ICLR 2017) with the attention mask
    of GANimation (Pumarola et al., ECCV 2018). Information about a person passes only
    through the code, whose rate ``KL(N(μ, σ²) ‖ N(0, 1))`` in nats is limited, and
    through the pixels that ``share`` keeps; ``skin_guard`` limits these.

    ``ε`` and ``k`` are the key of a track: the noise of its code, and the person to
    draw. M itself uses no random numbers, so all faces of a track with one key show one
    person.

    ``G`` starts from a target face that ``k`` selects from :class:`RunningEigenfaces`:
    a mixture of all people that M has seen, or their average if ``k`` has no numbers.
    The detector and the discriminators move it away from there.

    The modifier has its own losses, with the weights below, and needs no structure
    loss: give the game ``structure_loss=dict(type='mmdet.L1Loss', loss_weight=0.0)``.

    Args:
        size (int): Side in pixels at which faces are coded and drawn: 6 times a power
            of 2. Crops of another size are resampled. Defaults to 96.
        code_size (int): Number of values in ``z``, and in ``ε``. Defaults to 12.
        look_size (int): Number of values in ``k``; with 0 everybody gets the same
            target face. Defaults to 4.
        base_channels (int): Channels at full size, a multiple of 8. Defaults to 16.
        rate_weight (float): Weight of the rate in nats. Defaults to 0.02.
        target_weight (float): Weight of the mean absolute distance between the drawn
            face and the target face. Defaults to 3.
        cover_weight (float): Weight of the mean of ``1 − share``, the part of the crop
            that stays visible. Defaults to 0.3.
        hull_weight (float): Weight of the mean of ``1 − share`` within the face alone,
            an ellipse in the middle of the crop. It makes visible skin cost more than a
            visible shoulder, so that M keeps only what the detector needs, such as an
            object in front of the face. Defaults to 0.
        skin_guard (float): Hides pixels of the colour of the skin within the ellipse,
            in training and afterwards: the share is at least
            ``exp(−d² / 2 skin_guard²)``, where d is a pixel's distance in RGB, in
            [-1, 1], from the most frequent colour of the face. An object of another
            colour can stay visible. 0 switches it off. Defaults to 0.
        margin (float): Enlargement of the face box on each side of a crop, as a
            fraction of its side; it tells where the face is. Defaults to 0.15.
        init_cfg (dict, optional): Initialization, as of mmengine's ``BaseModule``.

    Raises:
        ValueError: When an argument is outside its range.
    """

    def __init__(
        self,
        size: int = 96,
        code_size: int = 12,
        look_size: int = 4,
        base_channels: int = 16,
        rate_weight: float = 0.02,
        target_weight: float = 3.0,
        cover_weight: float = 0.3,
        hull_weight: float = 0.0,
        skin_guard: float = 0.0,
        margin: float = 0.15,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        check_sizes(size=size, code_size=code_size, base_channels=base_channels)
        ups = math.log2(size / _NARROWEST)
        if ups != int(ups) or ups < 1:
            raise ValueError(
                f'size must be {_NARROWEST} times a power of 2, such as 48, 96 or 192, '
                f'got {size}'
            )
        if base_channels % 8:
            raise ValueError(
                f'base_channels must be a multiple of 8, got {base_channels}'
            )
        if not isinstance(look_size, int) or look_size < 0:
            raise ValueError(
                f'look_size must be a whole number >= 0, got {look_size!r}'
            )
        weights = dict(
            rate_weight=rate_weight,
            target_weight=target_weight,
            cover_weight=cover_weight,
            hull_weight=hull_weight,
            skin_guard=skin_guard,
            margin=margin,
        )
        for name, weight in weights.items():
            if not 0 <= weight < math.inf:
                raise ValueError(f'{name} must be a number >= 0, got {weight!r}')
        self.size, self.code_size, self.look_size = size, code_size, look_size
        self.key_size = code_size + look_size
        self.rate_weight, self.target_weight = rate_weight, target_weight
        self.cover_weight, self.hull_weight = cover_weight, hull_weight
        self.skin_guard, self.margin = skin_guard, margin
        self.encoder = _Encoder(base_channels, int(ups), code_size)
        self.decoder = _Decoder(base_channels, int(ups), self.key_size)
        self.share = ShareMap(max(8, base_channels // 2))
        self.faces = RunningEigenfaces(
            min(size, _TARGET_SIDE), look_size, margin=margin
        )

    def modify(self, faces: Tensor) -> Tensor:
        """Redraw at least one face by random keys; shapes as in :meth:`forward`."""
        return self.modify_by_key(faces, self.draw_keys(len(faces), faces.device))

    def modify_by_key(self, faces: Tensor, keys: Tensor) -> Tensor:
        """Redraw at least one face by keys; shapes as in :meth:`forward`."""
        learning = self.training and torch.is_grad_enabled()
        if learning:
            self.faces.update(faces)
        noise, look = keys.split([self.code_size, self.look_size], 1)
        mean, log_variance = self.encoder(resized(faces, self.size))
        code = mean + noise * (log_variance / 2).exp()
        target = self.faces.draw(look, self.size)
        drawn = self.decoder(torch.cat([code, look.to(code)], 1), target)
        share = self.covers(faces)
        if learning:
            self._tell(mean, log_variance, target, drawn, share)
        over = resized(drawn, int(faces.shape[-1]))
        return torch.lerp(faces.float(), over, share).to(faces.dtype)

    def covers(self, faces: Tensor) -> Tensor:
        """Return ``share``, the opacity of the drawn head, (K, 1, S, S) in [0, 1]."""
        share = self.share(faces)
        if not self.skin_guard:
            return share
        hull = _hull(int(faces.shape[-1]), self.margin, share)
        return share.lerp(torch.ones_like(share), hull * self._skin(faces, hull))

    def _skin(self, faces: Tensor, hull: Tensor) -> Tensor:
        """How close each pixel is to the face's most frequent colour, (K, 1, S, S)."""
        pixels = faces.float()
        alike = hull.expand_as(pixels[:, :1])
        for _ in range(5):
            # Mean shift: the weighted mean moves towards the most frequent colour.
            weight = alike * hull
            skin = (pixels * weight).sum((2, 3), True) / weight.sum((2, 3), True)
            away = (pixels - skin).square().sum(1, True)
            alike = (-away / (2 * self.skin_guard**2)).exp()
        return alike

    def rate(self, faces: Tensor) -> Tensor:
        """Return the information that the code holds about each face, (K,) in nats."""
        return rate_of(*self.encoder(resized(faces, self.size)))

    def _tell(
        self,
        mean: Tensor,
        log_variance: Tensor,
        target: Tensor,
        drawn: Tensor,
        share: Tensor,
    ) -> None:
        rate = rate_of(mean, log_variance).mean()
        hull = _hull(int(share.shape[-1]), self.margin, share)
        seen = 1 - share
        in_hull = (seen * hull).sum((2, 3)) / hull.sum()
        self._told = dict(
            loss_rate=self.rate_weight * rate,
            loss_target=self.target_weight * F.l1_loss(drawn, target),
            loss_share=self.cover_weight * seen.mean()
            + self.hull_weight * in_hull.mean(),
            rate=rate.detach(),
            share=share.detach().mean(),
        )


class _Encoder(nn.Module):
    """Maps faces to the mean and the log variance of each number of their code."""

    def __init__(self, base: int, downs: int, code_size: int) -> None:
        super().__init__()
        widths = [3, *(base * min(2**level, 4) for level in range(downs))]
        self.body = nn.Sequential(
            *(
                ConvBlock(before, after, norm_cfg=_norm(), stride=2)
                for before, after in zip(widths[:-1], widths[1:], strict=True)
            )
        )
        self.code = nn.Linear(widths[-1] * _NARROWEST**2, 2 * code_size)

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """Encode faces, (K, 3, size, size): mean and log variance, (K, N) each."""
        features = self.body(faces).flatten(1)
        mean, log_variance = self.code(features).float().chunk(2, 1)
        # Limit the variance: neither almost no noise nor nothing but noise.
        return mean, log_variance.clamp(-6, 4)


class _Decoder(nn.Module):
    """Maps codes and keys to the difference between a drawn face and its target."""

    def __init__(self, base: int, ups: int, numbers: int) -> None:
        super().__init__()
        widths = [base * min(2**level, 8) for level in range(ups, -1, -1)]
        self.first = widths[0]
        self.start = nn.Linear(numbers, self.first * _NARROWEST**2)
        self.body = nn.Sequential(
            *(
                UpConv(before, after, norm_cfg=_norm())
                for before, after in zip(widths[:-1], widths[1:], strict=True)
            ),
        )
        self.last = ReflectConv(base, 3, 3)
        # The change is small at first: the decoder starts at the target.
        nn.init.normal_(self.last.weight, std=0.01)
        nn.init.zeros_(self.last.get_parameter('bias'))

    def forward(self, numbers: Tensor, faces: Tensor) -> Tensor:
        """Change target faces, (K, 3, size, size) in [-1, 1], by (K, numbers)."""
        features = self.start(numbers)
        features = features.view(-1, self.first, _NARROWEST, _NARROWEST)
        change = self.last(self.body(features)).float()
        # atanh is infinite at -1 and 1.
        return (torch.atanh(faces.float().clamp(-0.99, 0.99)) + change).tanh()


def _norm() -> dict:
    # Instance norm would remove the colour of a whole face.
    return dict(type='GN', num_groups=8)


def _hull(size: int, margin: float, like: Tensor) -> Tensor:
    """1 within the ellipse of the face box in a crop, (size, size)."""
    place = (torch.arange(size, device=like.device) + 0.5) / size * 2 - 1
    # A head is taller than wide, but crops are square.
    away = (place * 1.2)[None].square() + place[:, None].square()
    return (away <= (1 / (1 + 2 * margin)) ** 2).to(like)
