"""Faces of no real person: the average face, and directions of variation."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn

from mmanon.models.layers.face_crops import resampling_weights

__all__ = ['RunningEigenfaces', 'resized']


class RunningEigenfaces(nn.Module):
    """The average of the faces seen so far, and the directions in which they vary most.

    Turk and Pentland, "Eigenfaces for Recognition" (1991), kept up to date batch by
    batch by orthogonal iteration. A face drawn from them is a mixture of all people,
    as in k-Same-M (Gross et al., "Model-Based Face De-Identification", 2006), and no
    single face is kept: directions are averages over many people as well.

    Args:
        size (int): Side in pixels at which faces are compared; small, since a drawn
            face is smooth.
        count (int): Directions; 0 for the average alone.
        momentum (float): Least weight of a batch in what is kept. Defaults to 0.02.
        margin (float, optional): By how much of its side the face box was enlarged on
            each side of the crops. With it directions are those in which heads vary,
            and not what is around them. Defaults to all of the crop.
    """

    average: Tensor
    directions: Tensor
    variances: Tensor
    batches: Tensor
    head: Tensor

    def __init__(
        self,
        size: int,
        count: int,
        momentum: float = 0.02,
        margin: float | None = None,
    ) -> None:
        super().__init__()
        self.size = size
        self.momentum = momentum
        length = 3 * size**2
        head = torch.ones(size, size) if margin is None else _head(size, margin)
        self.register_buffer('head', head.repeat(3, 1, 1).flatten(), persistent=False)
        self.register_buffer('average', torch.zeros(length))
        # Any start will do that is not at right angles to what is looked for.
        start = torch.linalg.qr(_ramps(length, count))[0].T if count else None
        directions = torch.zeros(0, length) if start is None else start.contiguous()
        self.register_buffer('directions', directions)
        self.register_buffer('variances', torch.zeros(count))
        self.register_buffer('batches', torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def update(self, faces: Tensor) -> None:
        """Take a batch of faces, (B, 3, S, S) in [-1, 1], into account.

        Where several processes train, those of all of them: the batch of each counts as
        a part of one.
        """
        with torch.autocast(faces.device.type, enabled=False):
            pixels = resized(faces.float(), self.size).flatten(1)
            self.batches += 1
            weight = (1 / self.batches).clamp(min=self.momentum)
            count = _of_all(pixels.new_full((), float(len(pixels))))
            self.average.lerp_(_of_all(pixels.sum(0)) / count, weight)
            if not len(self.directions):
                return
            away = (pixels - self.average) * self.head
            along = away @ self.directions.T
            self.variances.lerp_(_of_all(along.square().sum(0)) / count, weight)
            # What the covariance makes of each direction, old batches and this one.
            kept = self.variances[:, None] * self.directions
            turned = kept.lerp(_of_all(along.T @ away) / count, weight)
            found, length = torch.linalg.qr(turned.T)
            # Directions may turn, but not flip: keys would mean the opposite.
            sign = torch.where(length.diagonal() < 0, -1.0, 1.0)
            self.directions.copy_((found * sign).T)

    def draw(self, keys: Tensor, size: int) -> Tensor:
        """Draw faces.

        Args:
            keys (Tensor): (K, count) of a standard normal distribution: how far each
                face is from the average along each direction, in deviations.
            size (int): Side of the faces in pixels.

        Returns:
            Tensor: (K, 3, size, size) in [-1, 1], the same for the same keys.
        """
        away = (keys.float() * self.variances.sqrt()) @ self.directions
        faces = (self.average + away).clamp(-1, 1)
        return resized(faces.view(-1, 3, self.size, self.size), size)


def resized(faces: Tensor, size: int) -> Tensor:
    """Resample square faces, (K, 3, S, S), to (K, 3, size, size).

    Bilinear, widened to an area filter where it shrinks.
    """
    side = int(faces.shape[-1])  # also while it is exported to ONNX
    if side == size:
        return faces
    start = torch.zeros(1, dtype=torch.float64, device=faces.device)
    weights = resampling_weights(start, start + side, size, side)[0].to(faces)
    return weights @ faces @ weights.T


def _of_all(number: Tensor) -> Tensor:
    """The sum over all processes."""
    all_reduce(number)
    return number


def _head(size: int, margin: float) -> Tensor:
    """Where the head is in a crop, (size, size): 1 in it, fading to 0 around it."""
    place = ((torch.arange(size) + 0.5) / size * 2 - 1) * (1 + 2 * margin)
    # With hair and ears it is larger than the box of its face, and it is taller than
    # wide.
    away = ((place / 1.1)[None].square() + (place / 1.35)[:, None].square()).sqrt()
    return ((1.15 - away) / 0.3).clamp(0, 1)


def _ramps(length: int, count: int) -> Tensor:
    """Waves of different lengths, (length, count)."""
    places = torch.linspace(0, 1, length)[:, None]
    return torch.cos(torch.pi * places * torch.arange(1, count + 1))
