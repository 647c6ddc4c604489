"""What the attackers share that practise on a modifier before they attack it."""

from abc import abstractmethod

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn

from mmanon.models.modifiers.covering import redraw_or_cover
from mmanon.models.pretrained import WholePretrained
from mmanon.registry import MODELS


class TrainedAttacker(WholePretrained, BaseModel):
    """An attacker that owns the modifier, and learns from what it draws.

    It is trained on faces of the attacker's own people by an ordinary config of
    ``tools/train.py``, and then takes part in a metric as ``recognizer``: the same
    config with ``init_cfg=dict(type='Pretrained', checkpoint=...)``, the checkpoint of
    that training. The modifier is frozen.

    Subclasses implement :meth:`loss` and :meth:`embed`, and :meth:`embed_modified`
    where they look at faces in another way that they know to be modified.

    Args:
        modifier (dict): M; a learned one with its trained weights as ``init_cfg``.
        margin (float): By how much of its side the face box in a crop was enlarged on
            each side. Defaults to 0.6.
        init_cfg (dict, optional): ``dict(type='Pretrained', checkpoint=file)`` loads
            the whole attacker as it was trained.
    """

    frozen: tuple[str, ...] = ('modifier',)

    def __init__(
        self, modifier: dict, margin: float = 0.6, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.margin = margin
        self.modifier = MODELS.build(modifier).requires_grad_(False)

    def train(self, mode: bool = True) -> nn.Module:
        """Train what learns; what is frozen stays as it is in testing."""
        super().train(mode)
        for name in self.frozen:
            getattr(self, name).eval()
        return self

    def forward(
        self,
        image: Tensor,
        label: Tensor | None = None,
        path: list[str] | None = None,
        mode: str = 'tensor',
    ) -> Tensor | dict[str, Tensor]:
        """Take a batch of a :class:`FaceIdentityDataset`.

        Args:
            image (Tensor): Original face crops, (B, 3, S, S) in [-1, 1].
            label (Tensor, optional): Who they are, (B,) int64.
            path (list[str], optional): Not looked at.
            mode (str): ``'loss'`` for :meth:`loss`, ``'tensor'`` for :meth:`embed`.

        Raises:
            ValueError: When the mode is another, or the loss lacks labels.
        """
        if mode == 'loss':
            if label is None:
                raise ValueError("mode 'loss' needs the labels of the faces")
            return self.loss(image, label)
        if mode == 'tensor':
            return self.embed(image)
        raise ValueError(f"mode must be 'loss' or 'tensor', got {mode!r}")

    @torch.no_grad()
    def redraw(self, faces: Tensor) -> Tensor:
        """What the modifier's users get to see of faces, (B, 3, S, S) in [-1, 1].

        Raises:
            ValueError: When a learned modifier has no trained weights.
        """
        if self.modifier.is_untrained:
            raise ValueError(
                f'the {type(self.modifier).__name__} of the {type(self).__name__} has '
                'no trained weights, and there is nothing to learn from masks: give '
                "`model.modifier` init_cfg=dict(type='Pretrained', checkpoint=...), a "
                'file of tools/export_checkpoint.py --modifier'
            )
        return redraw_or_cover(self.modifier, faces, self.margin)[0]

    @abstractmethod
    def loss(self, image: Tensor, label: Tensor) -> dict[str, Tensor]:
        """What the attacker minimizes on original faces of its people.

        Args:
            image (Tensor): (B, 3, S, S) in [-1, 1].
            label (Tensor): (B,) int64.

        Returns:
            dict[str, Tensor]: Scalars; those with ``loss`` in the name are summed.
        """

    @abstractmethod
    def embed(self, faces: Tensor) -> Tensor:
        """Embed faces, (K, 3, S, S) in [-1, 1], as (K, E)."""

    def embed_modified(self, faces: Tensor) -> Tensor:
        """Embed faces that are known to be modified; shapes as in :meth:`embed`."""
        return self.embed(faces)
