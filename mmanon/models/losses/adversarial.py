"""Losses of the modifier against the discriminator.

Each loss evaluates the discriminator on modified faces and is differentiable in them.
The discriminator does not learn from these losses: the game freezes its parameters
while it computes them.
"""

from abc import ABCMeta, abstractmethod
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmanon.models.discriminators import DiscriminatorEnsemble
from mmanon.models.modifiers import DownsampleModifier
from mmanon.registry import MODELS


class AdversarialLoss(nn.Module, metaclass=ABCMeta):
    """Base class of the modifier's objectives against the discriminator.

    With ``shrinks`` other than 1, the discriminator sees some batches of modified faces
    with less detail. This is the expectation over transformations of Athalye et al.,
    "Synthesizing Robust Adversarial Examples" (ICML 2018). It makes fine texture that
    misleads only this discriminator less useful, and forces the modifier to change
    features that identify a person at a distance.

    With a :class:`DiscriminatorEnsemble`, each member is evaluated; its ``against``
    decides whether the most confident member or the mean counts.

    Args:
        loss_weight (float): Weight of the loss. Defaults to 1.
        shrinks (Sequence[int]): Factors; each call draws one of them, shrinks the
            modified faces by it and enlarges them again. D learns on faces shrunk in
            the same way. Defaults to ``(1,)``.
        members (Sequence[int], optional): Indices of the ensemble members to evaluate.
            Defaults to all members that can answer.

    Raises:
        ValueError: If ``shrinks`` are not whole numbers of at least 1.
    """

    asks_names = True
    """Whether the objective needs members with a head."""

    def __init__(
        self,
        loss_weight: float = 1.0,
        shrinks: Sequence[int] = (1,),
        members: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        if not shrinks or any(not isinstance(s, int) or s < 1 for s in shrinks):
            raise ValueError(
                f'shrinks must be whole numbers of at least 1, got {shrinks!r}'
            )
        self.loss_weight = loss_weight
        self.shrinks = tuple(shrinks)
        self.members = None if members is None else tuple(members)

    def forward(
        self,
        discriminator: nn.Module,
        modified: Tensor,
        original: Tensor,
        labels: Tensor,
    ) -> Tensor:
        """Compute the weighted loss.

        Args:
            discriminator (nn.Module): A :class:`FaceClassifier`, or a
                :class:`DiscriminatorEnsemble`.
            modified (Tensor): Modified faces, (B, 3, S, S) in [-1, 1].
            original (Tensor): The original faces, (B, 3, S, S) in [-1, 1].
            labels (Tensor): Their identities, (B,) in [0, I).

        Returns:
            Tensor: A scalar.

        Raises:
            ValueError: If ``members`` are given and the discriminator does not have
                them.
        """
        seen = shrunk(modified, self.shrinks)
        found = [
            self.compute(one, seen, original, labels)
            for one in self._asked(discriminator)
        ]
        loss = torch.stack(found)
        if getattr(discriminator, 'against', 'mean') == 'most_confident':
            # The member that recognizes a face best has the largest objective.
            loss = loss.amax(0)
        return self.loss_weight * loss.mean()

    def _asked(self, discriminator: nn.Module) -> list[nn.Module]:
        if not isinstance(discriminator, DiscriminatorEnsemble):
            if self.members is not None:
                raise ValueError(
                    f'{type(self).__name__} has members={self.members}, but there is '
                    f'only one discriminator, a {type(discriminator).__name__}: leave '
                    'out `members`'
                )
            return [discriminator]
        members: list[nn.Module] = list(discriminator.members)
        if self.members is None:
            return [*discriminator.naming] if self.asks_names else members
        wrong = [index for index in self.members if index not in range(len(members))]
        if wrong or not self.members:
            raise ValueError(
                f'members={self.members} of {type(self).__name__}: the ensemble has '
                f'members 0 to {len(members) - 1}'
            )
        return [members[index] for index in self.members]

    @abstractmethod
    def compute(
        self,
        discriminator: nn.Module,
        modified: Tensor,
        original: Tensor,
        labels: Tensor,
    ) -> Tensor:
        """Compute the loss of each face, (B,), or their mean, without the weight."""


@MODELS.register_module()
class NegatedClassifierLoss(AdversarialLoss):
    """The discriminator's own loss, negated: ``L_adv`` of Ren et al., ECCV 2018.

    It has no lower bound: if the structure loss is too weak, the modifier draws
    something that has nothing to do with the face.
    """

    def compute(
        self,
        discriminator: nn.Module,
        modified: Tensor,
        original: Tensor,
        labels: Tensor,
    ) -> Tensor:
        return -discriminator(modified, labels, mode='loss')['loss']


@MODELS.register_module()
class UniformTargetLoss(AdversarialLoss):
    """Makes the discriminator's answer on modified faces uniform over all people.

    The loss is the Kullback-Leibler divergence KL(uniform ‖ answer); 0 is optimal. A
    uniform answer carries no information, while a consistently wrong name could be
    inverted.
    """

    def compute(
        self,
        discriminator: nn.Module,
        modified: Tensor,
        original: Tensor,
        labels: Tensor,
    ) -> Tensor:
        logits = discriminator(modified, mode='logits').float()
        log_answer = F.log_softmax(logits, dim=1)
        uniform = log_answer.new_full((), 1 / logits.shape[1])
        return uniform.log() - log_answer.mean(1)


@MODELS.register_module()
class EmbeddingSimilarityLoss(AdversarialLoss):
    """Pushes the embedding of a modified face away from that of the original.

    The loss is the mean of ``max(0, cos(embed(M(f)), embed(f)) - margin)``, in
    [0, 1 - margin]. It does not use identities and works with any recognizer.

    Args:
        margin (float): Cosine below which a pair counts as two people. Defaults to 0.
        loss_weight (float): Weight of the loss. Defaults to 1.
        shrinks (Sequence[int]): As in :class:`AdversarialLoss`.
        members (Sequence[int], optional): As in :class:`AdversarialLoss`.

    Raises:
        ValueError: If ``margin`` is not in [-1, 1).
    """

    asks_names = False

    def __init__(
        self,
        margin: float = 0.0,
        loss_weight: float = 1.0,
        shrinks: Sequence[int] = (1,),
        members: Sequence[int] | None = None,
    ) -> None:
        super().__init__(loss_weight, shrinks, members)
        if not -1 <= margin < 1:
            raise ValueError(f'margin must be in [-1, 1), got {margin}')
        self.margin = margin

    def compute(
        self,
        discriminator: nn.Module,
        modified: Tensor,
        original: Tensor,
        labels: Tensor,
    ) -> Tensor:
        known = discriminator(original, mode='embed').detach().float()
        seen = discriminator(modified, mode='embed').float()
        return (F.cosine_similarity(seen, known) - self.margin).clamp(min=0)


@MODELS.register_module()
class AdversarialLossSum(nn.Module):
    """The sum of several objectives, such as one for each kind of ensemble member.

    Args:
        losses (Sequence[dict]): Configs of :class:`AdversarialLoss`, at least one.

    Raises:
        ValueError: If there is none.
    """

    def __init__(self, losses: Sequence[dict]) -> None:
        super().__init__()
        if not losses:
            raise ValueError('AdversarialLossSum needs at least one of `losses`')
        built: list[AdversarialLoss] = [MODELS.build(loss) for loss in losses]
        self.losses = nn.ModuleList(built)
        self.shrinks = tuple(sorted({one for loss in built for one in loss.shrinks}))

    def forward(
        self,
        discriminator: nn.Module,
        modified: Tensor,
        original: Tensor,
        labels: Tensor,
    ) -> Tensor:
        """Sum all objectives; arguments as in :meth:`AdversarialLoss.forward`."""
        found = [
            loss(discriminator, modified, original, labels) for loss in self.losses
        ]
        return torch.stack(found).sum()


def shrunk(faces: Tensor, shrinks: Sequence[int]) -> Tensor:
    """Reduce the detail of faces by a random factor.

    Args:
        faces (Tensor): (B, 3, S, S) in [-1, 1].
        shrinks (Sequence[int]): As in :class:`AdversarialLoss`; a single factor uses no
            random number.

    Returns:
        Tensor: Faces that were shrunk and enlarged again, of the same shape.
    """
    shrink = shrinks[0]
    if len(shrinks) > 1:
        shrink = shrinks[int(torch.randint(len(shrinks), ()))]
    if shrink == 1:
        return faces
    return DownsampleModifier(max(1, faces.shape[-1] // shrink))(faces)
