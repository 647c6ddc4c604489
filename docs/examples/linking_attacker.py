"""A trained attacker: it learns to map modified faces back to originals."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmanon.models.attackers import TrainedAttacker
from mmanon.registry import MODELS


@MODELS.register_module()
class LinkingAttacker(TrainedAttacker):
    """Maps the embedding of a modified face to that of the original.

    Args:
        modifier (dict): M, with trained weights if it is a learned one.
        recognizer (dict): Any recognizer with trained weights; it is frozen.
        margin (float): As for any :class:`TrainedAttacker`.
        init_cfg (dict, optional): As for any :class:`TrainedAttacker`.
    """

    frozen = ('modifier', 'recognizer')

    def __init__(
        self,
        modifier: dict,
        recognizer: dict,
        margin: float = 0.6,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(modifier, margin, init_cfg)
        known = MODELS.build({**recognizer, 'margin': margin})
        self.recognizer = known.requires_grad_(False)
        size = self.recognizer.backbone.embed_dim
        self.bridge = nn.Sequential(
            nn.Linear(size, 2 * size), nn.GELU(), nn.Linear(2 * size, size)
        )

    def loss(self, image: Tensor, label: Tensor) -> dict[str, Tensor]:
        """How far the bridge is from the originals, (B, 3, S, S) in [-1, 1]."""
        with torch.no_grad():
            original = self.embed(image)
        found = self.embed_modified(self.redraw(image))
        return dict(loss=1 - F.cosine_similarity(found, original).mean())

    def embed(self, faces: Tensor) -> Tensor:
        """Embed original faces, (K, 3, S, S), as (K, E)."""
        return self.recognizer.embed(faces)

    def embed_modified(self, faces: Tensor) -> Tensor:
        """Embed modified faces, (K, 3, S, S), and bring them back: (K, E)."""
        return self.bridge(self.recognizer.embed(faces))
