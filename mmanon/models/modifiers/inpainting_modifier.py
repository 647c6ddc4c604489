"""A modifier that cuts out a head and draws another one into its surroundings."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmanon.models.layers.eigenfaces import resized
from mmanon.models.layers.inpainting_networks import (
    CODED_SIDE,
    NARROWEST,
    CodeEncoder,
    InpaintingDecoder,
    spots,
)
from mmanon.models.layers.landmark_warp import warp_by_landmarks
from mmanon.models.layers.noisy_code import rate_of
from mmanon.models.layers.share_map import ShareMap
from mmanon.registry import MODELS

from .base import LearnedModifier, check_sizes

__all__ = ['InpaintingModifier', 'head_region']

# The head with hair and chin in a crop of margin 0.5: centre (x, y) and half axes as
# fractions of the crop's side, and the width of the soft edge.
_HEAD = (0.5, 0.455, 0.38, 0.42)
_EDGE = 0.06
_REGIONS = ('head', 'crop')
# The largest part of a face box that may stay visible.
_MOST_KEPT = 0.35
# The largest part of a face box that may lack green if anything is to stay visible.
# Faces in natural light had at most 0.41 (one with a pink headscarf 0.49), and those in
# red stage light at least 0.45, wherever parts of them were kept.
_MOST_COLOURED = 0.45
# Eyes, nose and corners of the mouth of the average face in such a crop.
_AVERAGE_FACE = torch.tensor(
    [[0.40, 0.43], [0.60, 0.43], [0.50, 0.54], [0.42, 0.63], [0.58, 0.63]]
)


@MODELS.register_module()
class InpaintingModifier(LearnedModifier):
    """Replaces the head by that of another person, whom a key selects.

    ``M(f) = f + share(f) · (G(c(f), z, p_k) − f)``. ``c(f)`` is the crop without the
    head, which an ellipse of fixed size cuts out (or a larger region, see ``region``).
    ``p_k`` is a portrait of the person with the key ``k``, out of a bank of people who
    are part of the weights. ``z = μ(f) + σ(f) · ε``, a few noisy numbers, tells ``G``
    where the face looks, its expression, its light, and where its five landmarks are.
    ``G`` moves the portrait to these landmarks, gives it the light of the picture,
    paints what the portrait lacks, such as the background, and decides for each pixel
    which of both to show. ``share`` is 1 within the ellipse, except at objects in front
    of the face.

    A drawn head contains information about the original only from three sources: the
    code ``z``, whose rate ``KL(N(μ, σ²) ‖ N(0, 1))`` in nats is limited; the
    surroundings of the ellipse; and the pixels classified as objects in front of the
    face. No pixel at the eyes, the forehead and the hair above is kept, and no pixel
    at all if more than about a third (0.35) of the face box would be kept, or in red,
    pink or violet light: if nearly half (0.45) of the face box has such colours.

    This is an inpainting of faces as in DeepPrivacy (Hukkelås et al., ISVC 2019), with
    a variational information bottleneck (Alemi et al., ICLR 2017) instead of given
    landmarks, and a source picture as in face reenactment (for example Siarohin et al.,
    NeurIPS 2019).

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
        region (str): What is cut out and drawn. ``'crop'`` is all of the crop, so that
            only the code and kept objects tell of its hair, clothes and background;
            they look different from those around it. Defaults to ``'head'``.
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
        region: str = 'head',
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
        levels = math.log2(size / NARROWEST)
        if levels != int(levels) or levels < 1:
            raise ValueError(
                f'size must be {NARROWEST} times a power of 2, such as 64 or 128, '
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
        if region not in _REGIONS:
            raise ValueError(f'region must be one of {list(_REGIONS)}, got {region!r}')
        self.region = region
        self.size, self.code_size, self.look_size = size, code_size, look_size
        self.key_size = code_size + look_size
        self.rate_weight, self.cover_weight = rate_weight, cover_weight
        self.encoder = CodeEncoder(code_size, 16)
        # Predicts the five landmarks of the drawn head from the code alone.
        self.places = nn.Linear(code_size, 10)
        self.decoder = InpaintingDecoder(base_channels, int(levels), code_size)
        self.share = ShareMap(16, block=2, norm_cfg=dict(type='GN', num_groups=8))
        self.register_buffer('head', head_region(size, region), persistent=False)
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
        guarded = self._guard(kept, self.landmarks(code), shown)
        if self.training and torch.is_grad_enabled():
            self._tell(mean, log_variance, kept)
        side = int(faces.shape[-1])
        head = self.head
        if side != self.size:
            head = head_region(side, self.region).to(kept)
        share = head * (1 - resized(guarded, side))
        over = resized(drawn, side)
        return torch.lerp(faces.float(), over, share).to(faces.dtype)

    def code(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """Encode faces, (K, 3, S, S): mean and log variance, (K, N) each."""
        return self.encoder(resized(faces, CODED_SIDE))

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

    def _guard(self, kept: Tensor, landmarks: Tensor, faces: Tensor) -> Tensor:
        """Limit the pixels to keep: none from the eyes up, and no large part of a face.

        The network may take a face for an object when light or camera differ from the
        training. Doubtful pixels are therefore redrawn: 0.6 becomes 0.5, and 0.4
        becomes 0.08. If 25 % of the face box would stay visible, the kept pixels begin
        to fade; at 35 % none is kept. Nor is any kept if the colours of the face box
        are those of red, pink or violet light.
        """
        kept = ((kept.clamp(1e-4, 1 - 1e-4).logit() - 0.4) * 3).sigmoid()
        edge = self.size // 4
        part = kept[..., edge:-edge, edge:-edge].mean((2, 3), True)
        trusted = ((_MOST_KEPT - part) / 0.1).clamp(0, 1)
        coloured = _lacks_green(faces[..., edge:-edge, edge:-edge]).mean((2, 3), True)
        trusted = trusted * ((_MOST_COLOURED - coloured) / 0.04).clamp(0, 1)
        eyes, middle = landmarks[:, :2], landmarks[:, :2].mean(1, True)
        band = spots(torch.cat([eyes, middle], 1), self.size, width=0.07)
        up = middle - landmarks[:, 3:].mean(1, True)
        crown = torch.cat([middle + up * way for way in (0.8, 1.3, 1.8)], 1)
        band = torch.cat([band, spots(crown, self.size, width=0.16)], 1).amax(1, True)
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


def _directions(count: int, size: int) -> Tensor:
    """The same unit vectors each time, as far apart as chance has them."""
    generator = torch.Generator().manual_seed(0)
    return F.normalize(torch.randn(count, size, generator=generator))


def _lacks_green(faces: Tensor) -> Tensor:
    """Which pixels have less green than skin has in natural light, (K, 1, S, S)."""
    red, green, blue = ((faces + 1) / 2).split(1, 1)
    brightness = (red + green + blue) / 3
    # No pixel that is nearly black lacks it.
    return ((red + blue) / 2 - green > 0.33 * (brightness + 0.01)).to(faces)


def head_region(size: int, name: str = 'head') -> Tensor:
    """What is drawn in a crop of margin 0.5, (S, S).

    1 within the ellipse of the head, fading to 0 at its edge; for ``'crop'`` all 1.
    """
    if name == 'crop':
        return torch.ones(size, size)
    place = (torch.arange(size) + 0.5) / size
    middle_x, middle_y, across, down = _HEAD
    # A superellipse: hair reaches into the corners of the box of a head.
    away = ((place - middle_x).abs() / across).pow(2.5)[None] + (
        (place - middle_y).abs() / down
    ).pow(2.5)[:, None]
    inside = (1 - away.pow(1 / 2.5)) * (across + down) / 2
    return (inside / _EDGE).clamp(0, 1)
