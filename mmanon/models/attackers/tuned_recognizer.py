"""An attacker that fine-tunes a trained recognizer on modified faces."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmanon.registry import MODELS

from .trained_attacker import TrainedAttacker, margin_for

__all__ = ['TunedRecognizer']


@MODELS.register_module()
class TunedRecognizer(TrainedAttacker):
    """A trained recognizer, fine-tuned to embed modified faces like their originals.

    The unchanged recognizer embeds originals. A copy of it learns to embed a modified
    face close to its original (feature distillation), and closer to the originals of
    the same person than to those of other people. The copy starts from the recognizer,
    so with validation it is never worse than the recognizer. It needs few faces; one
    face of each person is enough.

    Args:
        modifier (dict): M; see :class:`TrainedAttacker`.
        recognizer (dict): Config of a :class:`FaceClassifier` with trained weights,
            such as of :class:`MobileFaceNet`, and without a head. Its batch norms keep
            their statistics.
        scale (float): Scale of cosines in the contrastive loss. Defaults to 16.
        contrast_weight (float): Weight of the contrastive loss. Defaults to 0.5.
        margin (float): See :class:`TrainedAttacker`.
        init_cfg (dict, optional): See :class:`TrainedAttacker`.
        view (str or dict): See :class:`TrainedAttacker`.

    Raises:
        ValueError: If ``scale`` is not above 0, or ``contrast_weight`` is negative.
    """

    frozen = ('modifier', 'known')

    def __init__(
        self,
        modifier: dict,
        recognizer: dict,
        scale: float = 16.0,
        contrast_weight: float = 0.5,
        margin: float = 0.6,
        init_cfg: dict | None = None,
        view: str | dict = 'face',
    ) -> None:
        super().__init__(modifier, margin, init_cfg, view)
        if not scale > 0 or not contrast_weight >= 0:
            raise ValueError(
                'scale must be above 0 and contrast_weight at least 0, got '
                f'{scale!r} and {contrast_weight!r}'
            )
        recognizer = {**recognizer, 'margin': margin_for(recognizer, self.view)}
        self.known = MODELS.build(recognizer).requires_grad_(False)
        self.recognizer = MODELS.build({**recognizer, 'norm_eval': True})
        self.scale = scale
        self.contrast_weight = contrast_weight

    def loss(self, image: Tensor, label: Tensor) -> dict[str, Tensor]:
        """Compute the losses between embeddings of modified and original faces.

        Args:
            image (Tensor): Original images of its view, (B, 3, P, P) in [-1, 1].
            label (Tensor): Their identities, (B,) int64.

        Returns:
            dict[str, Tensor]: ``loss_distance``, the mean cosine distance of a modified
            face from its original; ``loss_contrast``; and ``similarity``, the mean
            cosine of a modified face and its original.
        """
        with torch.no_grad():
            originals = F.normalize(self.known.embed(image))
        modified = F.normalize(self.recognizer.embed(self.redraw(image)))
        cosines = modified @ originals.T
        alike = cosines.diagonal().mean()
        same = label[:, None] == label[None]
        scores = self.scale * cosines
        # All faces of the person count as right answers.
        right = scores.masked_fill(~same, -torch.inf).logsumexp(1)
        contrast = (scores.logsumexp(1) - right).mean()
        return dict(
            loss_distance=1 - alike,
            loss_contrast=self.contrast_weight * contrast,
            similarity=alike.detach(),
        )

    def embed(self, faces: Tensor) -> Tensor:
        """Embed original faces, (K, 3, P, P) in [-1, 1], as (K, E)."""
        return self.known.embed(faces)

    def embed_modified(self, faces: Tensor) -> Tensor:
        """Embed modified faces; shapes as in :meth:`embed`."""
        return self.recognizer.embed(faces)
