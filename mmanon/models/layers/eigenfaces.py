"""Faces of no real person, from the average face and its directions of variation."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn

from mmanon.models.layers.face_crops import resampling_weights

__all__ = ['RunningEigenfaces', 'resized']


class RunningEigenfaces(nn.Module):
    """The average of the faces seen so far, and the directions in which they vary most.

    These are the eigenfaces of Turk and Pentland, "Eigenfaces for Recognition" (1991),
    updated batch by batch by orthogonal iteration. A face drawn from them is a mixture
    of all people, as in k-Same-M (Gross et al., "Model-Based Face De-Identification",
    2006). No single face is stored: the directions are averages over many people, too.

    Args:
        size (int): Side in pixels of the stored faces; small, because a drawn face is
            smooth.
        count (int): Number of directions; 0 for the average only.
        momentum (float): Smallest weight of a batch in the averages. Defaults to 0.02.
        margin (float, optional): Enlargement of the face box on each side of a crop, as
            a fraction of its side. If given, the directions describe the head and not
            its surroundings. Defaults to the whole crop.
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
        # Any start works that is not orthogonal to the directions to find.
        start = torch.linalg.qr(_ramps(length, count))[0].T if count else None
        directions = torch.zeros(0, length) if start is None else start.contiguous()
        self.register_buffer('directions', directions)
        self.register_buffer('variances', torch.zeros(count))
        self.register_buffer('batches', torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def update(self, faces: Tensor) -> None:
        """Update average and directions by a batch of faces, (B, 3, S, S) in [-1, 1].

        In distributed training, the batches of all processes count as one batch.
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
            # The covariance times each direction, for old batches and this one.
            kept = self.variances[:, None] * self.directions
            turned = kept.lerp(_of_all(along.T @ away) / count, weight)
            found, length = torch.linalg.qr(turned.T)
            # A direction must not flip its sign: keys would mean the opposite.
            sign = torch.where(length.diagonal() < 0, -1.0, 1.0)
            self.directions.copy_((found * sign).T)

    def draw(self, keys: Tensor, size: int) -> Tensor:
        """Draw faces.

        Args:
            keys (Tensor): (K, count) from a standard normal distribution: distances
                from the average along each direction, in standard deviations.
            size (int): Side of the faces in pixels.

        Returns:
            Tensor: (K, 3, size, size) in [-1, 1]; equal keys give equal faces.
        """
        away = (keys.float() * self.variances.sqrt()) @ self.directions
        faces = (self.average + away).clamp(-1, 1)
        return resized(faces.view(-1, 3, self.size, self.size), size)


def resized(faces: Tensor, size: int) -> Tensor:
    """Resample square faces, (K, 3, S, S), to (K, 3, size, size).

    The filter is bilinear, and widened to an area filter when it shrinks.
    """
    side = int(faces.shape[-1])  # an int also during the export to ONNX
    if side == size:
        return faces
    start = torch.zeros(1, dtype=torch.float64, device=faces.device)
    weights = resampling_weights(start, start + side, size, side)[0].to(faces)
    return weights @ faces @ weights.T


def _of_all(number: Tensor) -> Tensor:
    """Return the sum over all processes."""
    all_reduce(number)
    return number


def _head(size: int, margin: float) -> Tensor:
    """The head in a crop: 1 inside, fading to 0 at its edge, (size, size)."""
    place = ((torch.arange(size) + 0.5) / size * 2 - 1) * (1 + 2 * margin)
    # A head with hair and ears is larger than the face box, and taller than wide.
    away = ((place / 1.1)[None].square() + (place / 1.35)[:, None].square()).sqrt()
    return ((1.15 - away) / 0.3).clamp(0, 1)


def _ramps(length: int, count: int) -> Tensor:
    """Cosine waves of different wavelengths, (length, count)."""
    places = torch.linspace(0, 1, length)[:, None]
    return torch.cos(torch.pi * places * torch.arange(1, count + 1))
