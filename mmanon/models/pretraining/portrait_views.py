"""Random views of a portrait, with another pose, expression, light and camera.

A view is an augmented portrait. All functions work on a batch, on the device of the
portraits, with random numbers of torch's generator. "Fractions of the side" are x and y
in [0, 1] from the upper left corner.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = [
    'Motion',
    'degrade',
    'expose',
    'hold_drawn',
    'hold_objects',
    'nudged',
    'open_mouths',
    'relight',
    'view_portraits',
]


@dataclass(frozen=True)
class Motion:
    """The largest differences between a view and its portrait, in both directions.

    Attributes:
        turn (float): Rotation in the image plane (roll), in degrees.
        scale (float): Logarithm of the scale.
        shift (float): Shift as a fraction of the view's side.
        expression (float): Strength of the distortion of mouth and eyes; 0 leaves the
            expression unchanged.
    """

    turn: float = 20.0
    scale: float = 0.18
    shift: float = 0.05
    expression: float = 0.2


def _spread(count: int, *shape: int, like: Tensor) -> Tensor:
    """Draw numbers in [-1, 1), (count, *shape)."""
    return torch.rand(count, *shape, device=like.device) * 2 - 1


def view_portraits(
    portraits: Tensor, landmarks: Tensor, size: int, motion: Motion
) -> tuple[Tensor, Tensor]:
    """Make a moved view of each portrait, half of them mirrored.

    Args:
        portraits (Tensor): (K, 3, P, P) in [-1, 1].
        landmarks (Tensor): Eyes, nose and corners of the mouth, (K, 5, 2), as fractions
            of the portrait's side.
        size (int): S, the side of the views in pixels.
        motion (Motion): The largest movements.

    Returns:
        tuple[Tensor, Tensor]: Views, (K, 3, S, S), and their landmarks, (K, 5, 2), as
        fractions of S. The landmarks follow pose and mirroring, not the expression.
    """
    count = len(portraits)
    angle = _spread(count, like=portraits) * math.radians(motion.turn)
    scale = (_spread(count, like=portraits) * motion.scale).exp()
    shift = _spread(count, 2, like=portraits) * 2 * motion.shift
    mirror = torch.where(torch.rand(count, device=portraits.device) < 0.5, -1.0, 1.0)
    cos, sin = angle.cos() * scale, angle.sin() * scale
    # Maps positions in the view to positions in the portrait, both in [-1, 1].
    turn = torch.stack(
        [torch.stack([mirror * cos, -mirror * sin], 1), torch.stack([sin, cos], 1)], 1
    )
    middle = landmarks[:, 2] * 2 - 1
    # The nose stays near its position, as in a crop around a face box.
    start = middle - torch.einsum('kij,kj->ki', turn, middle - shift)
    line = (torch.arange(size, device=portraits.device) + 0.5) / size * 2 - 1
    places = torch.stack(torch.meshgrid(line, line, indexing='xy'), -1)
    source = torch.einsum('kij,hwj->khwi', turn, places) + start[:, None, None]
    source = source + _grimace(source, landmarks * 2 - 1, motion.expression)
    views = F.grid_sample(portraits, source, padding_mode='border', align_corners=False)
    away = landmarks * 2 - 1 - start[:, None]
    back = turn.transpose(1, 2) / scale.square()[:, None, None]
    moved = torch.einsum('kij,knj->kni', back, away)
    swapped = torch.stack([moved[:, each] for each in (1, 0, 2, 4, 3)], 1)
    moved = torch.where(mirror[:, None, None] < 0, swapped, moved)
    return views, moved / 2 + 0.5


def _grimace(source: Tensor, landmarks: Tensor, strength: float) -> Tensor:
    """Offsets of the sampled positions that change the expression of a portrait.

    Args:
        source (Tensor): Sampled positions, (K, S, S, 2) in [-1, 1].
        landmarks (Tensor): (K, 5, 2) in [-1, 1].
        strength (float): See :attr:`Motion.expression`.

    Returns:
        Tensor: Offsets, (K, S, S, 2), to add to ``source``.
    """
    count = len(landmarks)
    eyes = (landmarks[:, 0] - landmarks[:, 1]).norm(dim=1)
    change = torch.zeros_like(source)
    mouth = landmarks[:, 3:].mean(1)
    # Open or close the mouth and each eye: stretch or squeeze vertically.
    for place, width in (
        (mouth, 0.45),
        (landmarks[:, 0], 0.25),
        (landmarks[:, 1], 0.25),
    ):
        away = source - place[:, None, None]
        near = (-(away.square().sum(-1) / (width * eyes[:, None, None]).square())).exp()
        amount = _spread(count, like=eyes)[:, None, None] * strength * 2
        change[..., 1] += away[..., 1] * near * amount
    # Bend the corners of the mouth and the jaw up or down.
    away = source - mouth[:, None, None]
    near = (-(away.square().sum(-1) / (0.5 * eyes[:, None, None]).square())).exp()
    bend = (away[..., 0] / eyes[:, None, None]).square() * eyes[:, None, None]
    change[..., 1] += (
        bend * near * (_spread(count, like=eyes) * strength)[:, None, None]
    )
    return change


def open_mouths(views: Tensor, landmarks: Tensor) -> tuple[Tensor, Tensor]:
    """Paint a third of the mouths open, from a slit to a yawn.

    Portraits have closed mouths or smiles, and people in videos talk.

    Args:
        views (Tensor): (K, 3, S, S) in [-1, 1].
        landmarks (Tensor): (K, 5, 2) as fractions of the side.

    Returns:
        tuple[Tensor, Tensor]: Views, (K, 3, S, S), and where mouths are painted,
        (K, 1, S, S) in [0, 1].
    """
    count, side, device = len(views), views.shape[-1], views.device
    line = (torch.arange(side, device=device) + 0.5) / side
    places = torch.stack(torch.meshgrid(line, line, indexing='xy'), -1)
    eyes = (landmarks[:, 0] - landmarks[:, 1]).norm(dim=1)[:, None, None]
    along = landmarks[:, 4] - landmarks[:, 3]
    along = along / along.norm(dim=1, keepdim=True).clamp(min=1e-6)
    down = torch.stack([-along[:, 1], along[:, 0]], 1)

    def number(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, 1, 1, device=device)

    height, width = eyes * number(0.04, 0.5), eyes * number(0.2, 0.42)
    away = places - landmarks[:, 3:].mean(1)[:, None, None]
    across = (away * along[:, None, None]).sum(-1) / width
    # An open mouth extends downwards.
    below = (away * down[:, None, None]).sum(-1) / height - 0.5
    radius = torch.hypot(across, below)
    soft = 1.5 / (side * torch.minimum(height, width))
    painted = ((1 - radius) / soft + 0.5).clamp(0, 1)
    lips = ((1.25 - radius) / soft + 0.5).clamp(0, 1) * 0.5
    tongue = (below > number(0.1, 0.9)).float()
    teeth = (below < number(-1.3, -0.5)).float()

    def colour(*middle: float) -> Tensor:
        tone = views.new_tensor(middle)[None, :, None, None]
        return (tone + 0.15 * _spread(count, 3, 1, 1, like=views)).clamp(-1, 1)

    inside = torch.lerp(
        colour(-0.75, -0.9, -0.9), colour(0.3, -0.4, -0.4), tongue[:, None]
    )
    inside = torch.lerp(inside, colour(0.8, 0.75, 0.65), teeth[:, None])
    chosen = (number(0, 1) < 1 / 3).float()
    shown = torch.lerp(views, colour(0.2, -0.35, -0.35), (lips * chosen)[:, None])
    opening = (painted * chosen)[:, None]
    return torch.lerp(shown, inside, opening), opening


def expose(views: Tensor, strength: float = 1.0) -> Tensor:
    """Change exposure, contrast, colour and direction of the light.

    Args:
        views (Tensor): (K, 3, S, S) in [-1, 1].
        strength (float): How much, from 0.

    Returns:
        Tensor: (K, 3, S, S) in [-1, 1].
    """
    count, side = len(views), views.shape[-1]
    each = (count, 1, 1, 1)
    shown = (views + 1) / 2
    gamma = (_spread(*each, like=views) * 0.4 * strength).exp()
    shown = shown.clamp(1e-4, 1) ** gamma
    shown = shown * (1 + 0.12 * strength * _spread(count, 3, 1, 1, like=views))
    mean = shown.mean((1, 2, 3), True)
    contrast = 1 + 0.3 * strength * _spread(*each, like=views)
    shown = (shown - mean) * contrast + mean
    line = torch.linspace(-1, 1, side, device=views.device)
    across, down = _spread(2, *each, like=views) * 0.25 * strength
    shown = shown * (1 + across * line + down * line[:, None])
    return shown.clamp(0, 1) * 2 - 1


def relight(views: Tensor) -> Tensor:
    """Change the light as :func:`expose` does, and its kind.

    On average, one view in four becomes grey, one in six is dark, and one in eight has
    light of one colour, as on a stage.

    Args:
        views (Tensor): (K, 3, S, S) in [-1, 1].

    Returns:
        Tensor: (K, 3, S, S) in [-1, 1].
    """
    count = len(views)
    each = (count, 1, 1, 1)
    shown = (expose(views) + 1) / 2
    # One in six is dark.
    dark = torch.rand(each, device=views.device) < 1 / 6
    shown = torch.where(
        dark, shown * (0.25 + 0.5 * torch.rand(each, device=views.device)), shown
    )
    grey = shown.mean(1, True).expand_as(shown)
    # The modifier must not take grey skin for an object.
    without = torch.rand(each, device=views.device) < 0.25
    shown = torch.where(without, grey, shown)
    stage = torch.rand(count, 3, 1, 1, device=views.device) ** 1.5 + 0.1
    on_stage = torch.rand(each, device=views.device) < 1 / 8
    shown = torch.where(on_stage, shown * stage / stage.amax(1, True), shown)
    return shown.clamp(0, 1) * 2 - 1


def degrade(views: Tensor) -> Tensor:
    """Lower the resolution of 44 % of the views, and add noise to half.

    Args:
        views (Tensor): (K, 3, S, S) in [-1, 1].

    Returns:
        Tensor: (K, 3, S, S) in [-1, 1].
    """
    side = views.shape[-1]
    shown = views
    for smaller, share in ((side * 2 // 3, 0.2), (side // 2, 0.2), (side // 3, 0.12)):
        chosen = torch.rand(len(views), 1, 1, 1, device=views.device) < share
        less = F.interpolate(views, size=smaller, mode='bilinear', antialias=True)
        less = F.interpolate(less, size=side, mode='bilinear')
        shown = torch.where(chosen, less, shown)
    noise = torch.rand(len(views), 1, 1, 1, device=views.device) * 0.06 - 0.03
    return (shown + torch.randn_like(shown) * noise.clamp(min=0)).clamp(-1, 1)


def hold_objects(views: Tensor, landmarks: Tensor) -> tuple[Tensor, Tensor]:
    """Draw up to two simple objects into views; 64 % of the views get one or two.

    An object consists of one bar or of five parallel bars, rounded or square, like a
    stick, a cup, a phone or fingers; most are near the mouth. It has one random colour,
    the colour of the skin next to the nose, or the pixels of another view.

    Args:
        views (Tensor): (K, 3, S, S) in [-1, 1].
        landmarks (Tensor): (K, 5, 2) as fractions of the side.

    Returns:
        tuple[Tensor, Tensor]: Views with objects, (K, 3, S, S), and the opacity of the
        objects, (K, 1, S, S) in [0, 1].
    """
    count, side = len(views), views.shape[-1]
    device = views.device
    line = (torch.arange(side, device=device) + 0.5) / side
    places = torch.stack(torch.meshgrid(line, line, indexing='xy'), -1)
    shown, where = views, views.new_zeros(count, 1, side, side)
    skin = (landmarks[:, :2] + landmarks[:, 2:3]).mean(1) * 0.5
    at = (skin * 2 - 1)[:, None, None]
    tone = F.grid_sample(views, at.to(views), align_corners=False)
    for _ in range(2):
        there = (torch.rand(count, 1, 1, 1, device=device) < 0.4).float()
        # 60 % are near the mouth.
        mouth = landmarks[:, 3:].mean(1)
        near = (torch.rand(count, 1, device=device) < 0.6).float()
        spot = near * (mouth + 0.05 * torch.randn(count, 2, device=device)) + (
            1 - near
        ) * (0.15 + 0.7 * torch.rand(count, 2, device=device))
        angle = torch.rand(count, device=device) * 2 * math.pi
        along = torch.stack([angle.cos(), angle.sin()], 1)
        length = 0.04 + 0.3 * torch.rand(count, device=device)
        radius = 0.008 + 0.07 * torch.rand(count, device=device) ** 2
        several = torch.rand(count, device=device) < 0.5
        apart = radius * (1.8 + torch.rand(count, device=device))
        square = torch.rand(count, device=device) < 0.4
        # Five parallel bars: all of them, or only the one in the middle.
        rank = torch.arange(-2, 3, device=device)
        aside = torch.stack([-along[:, 1], along[:, 0]], 1)
        off = (apart[:, None] * rank)[:, :, None] * aside[:, None]
        reach = length[:, None] * (0.8 + 0.4 * torch.rand(count, 5, device=device))
        away = places - (spot[:, None] + off)[:, :, None, None]  # (K, 5, S, S, 2)
        forward = (away * along[:, None, None, None]).sum(-1)
        across = (away * aside[:, None, None, None]).sum(-1).abs()
        beyond = torch.maximum(-forward, forward - reach[:, :, None, None]).clamp(min=0)
        rounded = torch.hypot(beyond, across)
        away = torch.where(
            square[:, None, None, None], torch.maximum(beyond, across), rounded
        )
        inside = ((radius[:, None, None, None] - away) * side + 0.5).clamp(0, 1)
        alive = (several[:, None] | (rank == 0)).float()
        mask = (inside * alive[:, :, None, None]).amax(1)
        mask = mask[:, None] * there
        flat = _spread(count, 3, 1, 1, like=views)
        kind = torch.rand(count, 1, 1, 1, device=device)
        skinny = (
            tone + 0.08 * _spread(count, 3, 1, 1, like=views)
        ) + 0.05 * torch.randn_like(views)
        shade = 1 + 0.25 * _spread(count, 1, 1, 1, like=views) * (places.sum(-1) - 1)
        pattern = views.roll(1, 0).flip(3)
        colour = torch.where(
            kind < 0.45,
            flat.expand_as(views),
            torch.where(kind < 0.75, skinny, pattern),
        )
        colour = (colour * shade).clamp(-1, 1)
        shown = torch.lerp(shown, colour, mask)
        where = torch.maximum(where, mask)
    return shown, where


def hold_drawn(
    views: Tensor, landmarks: Tensor, objects: Tensor, things: Tensor
) -> tuple[Tensor, Tensor]:
    """Put pictures of objects at the mouths of half of the faces.

    Args:
        views (Tensor): (K, 3, S, S) in [-1, 1].
        landmarks (Tensor): (K, 5, 2) as fractions of the side.
        objects (Tensor): Opacity of the objects that the views already show,
            (K, 1, S, S) in [0, 1].
        things (Tensor): Pictures of objects, uint8 (K, 4, T, T): red, green, blue and
            opacity, drawn for a face whose mouth is at (0.5, 0.62) and whose eyes are
            0.2 apart, as fractions of the side.

    Returns:
        tuple[Tensor, Tensor]: Views with objects, (K, 3, S, S), and the opacity of all
        objects, (K, 1, S, S) in [0, 1].
    """
    count, each = len(views), (len(views), 1, 1, 1)
    cover = things[:, 3:].float() / 255
    colour = things[:, :3].float() / 127.5 - 1
    eyes = (landmarks[:, 0] - landmarks[:, 1]).norm(dim=1) / 0.2
    # Maps positions in the view to positions in the object's picture, both in [-1, 1].
    scale = 1 / (eyes * (1 + 0.25 * _spread(count, like=views)))
    angle = _spread(count, like=views) * 0.35
    mirror = _spread(count, like=views).sign()
    cos, sin = angle.cos() * scale, angle.sin() * scale
    turn = torch.stack(
        [torch.stack([mirror * cos, -mirror * sin], 1), torch.stack([sin, cos], 1)], 1
    )
    mouth = landmarks[:, 3:].mean(1) * 2 - 1
    start = turn.new_tensor([0.0, 0.24]) - torch.einsum('kij,kj->ki', turn, mouth)
    theta = torch.cat([turn, start[:, :, None]], 2)
    grid = F.affine_grid(theta, [count, 4, *views.shape[2:]], align_corners=False)
    # Weighted by opacity, so that transparent pixels do not colour the edge.
    moved = F.grid_sample(
        torch.cat([colour * cover, cover], 1), grid, align_corners=False
    )
    cover, colour = moved[:, 3:], moved[:, :3] / moved[:, 3:].clamp(min=0.02)
    tint = 1 + 0.25 * _spread(count, 3, 1, 1, like=views)
    light = 0.95 + 0.25 * _spread(*each, like=views)
    colour = ((colour + 1) * tint * light - 1).clamp(-1, 1)
    cover = cover * (torch.rand(each, device=views.device) < 0.5)
    return torch.lerp(views, colour, cover), torch.maximum(objects, cover)


def nudged(views: Tensor) -> Tensor:
    """Draw a small motion: where each pixel of the next frame comes from.

    Like the crop of a track from frame to frame, it shifts by up to 1 % of its side,
    scales by up to 1 % and turns by up to 0.02 rad.

    Args:
        views (Tensor): (K, 3, S, S); only its shape and device are used.

    Returns:
        Tensor: (K, S, S, 2), positions in the view, in [-1, 1], for
        :func:`torch.nn.functional.grid_sample`.
    """
    count = len(views)
    scale = 1 + 0.01 * _spread(count, like=views)
    turn = 0.02 * _spread(count, like=views)
    shift = 0.02 * _spread(count, 2, like=views)
    theta = torch.stack(
        [
            torch.stack([scale, -turn, shift[:, 0]], 1),
            torch.stack([turn, scale, shift[:, 1]], 1),
        ],
        1,
    )
    return F.affine_grid(theta, list(views.shape), align_corners=False)
