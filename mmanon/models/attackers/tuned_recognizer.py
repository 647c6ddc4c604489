"""The attacker that already knows faces and gets used to modified ones."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmanon.registry import MODELS

from .trained_attacker import TrainedAttacker, margin_for

__all__ = ['TunedRecognizer']


@MODELS.register_module()
class TunedRecognizer(TrainedAttacker):
    """A trained recognizer, fine-tuned until modified faces look like the originals.

    It starts from the recognizer, so with validation it is never worse than the
    recognizer. The original recognizer embeds originals; a copy learns to embed a
    modified face close to its original (feature distillation), and closer to the
    originals of its person than to those of other people. It needs few faces; a single
    one for a person is enough.

    Args:
        modifier (dict): M; see :class:`TrainedAttacker`.
        recognizer (dict): A :class:`FaceClassifier` with trained weights, such as of
            :class:`MobileFaceNet`, and no head. Its batch norms keep their statistics.
        scale (float): Of cosines in the contrastive part. Defaults to 16.
        contrast_weight (float): Weight of that part. Defaults to 0.5.
        margin (float): See :class:`TrainedAttacker`.
        init_cfg (dict, optional): See :class:`TrainedAttacker`.
        view (str or dict): See :class:`TrainedAttacker`.

    Raises:
        ValueError: When a number is not positive.
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
        """How far modified faces are from originals.

        Args:
            image (Tensor): (B, 3, P, P) in [-1, 1].
            label (Tensor): (B,) int64.

        Returns:
            dict[str, Tensor]: ``loss_distance``, of a face to its original;
            ``loss_contrast``; and ``similarity``, the mean cosine of a modified face
            and its original.
        """
        with torch.no_grad():
            originals = F.normalize(self.known.embed(image))
        modified = F.normalize(self.recognizer.embed(self.redraw(image)))
        cosines = modified @ originals.T
        alike = cosines.diagonal().mean()
        same = label[:, None] == label[None]
        scores = self.scale * cosines
        # All faces of the person count as right, whichever is found.
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
