"""Batches of portrait views for the pretraining of an inpainting modifier."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .backgrounds import only_head, random_backgrounds
from .portrait_views import (
    Motion,
    degrade,
    expose,
    hold_drawn,
    hold_objects,
    nudged,
    open_mouths,
    relight,
    view_portraits,
)

__all__ = ['Scene', 'make_scene']


class Scene(NamedTuple):
    """A batch of views.

    Attributes:
        clean: Views without objects, (K, 3, S, S) in [-1, 1].
        shown: The same views with objects in front of faces.
        objects: Opacity of these objects and of painted mouths, (K, 1, S, S) in [0, 1].
        places: Landmarks of the views, (K, 5, 2), as fractions of the side.
        portraits: The heads of other views, (K, 4, S, S): colours in [-1, 1] and
            opacity in [0, 1], 0 at the background and below the chin.
        portrait_places: Landmarks of these, (K, 5, 2), as fractions of the side.
        nudge: Where the pixels of the next frame come from, (K, S, S, 2).
    """

    clean: Tensor
    shown: Tensor
    objects: Tensor
    places: Tensor
    portraits: Tensor
    portrait_places: Tensor
    nudge: Tensor

    @property
    def eyes(self) -> Tensor:
        """Distance between the eyes, (K,), as a fraction of the side; at least 0.05."""
        return (self.places[:, 0] - self.places[:, 1]).norm(dim=1).clamp(min=0.05)


@torch.no_grad()
def make_scene(
    portraits: Tensor, landmarks: Tensor, size: int, things: Tensor | None = None
) -> Scene:
    """Make two views of each portrait.

    The first shows more than half of the people in front of another background, and
    objects in front of faces. The second has another light and expression, and only the
    head.

    Args:
        portraits (Tensor): (K, 4, P, P): colours in [-1, 1], and the opacity of the
            person in [0, 1].
        landmarks (Tensor): (K, 5, 2) as fractions of the portrait's side.
        size (int): S, the side of the views in pixels.
        things (Tensor, optional): Pictures of objects, see :func:`hold_drawn`.
    """
    count, device = len(portraits), portraits.device
    views, places = view_portraits(portraits, landmarks, size, Motion())
    colours, opacity = views.split([3, 1], 1)
    colours, mouths = open_mouths(colours, places)
    elsewhere = torch.lerp(random_backgrounds(count, size, device), colours, opacity)
    moved_away = torch.rand(count, 1, 1, 1, device=device) < 0.6
    colours = torch.where(moved_away, elsewhere, colours)
    held, objects = hold_objects(colours, places)
    if things is not None:
        held, objects = hold_drawn(held, places, objects, things)
    # What is within an open mouth stays too: it shows who talks, and hardly who it is.
    objects = torch.maximum(objects, mouths)
    clean, shown = _in_one_light(colours, held)
    seen, seen_places = view_portraits(
        portraits, landmarks, size, Motion(15.0, 0.15, 0.04, 0.25)
    )
    colours, opacity = seen.split([3, 1], 1)
    # People are drawn from portraits in good light.
    seen = torch.cat([expose(colours, 0.3), only_head(opacity, seen_places)], 1)
    return Scene(clean, shown, objects, places, seen, seen_places, nudged(shown))


def _in_one_light(*views: Tensor) -> list[Tensor]:
    """Change light and camera of views, (K, 3, S, S), of all in the same way."""
    seed, devices = int(torch.randint(2**31, ())), []
    if views[0].device.type == 'cuda':
        devices = [views[0].device]
    seen = []
    for view in views:
        with torch.random.fork_rng(devices):
            torch.manual_seed(seed)
            seen.append(degrade(relight(view)))
    return seen
