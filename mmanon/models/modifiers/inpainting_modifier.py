"""A modifier that cuts out a head and draws another one into its surroundings."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmanon.models.layers.eigenfaces import resized
from mmanon.models.layers.landmark_warp import warp_by_landmarks
from mmanon.models.layers.noisy_code import rate_of
from mmanon.models.layers.share_map import ShareMap
from mmanon.registry import MODELS

from .base import LearnedModifier, check_sizes

__all__ = ['CodeEncoder', 'InpaintingModifier', 'head_region', 'spots']

# Side in pixels of the smallest feature maps, and of the faces that are encoded.
_NARROWEST, _CODED_SIDE = 8, 64
# The head with hair and chin in a crop of margin 0.5: centre (x, y) and half axes as
# fractions of the crop's side, and the width of the soft edge.
_HEAD = (0.5, 0.455, 0.38, 0.42)
_EDGE = 0.06
# The largest part of a face box that may stay visible.
_MOST_KEPT = 0.35
# Eyes, nose and corners of the mouth of the average face in such a crop.
_AVERAGE_FACE = torch.tensor(
    [[0.40, 0.43], [0.60, 0.43], [0.50, 0.54], [0.42, 0.63], [0.58, 0.63]]
)


@MODELS.register_module()
class InpaintingModifier(LearnedModifier):
    """Replaces the head by that of another person, whom a key selects.

    ``M(f) = f + share(f) · (G(c(f), z, p_k) − f)``. ``c(f)`` is the crop without the
    head, which an ellipse of fixed size cuts out. ``p_k`` is a portrait of the person
    with the key ``k``, out of a bank of people who are part of the weights. ``z = μ(f)
    + σ(f) · ε``, a few noisy numbers, tells ``G`` where the face looks, its expression,
    its light, and where its five landmarks are. ``G`` moves the portrait to these
    landmarks, gives it the light of the picture, paints what the portrait lacks, such
    as an open mouth or the background, and decides for each pixel which of both to
    show. ``share`` is 1 within the ellipse, except at objects in front of the face.

    A drawn head contains information about the original only from three sources: the
    code ``z``, whose rate ``KL(N(μ, σ²) ‖ N(0, 1))`` in nats is limited; the
    surroundings of the ellipse; and the pixels classified as objects in front of the
    face. No pixel at the eyes is kept, and no pixel at all if more than about a third
    (0.35) of the face box would be kept. This is an inpainting of faces as in
    DeepPrivacy (Hukkelås et al., ISVC 2019), with a variational information bottleneck
    (Alemi et al., ICLR 2017) instead of given landmarks, and a source picture as in
    face reenactment (for example Siarohin et al., NeurIPS 2019).

    ``ε`` and ``k`` are the key of a track. M itself uses no random numbers, so all
    faces of a track with one key show one person. The person in the bank whose
    direction is nearest to ``k`` is drawn: with N people, two keys select the same
    person in one of N cases.

    :class:`~mmanon.models.pretraining.InpaintingPretraining` trains it first and fills
    the bank; the game can continue the training. An empty bank has opacity 0, and ``G``
    paints the whole head.

    Args:
        size (int): Side in pixels at which heads are drawn: 8 times a power of 2. Crops
            of another size are resampled. Defaults to 128.
        code_size (int): Number of values in ``z``, and in ``ε``. Defaults to 16.
        look_size (int): Number of values in ``k``. Defaults to 32.
        people (int): Number of people in the bank. Each takes ``4 · size²`` bytes of
            the weights. Defaults to 36.
        base_channels (int): Channels at full size, a multiple of 8. Defaults to 16.
        rate_weight (float): Weight of the rate in nats, in the game. Defaults to 0.01.
        cover_weight (float): Weight, in the game, of the part of the ellipse that stays
            visible. Defaults to 0.3.
        init_cfg (dict, optional): Initialization, as of mmengine's ``BaseModule``.

    Raises:
        ValueError: When an argument is outside its range.
    """

    head: Tensor
    average_face: Tensor
    people: Tensor
    people_places: Tensor
    people_looks: Tensor

    def __init__(
        self,
        size: int = 128,
        code_size: int = 16,
        look_size: int = 32,
        people: int = 36,
        base_channels: int = 16,
        rate_weight: float = 0.01,
        cover_weight: float = 0.3,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        check_sizes(
            size=size,
            code_size=code_size,
            look_size=look_size,
            people=people,
            base_channels=base_channels,
        )
        levels = math.log2(size / _NARROWEST)
        if levels != int(levels) or levels < 1:
            raise ValueError(
                f'size must be {_NARROWEST} times a power of 2, such as 64 or 128, '
                f'got {size}'
            )
        if base_channels % 8:
            raise ValueError(
                f'base_channels must be a multiple of 8, got {base_channels}'
            )
        for name, weight in dict(
            rate_weight=rate_weight, cover_weight=cover_weight
        ).items():
            if not 0 <= weight < math.inf:
                raise ValueError(f'{name} must be a number >= 0, got {weight!r}')
        self.size, self.code_size, self.look_size = size, code_size, look_size
        self.key_size = code_size + look_size
        self.rate_weight, self.cover_weight = rate_weight, cover_weight
        self.encoder = CodeEncoder(code_size, 16)
        # Predicts the five landmarks of the drawn head from the code alone.
        self.places = nn.Linear(code_size, 10)
        self.decoder = _Inpainting(base_channels, int(levels), code_size)
        self.share = ShareMap(16, block=2, norm_cfg=dict(type='GN', num_groups=8))
        self.register_buffer('head', head_region(size), persistent=False)
        self.register_buffer('average_face', _AVERAGE_FACE.clone(), persistent=False)
        self.register_buffer(
            'people', torch.zeros(people, 4, size, size, dtype=torch.uint8)
        )
        self.register_buffer('people_places', _AVERAGE_FACE.repeat(people, 1, 1))
        self.register_buffer('people_looks', _directions(people, look_size))

    def modify(self, faces: Tensor) -> Tensor:
        """Redraw at least one face by random keys; shapes as in :meth:`forward`."""
        return self.modify_by_key(faces, self.draw_keys(len(faces), faces.device))

    def modify_by_key(self, faces: Tensor, keys: Tensor) -> Tensor:
        """Redraw at least one face by keys; shapes as in :meth:`forward`."""
        shown = resized(faces, self.size)
        noise, look = keys.split([self.code_size, self.look_size], 1)
        mean, log_variance = self.code(shown)
        code = mean + noise * (log_variance / 2).exp()
        drawn = self.draw(shown, code, *self.person(look))
        kept = self.keeps(shown)
        guarded = self._guard(kept, self.landmarks(code))
        if self.training and torch.is_grad_enabled():
            self._tell(mean, log_variance, kept)
        side = int(faces.shape[-1])
        head = self.head if side == self.size else head_region(side).to(kept)
        share = head * (1 - resized(guarded, side))
        over = resized(drawn, side)
        return torch.lerp(faces.float(), over, share).to(faces.dtype)

    def code(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """Encode faces, (K, 3, S, S): mean and log variance, (K, N) each."""
        return self.encoder(resized(faces, _CODED_SIDE))

    def person(self, look: Tensor) -> tuple[Tensor, Tensor]:
        """Choose the person of the bank whose direction is nearest to each look.

        Args:
            look (Tensor): ``k``, (K, look_size).

        Returns:
            tuple[Tensor, Tensor]: Portraits, (K, 4, size, size), red, green and blue in
            [-1, 1] and opacity in [0, 1]; and their landmarks, (K, 5, 2) as fractions
            of the side.
        """
        chosen = (look.float() @ self.people_looks.float().T).argmax(1)
        portraits = self.people[chosen].float() / 255
        portraits = torch.cat([portraits[:, :3] * 2 - 1, portraits[:, 3:]], 1)
        return portraits, self.people_places[chosen].float()

    def draw(
        self,
        faces: Tensor,
        code: Tensor,
        portraits: Tensor,
        places: Tensor,
        wanted: Tensor | None = None,
    ) -> Tensor:
        """Draw people, (K, 3, size, size) in [-1, 1], into the surroundings of faces.

        Args:
            faces (Tensor): (K, 3, size, size); pixels within the ellipse are not used.
            code (Tensor): ``z``, (K, code_size).
            portraits (Tensor): The people to draw, as from :meth:`person`.
            places (Tensor): Landmarks of the portraits, as from :meth:`person`.
            wanted (Tensor, optional): Where to draw the landmarks, (K, 5, 2) as
                fractions of the side. Defaults to :meth:`landmarks` of the code.
        """
        around = (self.head <= 0).to(faces)
        wanted = self.landmarks(code) if wanted is None else wanted
        opacity = portraits[:, 3:]
        # Weighed by the opacity, so that no background bleeds in.
        weighed = torch.cat([portraits[:, :3] * opacity, opacity], 1)
        posed = warp_by_landmarks(weighed, places, wanted)
        shown = torch.cat([faces * around, around.expand_as(faces[:, :1]), posed], 1)
        paint, blend, gain, shift = self.decoder(shown, code, wanted).split(
            [3, 1, 3, 3], 1
        )
        opacity = posed[:, 3:]
        colours = posed[:, :3] / opacity.clamp(min=0.02)
        lit = (colours + 1) * (0.7 * gain.tanh()).exp() + shift.tanh() - 1
        return torch.lerp(paint.tanh(), lit.clamp(-1, 1), opacity * blend.sigmoid())

    def landmarks(self, code: Tensor) -> Tensor:
        """Landmarks of the drawn face, (K, 5, 2), as fractions of the side."""
        return self.places(code).float().view(-1, 5, 2) * 0.1 + self.average_face

    def keeps(self, faces: Tensor) -> Tensor:
        """How much each pixel shows an object to keep, (K, 1, S, S) in [0, 1]."""
        return 1 - self.share(faces)

    def _guard(self, kept: Tensor, landmarks: Tensor) -> Tensor:
        """Limit the pixels to keep: none at the eyes, and no large part of a face.

        The network may take a face for an object when light or camera differ from the
        training. Doubtful pixels are therefore redrawn: 0.6 becomes 0.5, and 0.4
        becomes 0.08. If 25 % of the face box would stay visible, the kept pixels begin
        to fade; at 35 % none is kept.
        """
        kept = ((kept.clamp(1e-4, 1 - 1e-4).logit() - 0.4) * 3).sigmoid()
        edge = self.size // 4
        part = kept[..., edge:-edge, edge:-edge].mean((2, 3), True)
        trusted = ((_MOST_KEPT - part) / 0.1).clamp(0, 1)
        eyes, middle = landmarks[:, :2], landmarks[:, :2].mean(1, True)
        band = spots(torch.cat([eyes, middle], 1), self.size, width=0.07).amax(1, True)
        return kept * trusted * (1.2 - 2 * band).clamp(0, 1)

    def rate(self, faces: Tensor) -> Tensor:
        """Return the information that the code holds about each face, (K,) in nats."""
        return rate_of(*self.code(resized(faces, self.size)))

    def _tell(self, mean: Tensor, log_variance: Tensor, kept: Tensor) -> None:
        head = self.head
        through = (kept * head).sum((2, 3)).mean() / head.sum()
        rate = rate_of(mean, log_variance).mean()
        self._told = dict(
            loss_rate=self.rate_weight * rate,
            loss_share=self.cover_weight * through,
            rate=rate.detach(),
            share=1 - through.detach(),
        )


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
        self.code = nn.Linear(widths[-1] * (_CODED_SIDE // 16) ** 2, 2 * code_size)

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """Encode faces, (K, 3, 64, 64): mean and log variance, (K, N) each."""
        mean, log_variance = self.code(self.body(faces).flatten(1)).float().chunk(2, 1)
        # Limit the variance: neither almost no noise nor nothing but noise.
        return mean, log_variance.clamp(-6, 4)


class _Inpainting(nn.Module):
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
        self.start = nn.Linear(style, self.start_width * _NARROWEST**2)
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
        start = start.view(-1, self.start_width, _NARROWEST, _NARROWEST)
        features = self.middle(torch.cat([levels.pop(), start], 1), style)
        side = _NARROWEST
        for up in self.ups:
            side *= 2
            above = F.interpolate(features, scale_factor=2.0)
            marks = spots(places, side).to(above)
            features = up(torch.cat([levels.pop(), above, marks], 1), style)
        return self.last(features).float()


def _directions(count: int, size: int) -> Tensor:
    """The same unit vectors each time, as far apart as chance has them."""
    generator = torch.Generator().manual_seed(0)
    return F.normalize(torch.randn(count, size, generator=generator))


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


def head_region(size: int) -> Tensor:
    """The head in a crop of margin 0.5: 1 inside, fading to 0 at its edge, (S, S)."""
    place = (torch.arange(size) + 0.5) / size
    middle_x, middle_y, across, down = _HEAD
    # A superellipse: hair reaches into the corners of the box of a head.
    away = ((place - middle_x).abs() / across).pow(2.5)[None] + (
        (place - middle_y).abs() / down
    ).pow(2.5)[:, None]
    inside = (1 - away.pow(1 / 2.5)) * (across + down) / 2
    return (inside / _EDGE).clamp(0, 1)
