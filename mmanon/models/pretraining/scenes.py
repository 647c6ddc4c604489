"""Batches of portrait views for the pretraining of an inpainting modifier."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .portrait_views import (
    Motion,
    degrade,
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
        objects: Opacity of these objects, (K, 1, S, S) in [0, 1].
        places: Landmarks of the views, (K, 5, 2), as fractions of the side.
        others: Another view of each portrait, (K, 3, 64, 64) in [-1, 1].
        nudge: Where the pixels of the next frame come from, (K, S, S, 2).
    """

    clean: Tensor
    shown: Tensor
    objects: Tensor
    places: Tensor
    others: Tensor
    nudge: Tensor

    @property
    def eyes(self) -> Tensor:
        """Distance between the eyes, (K,), as a fraction of the side; at least 0.05."""
        return (self.places[:, 0] - self.places[:, 1]).norm(dim=1).clamp(min=0.05)


@torch.no_grad()
def make_scene(
    portraits: Tensor, landmarks: Tensor, size: int, things: Tensor | None = None
) -> Scene:
    """Make two views of each portrait, the first with objects in front of the face.

    Args:
        portraits (Tensor): (K, 3, P, P) in [-1, 1].
        landmarks (Tensor): (K, 5, 2) as fractions of the portrait's side.
        size (int): S, the side of the first views in pixels.
        things (Tensor, optional): Pictures of objects, see :func:`hold_drawn`.
    """
    views, places = view_portraits(portraits, landmarks, size, Motion())
    clean = degrade(relight(open_mouths(views, places), places))
    shown, objects = hold_objects(clean, places)
    if things is not None:
        shown, objects = hold_drawn(shown, places, objects, things)
    others, _ = view_portraits(portraits, landmarks, 64, Motion(10.0, 0.1, 0.03, 0.1))
    others = relight(others, places)
    return Scene(clean, shown, objects, places, others, nudged(shown))
