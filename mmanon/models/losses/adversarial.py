"""What the modifier minimizes against the discriminator.

Each loss asks the discriminator about modified faces and is differentiable in them.
The discriminator itself learns elsewhere: here its parameters are held still.
"""

from abc import ABCMeta, abstractmethod
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmanon.models.modifiers import DownsampleModifier
from mmanon.registry import MODELS


class AdversarialLoss(nn.Module, metaclass=ABCMeta):
    """Base of the modifier's objectives against the discriminator.

    With ``shrinks`` beside 1 the discriminator sees some batches of modified faces with
    less detail: the expectation over transformations of Athalye et al., "Synthesizing
    Robust Adversarial Examples" (ICML 2018). Fine texture that misleads this
    discriminator and no other recognizer counts for less then, and what a person is
    known by at a distance has to change.

    Args:
        loss_weight (float): Factor of the loss. Defaults to 1.
        shrinks (Sequence[int]): Factors of which each call draws one: the modified
            faces are shrunk by it and enlarged again. Defaults to ``(1,)``.

    Raises:
        ValueError: When ``shrinks`` are not whole numbers of at least 1.
    """

    def __init__(self, loss_weight: float = 1.0, shrinks: Sequence[int] = (1,)) -> None:
        super().__init__()
        if not shrinks or any(not isinstance(s, int) or s < 1 for s in shrinks):
            raise ValueError(
                f'shrinks must be whole numbers of at least 1, got {shrinks!r}'
            )
        self.loss_weight = loss_weight
        self.shrinks = tuple(shrinks)

    def forward(
        self,
        discriminator: nn.Module,
        modified: Tensor,
        original: Tensor,
        labels: Tensor,
    ) -> Tensor:
        """Compute the weighted loss.

        Args:
            discriminator (nn.Module): A :class:`FaceClassifier`.
            modified (Tensor): Modified faces, (B, 3, S, S) in [-1, 1].
            original (Tensor): The same faces before, (B, 3, S, S) in [-1, 1].
            labels (Tensor): Their identities, (B,) in [0, I).

        Returns:
            Tensor: A scalar.
        """
        shrink = self.shrinks[0]
        if len(self.shrinks) > 1:
            shrink = self.shrinks[int(torch.randint(len(self.shrinks), ()))]
        seen = modified
        if shrink > 1:
            seen = DownsampleModifier(max(1, modified.shape[-1] // shrink))(modified)
        loss = self.compute(discriminator, seen, original, labels)
        return self.loss_weight * loss

    @abstractmethod
    def compute(
        self,
        discriminator: nn.Module,
        modified: Tensor,
        original: Tensor,
        labels: Tensor,
    ) -> Tensor:
        """Compute the loss without its weight."""


@MODELS.register_module()
class NegatedClassifierLoss(AdversarialLoss):
    """The discriminator's own loss, negated: ``L_adv`` of Ren et al., ECCV 2018.

    It has no lower bound: the modifier gains by leaving the image altogether unless the
    structure loss weighs enough against it.
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
    """Pull the discriminator's answer on modified faces to "could be anyone".

    The Kullback-Leibler divergence from the uniform distribution over identities to
    the answer, 0 at best; confusion instead of a wrong name leaves nothing to invert.
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
        return uniform.log() - log_answer.mean(1).mean()


@MODELS.register_module()
class EmbeddingSimilarityLoss(AdversarialLoss):
    """Push the embedding of a modified face away from the original's.

    The mean of ``max(0, cos(embed(M(f)), embed(f)) - margin)``, in [0, 1 - margin]. It
    needs no identities beyond those of the face batch, and any recognizer will do.

    Args:
        margin (float): Cosine under which a pair counts as two people. Defaults to 0.
        loss_weight (float): Factor of the loss. Defaults to 1.
        shrinks (Sequence[int]): As of :class:`AdversarialLoss`.
    """

    def __init__(
        self,
        margin: float = 0.0,
        loss_weight: float = 1.0,
        shrinks: Sequence[int] = (1,),
    ) -> None:
        super().__init__(loss_weight, shrinks)
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
        return (F.cosine_similarity(seen, known) - self.margin).clamp(min=0).mean()
