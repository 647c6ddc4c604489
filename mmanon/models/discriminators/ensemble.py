"""A discriminator that consists of several different recognizers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import ModuleList
from torch import Tensor, nn

from mmanon.registry import MODELS

from .base import BaseDiscriminator
from .face_classifier import FaceClassifier

__all__ = ['DiscriminatorEnsemble']

AGAINST = ('most_confident', 'mean')


@MODELS.register_module()
class DiscriminatorEnsemble(BaseDiscriminator):
    """D as several recognizers of different architectures and views.

    A modifier that plays against one recognizer learns to mislead only this one.
    Against several recognizers that restart from time to time, it has to remove the
    features that recognizers in general use. This follows the ensemble and the restarts
    of the budget models of Wu et al., "Privacy-Preserving Deep Action Recognition: An
    Adversarial Learning Framework and A New Dataset" (TPAMI 2020).

    Each member with a head has its own optimizer. ``phases`` of the
    :class:`AdversarialAnonymizationHook` decides when a member restarts.

    Args:
        members (Sequence[dict]): Configs of :class:`FaceClassifier`; each may have
            another ``backbone``, ``head``, ``view`` and ``init_cfg``. A member without
            a head keeps its loaded weights and names nobody; it serves objectives that
            compare embeddings. At least one member needs a head.
        against (str): The member that the objective of M uses: for each face the one
            with the largest objective, ``'most_confident'``, or the ``'mean'`` of all.
            Defaults to ``'most_confident'``.
        init_cfg (dict, optional): As in :class:`FaceClassifier`, for all members.

    Raises:
        ValueError: If no member has a head, heads are for different numbers of
            people, a member without a head has no weights, or ``against`` is unknown.
    """

    def __init__(
        self,
        members: Sequence[dict],
        against: str = 'most_confident',
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if against not in AGAINST:
            raise ValueError(f'against must be one of {AGAINST}, got {against!r}')
        self.against = against
        self.members = ModuleList(
            _build(index, cfg) for index, cfg in enumerate(members)
        )
        if not self.parts:
            raise ValueError(
                'no member of the ensemble names people: give at least one a `head`'
            )
        named = {str(part.num_classes) for part in self.naming}
        if len(named) > 1:
            raise ValueError(
                f'the heads of the ensemble are for {" and ".join(sorted(named))} '
                'people: all heads must name the same people'
            )
        for member in self.members:
            if member.head is None:
                member.requires_grad_(False)

    @property
    def naming(self) -> list[FaceClassifier]:
        """The members with a head, in their order."""
        return [member for member in self.members if member.head is not None]

    @property
    def parts(self) -> dict[str, nn.Module]:
        """The members with a head, by their numbers."""
        return {
            str(index): member
            for index, member in enumerate(self.members)
            if member.head is not None
        }

    @property
    def num_classes(self) -> int | None:
        """I, the number of people."""
        return self.naming[0].num_classes

    @property
    def is_untrained(self) -> bool:
        """Whether any member has random weights: neither loaded nor trained."""
        return any(member.is_untrained for member in self.members)

    @property
    def names_people(self) -> bool:
        """Whether all members with a head have learned to name people."""
        return all(member.names_people for member in self.naming)

    def train(self, mode: bool = True) -> nn.Module:
        """Set training mode; members without a head stay in evaluation mode."""
        super().train(mode)
        for member in self.members:
            if member.head is None:
                member.eval()
        return self

    def embed(self, faces: Tensor) -> Tensor:
        """Embed face crops, (K, 3, S, S) in [-1, 1].

        Returns:
            Tensor: (K, E), the concatenated embeddings of the members, each of length
            1. The cosine of two faces is the mean of the members' cosines.
        """
        return torch.cat(
            [F.normalize(member.embed(faces).float()) for member in self.members], 1
        )

    def logits(self, faces: Tensor) -> Tensor:
        """Score face crops, (K, 3, S, S) in [-1, 1], for each person.

        Returns:
            Tensor: (K, I), the logarithm of the members' mean probability.
        """
        return _vote([member.logits(faces) for member in self.naming])

    def loss(self, faces: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Compute the sum of the members' classification losses.

        Args:
            faces (Tensor): (K, 3, S, S) in [-1, 1].
            labels (Tensor): (K,) int64 in [0, I).

        Returns:
            dict[str, Tensor]: ``loss``, a scalar, and ``logits`` as in :meth:`logits`.
        """
        answers = [member.loss(faces, labels) for member in self.naming]
        return dict(
            loss=torch.stack([answer['loss'] for answer in answers]).sum(),
            logits=_vote([answer['logits'] for answer in answers]),
        )

    @classmethod
    def complete(cls, cfg: dict, margin: float, people: int, where: str) -> dict:
        """Complete the config of each member; see :meth:`FaceClassifier.complete`."""
        members = [
            FaceClassifier.complete(member, margin, people, where)
            for member in cfg['members']
        ]
        return {**cfg, 'members': members}


def _build(index: int, cfg: dict) -> FaceClassifier:
    member = MODELS.build(cfg)
    if not isinstance(member, FaceClassifier):
        raise ValueError(
            f'member {index} of the ensemble is a {type(member).__name__}: give the '
            'config of a FaceClassifier'
        )
    comes_from_a_file = member.init_cfg or member.backbone.init_cfg
    if member.head is None and not comes_from_a_file:
        raise ValueError(
            f'member {index} of the ensemble has neither a `head` to learn with nor '
            'weights: give it a `head`, or its backbone an `init_cfg`'
        )
    return member


def _vote(logits: Sequence[Tensor]) -> Tensor:
    """Return the logarithm of the mean probability, (K, I)."""
    answers = torch.stack([F.log_softmax(each.float(), 1) for each in logits])
    return answers.exp().mean(0).clamp_min(torch.finfo(answers.dtype).tiny).log()
