"""Heads that name people, with the margins of their losses.

All heads except :class:`SoftmaxHead` work in the same way. They compute the cosine
between an embedding and the weights of each person, lower it for the right person by a
margin, scale it, and apply cross-entropy. Each margin is one method,
:meth:`CosineMarginHead.penalize`.
"""

import math
from abc import abstractmethod

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmanon.registry import MODELS


class BaseFaceHead(BaseModule):
    """Scores embeddings for each person, in float32 also under autocast.

    Args:
        num_classes (int): I, the number of people.
        embed_dim (int): E, the size of an embedding.
        init_cfg (dict, optional): Initialization, as of mmengine's ``BaseModule``.

    Raises:
        ValueError: If there are fewer than two people.
    """

    def __init__(
        self, num_classes: int, embed_dim: int, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg)
        if num_classes < 2:
            raise ValueError(f'num_classes must be at least 2, got {num_classes}')
        self.num_classes = num_classes
        self.embed_dim = embed_dim
        self.weight = nn.Parameter(torch.empty(num_classes, embed_dim))
        nn.init.xavier_uniform_(self.weight)

    def forward(
        self, embeddings: Tensor, labels: Tensor | None = None
    ) -> Tensor | dict[str, Tensor]:
        """Call :meth:`logits`, or :meth:`loss` if labels are given."""
        if labels is None:
            return self.logits(embeddings)
        return self.loss(embeddings, labels)

    def logits(self, embeddings: Tensor) -> Tensor:
        """Score embeddings, (K, E), for each person, without a margin.

        Returns:
            Tensor: (K, I) float32; softmax gives probabilities.
        """
        with torch.autocast(embeddings.device.type, enabled=False):
            return self._scores(embeddings.float(), None)[0]

    def loss(self, embeddings: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Compute the mean cross-entropy with the margin.

        Args:
            embeddings (Tensor): (K, E).
            labels (Tensor): (K,) int64 in [0, I).

        Returns:
            dict[str, Tensor]: ``loss``, a scalar, and ``logits``, (K, I), as in
            :meth:`logits`.

        Raises:
            ValueError: If labels on the CPU are out of range. On a GPU this check
                would wait for the device; CUDA's own check stops the process.
        """
        if labels.device.type == 'cpu' and len(labels):
            low, high = labels.min().item(), labels.max().item()
            if low < 0 or high >= self.num_classes:
                raise ValueError(
                    f'labels range from {low} to {high}, so there are at least '
                    f'{high + 1} identities, but num_classes={self.num_classes} of the '
                    f'{type(self).__name__} allows 0 to {self.num_classes - 1}'
                )
        with torch.autocast(embeddings.device.type, enabled=False):
            logits, hindered = self._scores(embeddings.float(), labels)
            assert hindered is not None  # because there are labels
            return dict(loss=F.cross_entropy(hindered, labels), logits=logits)

    def advance(self) -> None:
        """Advance the annealing by one optimizer step; most heads have none."""

    @abstractmethod
    def _scores(
        self, embeddings: Tensor, labels: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Return scores without the margin, and with it if labels are given."""


@MODELS.register_module()
class SoftmaxHead(BaseFaceHead):
    """A linear layer and softmax, without a margin.

    Args:
        num_classes (int): I, the number of people.
        embed_dim (int): E, the size of an embedding.
        init_cfg (dict, optional): Initialization, as of mmengine's ``BaseModule``.
    """

    def __init__(
        self, num_classes: int, embed_dim: int, init_cfg: dict | None = None
    ) -> None:
        super().__init__(num_classes, embed_dim, init_cfg)
        self.bias = nn.Parameter(torch.zeros(num_classes))

    def _scores(
        self, embeddings: Tensor, labels: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        logits = F.linear(embeddings, self.weight.float(), self.bias.float())
        return logits, logits


class CosineMarginHead(BaseFaceHead):
    """Base class of the heads with a margin on the cosine."""

    def _scores(
        self, embeddings: Tensor, labels: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        cosines = F.linear(
            F.normalize(embeddings), F.normalize(self.weight.float())
        ).clamp(-1, 1)
        scale = self.scale(embeddings)
        logits = scale * cosines
        if labels is None:
            return logits, None
        right = labels[:, None]
        penalized = self.penalize(cosines.gather(1, right))
        return logits, logits.scatter(1, right, scale * penalized)

    @abstractmethod
    def scale(self, embeddings: Tensor) -> Tensor | float:
        """Return the factor of the cosines: a number, or (K, 1)."""

    @abstractmethod
    def penalize(self, cosine: Tensor) -> Tensor:
        """Apply the margin to the right person's cosine, (K, 1); it never grows."""


@MODELS.register_module()
class ASoftmaxHead(CosineMarginHead):
    """Angular softmax (A-Softmax) with annealing.

    Liu et al., "SphereFace: Deep Hypersphere Embedding for Face Recognition", CVPR
    2017. For the angle t between the embedding and the weights of the right person, its
    score is ``(lambda cos(t) + psi(t)) / (1 + lambda)`` times the embedding's length.
    After n optimizer steps, ``lambda`` is ``base_lambda (1 + gamma n)^-power``, but at
    least ``min_lambda``. A large lambda means softmax without a margin, and lambda = 0
    the full margin.

    Args:
        num_classes (int): I, the number of people.
        embed_dim (int): E, the size of an embedding.
        m (int): Factor of the angular margin: the angle to the right person must be m
            times smaller. Defaults to 4.
        base_lambda (float): Lambda at the start. Defaults to 1000.
        gamma (float): Speed of the annealing. Defaults to 0.12.
        power (float): Exponent of the annealing. Defaults to 1.
        min_lambda (float): Smallest lambda. Defaults to 5.
        init_cfg (dict, optional): Initialization, as of mmengine's ``BaseModule``.

    Raises:
        ValueError: If m is not a positive integer.
    """

    def __init__(
        self,
        num_classes: int,
        embed_dim: int,
        m: int = 4,
        base_lambda: float = 1000.0,
        gamma: float = 0.12,
        power: float = 1.0,
        min_lambda: float = 5.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(num_classes, embed_dim, init_cfg)
        if m != int(m) or m < 1:
            raise ValueError(f'm of A-Softmax must be a positive integer, got {m}')
        self.m = int(m)
        self.base_lambda = base_lambda
        self.gamma = gamma
        self.power = power
        self.min_lambda = min_lambda
        self.register_buffer('steps', torch.zeros((), dtype=torch.int64))

    def annealing(self) -> Tensor:
        """Return lambda, a scalar."""
        speed = (1 + self.gamma * self.steps).pow(-self.power)
        return (self.base_lambda * speed).clamp(min=self.min_lambda)

    def advance(self) -> None:
        """Count one optimizer step."""
        self.steps += 1

    def scale(self, embeddings: Tensor) -> Tensor:
        """Return the lengths of the embeddings, (K, 1)."""
        return embeddings.norm(dim=1, keepdim=True)

    def penalize(self, cosine: Tensor) -> Tensor:
        """Return ``(lambda cos(t) + psi(t)) / (1 + lambda)``."""
        weight = self.annealing()
        return (weight * cosine + self.psi(cosine)) / (1 + weight)

    def psi(self, cosine: Tensor) -> Tensor:
        """Compute ``(-1)^k cos(m t) - 2k`` for t in [k pi / m, (k + 1) pi / m].

        This is equation 7. It falls from 1 to 1 - 2m over [0, pi]. cos(m t) is computed
        as a Chebyshev polynomial of cos(t), so that the gradient stays finite at t = 0
        and t = pi.
        """
        before, multiple = torch.ones_like(cosine), cosine
        for _ in range(self.m - 1):
            before, multiple = multiple, 2 * cosine * multiple - before
        angle = cosine.detach().acos()
        piece = (angle * (self.m / math.pi)).floor().clamp(max=self.m - 1)
        return (1 - 2 * (piece % 2)) * multiple - 2 * piece


@MODELS.register_module()
class CosFaceHead(CosineMarginHead):
    """Additive cosine margin: ``s (cos(t) - m)``.

    Wang et al., "CosFace: Large Margin Cosine Loss for Deep Face Recognition", CVPR
    2018, equation 4.

    Args:
        num_classes (int): I, the number of people.
        embed_dim (int): E, the size of an embedding.
        s (float): Scale of the cosines. Defaults to 64.
        m (float): The margin, a cosine. Defaults to 0.35.
        init_cfg (dict, optional): Initialization, as of mmengine's ``BaseModule``.
    """

    def __init__(
        self,
        num_classes: int,
        embed_dim: int,
        s: float = 64.0,
        m: float = 0.35,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(num_classes, embed_dim, init_cfg)
        self.s = s
        self.m = m

    def scale(self, embeddings: Tensor) -> float:
        """Return the constant s."""
        return self.s

    def penalize(self, cosine: Tensor) -> Tensor:
        """Lower the cosine by m."""
        return cosine - self.m


@MODELS.register_module()
class ArcFaceHead(CosFaceHead):
    """Additive angular margin: ``s cos(t + m)``.

    Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", CVPR
    2019, equation 3. If t + m exceeds pi, the score is ``s (cos(t) - m sin(m))``, as in
    the authors' training, so that it continues to fall with t.

    Args:
        num_classes (int): I, the number of people.
        embed_dim (int): E, the size of an embedding.
        s (float): Scale of the cosines. Defaults to 64.
        m (float): The margin, an angle in radians. Defaults to 0.5.
        init_cfg (dict, optional): Initialization, as of mmengine's ``BaseModule``.
    """

    def __init__(
        self,
        num_classes: int,
        embed_dim: int,
        s: float = 64.0,
        m: float = 0.5,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(num_classes, embed_dim, s, m, init_cfg)

    def penalize(self, cosine: Tensor) -> Tensor:
        """Add m to the angle."""
        # Above zero: the slope of the square root is infinite at 0.
        sine = (1 - cosine * cosine).clamp(min=1e-6).sqrt()
        wider = cosine * math.cos(self.m) - sine * math.sin(self.m)
        beyond = cosine - self.m * math.sin(self.m)
        return torch.where(cosine >= -math.cos(self.m), wider, beyond)
