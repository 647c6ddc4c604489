"""The base class of attackers that are trained on a modifier."""

from abc import abstractmethod

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn

from mmanon.models.layers.face_views import FaceView
from mmanon.models.modifiers.covering import redraw_or_cover
from mmanon.models.pretrained import WholePretrained
from mmanon.registry import MODELS

__all__ = ['TrainedAttacker', 'margin_for']


def margin_for(recognizer: dict, view: FaceView) -> float:
    """Return the ``margin`` for a recognizer's config, so that it sees a view.

    Recognizers that handle views themselves return it from ``margin_in``. Other
    recognizers use the whole image of a wider view as the face.
    """
    kind = recognizer.get('type')
    kind = MODELS.get(kind) if isinstance(kind, str) else kind
    margin_in = getattr(kind, 'margin_in', None)
    return margin_in(view) if margin_in else view.shown_margin


class TrainedAttacker(WholePretrained, BaseModel):
    """An attacker that has the modifier and learns from its output.

    A config of ``mmanon train`` trains it on faces of the attacker's own people. A
    metric then uses it as ``recognizer``: the same config with
    ``init_cfg=dict(type='Pretrained', checkpoint=...)``, the checkpoint of that
    training. The modifier is frozen.

    Subclasses implement :meth:`loss` and :meth:`embed`, and also
    :meth:`embed_modified` if they treat modified faces in another way.

    Args:
        modifier (dict): Config of M; a learned one has its trained weights as
            ``init_cfg``.
        margin (float): Enlargement of the face box on each side of the modifier's
            crops, as a fraction of its side. Defaults to 0.6.
        init_cfg (dict, optional): ``dict(type='Pretrained', checkpoint=file)`` loads
            the whole trained attacker.
        view (str or dict): The part of the head that the attacker sees: ``'face'``,
            ``'crop'``, or, for the head in the frame, ``dict(name='head',
            crop_size=..., head_margin=..., feather=...)`` with the geometry of the
            modifier's crops; this view needs images with the margin ``head_margin``.
            See :class:`FaceView`. Defaults to ``'face'``.

    Raises:
        ValueError: If the view is unknown, or ``'head'`` has no ``crop_size``.
    """

    frozen: tuple[str, ...] = ('modifier',)

    def __init__(
        self,
        modifier: dict,
        margin: float = 0.6,
        init_cfg: dict | None = None,
        view: str | dict = 'face',
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.margin = margin
        shown = dict(name=view) if isinstance(view, str) else dict(view)
        if shown['name'] == 'head' and 'crop_size' not in shown:
            raise ValueError(
                "the view 'head' of an attacker needs the geometry of the modifier's "
                "crops: view=dict(name='head', crop_size=..., head_margin=..., "
                'feather=...)'
            )
        # The other views do not depend on the size of the crops.
        self.view = FaceView(**{'crop_size': 1, **shown, 'margin': margin})
        self.modifier = MODELS.build(modifier).requires_grad_(False)

    @staticmethod
    def margin_in(view: FaceView) -> float:
        """Return the margin that a metric gives it: that of the modifier's crops."""
        return view.margin

    def train(self, mode: bool = True) -> nn.Module:
        """Set training mode; frozen parts stay in evaluation mode."""
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
    ) -> Tensor | dict[str, Tensor] | list[dict[str, Tensor]]:
        """Process a batch of a :class:`FaceIdentityDataset`.

        Args:
            image (Tensor): Original images of its view, (B, 3, P, P) in [-1, 1].
            label (Tensor, optional): Their identities, (B,) int64.
            path (list[str], optional): Not used.
            mode (str): ``'loss'`` for :meth:`loss`, ``'tensor'`` for :meth:`embed`,
                ``'predict'`` for :meth:`predict`.

        Raises:
            ValueError: If the mode is none of these, or needs labels that are
                missing.
        """
        if mode in ('loss', 'predict') and label is None:
            raise ValueError(f'mode {mode!r} needs the labels of the faces')
        if mode == 'loss':
            assert label is not None
            return self.loss(image, label)
        if mode == 'predict':
            assert label is not None
            return self.predict(image, label)
        if mode == 'tensor':
            return self.embed(image)
        raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}")

    def predict(self, image: Tensor, label: Tensor) -> list[dict[str, Tensor]]:
        """Embed each face, original and modified, to evaluate the attacker.

        Args:
            image (Tensor): Original images of its view, (B, 3, P, P) in [-1, 1].
            label (Tensor): Their identities, (B,) int64.

        Returns:
            list[dict[str, Tensor]]: For each face the embeddings ``original`` and
            ``modified``, (E,), and ``label``.
        """
        original = self.embed(image)
        modified = self.embed_modified(self.redraw(image))
        parts = zip(original, modified, label, strict=True)
        return [dict(original=o, modified=m, label=k) for o, m, k in parts]

    @torch.no_grad()
    def redraw(self, faces: Tensor) -> Tensor:
        """Redraw faces as users of the modifier see them.

        Args:
            faces (Tensor): Images of its view, (B, 3, P, P) in [-1, 1].

        Returns:
            Tensor: The images with redrawn crops, (B, 3, P, P).

        Raises:
            ValueError: If a learned modifier has no trained weights.
        """
        if self.modifier.is_untrained:
            raise ValueError(
                f'the {type(self.modifier).__name__} of the {type(self).__name__} has '
                'no trained weights: its faces are solid masks, from which nothing can '
                'be learned. Give `model.modifier` '
                "init_cfg=dict(type='Pretrained', checkpoint=...), a file of `mmanon "
                'export --modifier`'
            )
        return self.view.redraw(
            faces, lambda crops: redraw_or_cover(self.modifier, crops, self.margin)[0]
        )

    @abstractmethod
    def loss(self, image: Tensor, label: Tensor) -> dict[str, Tensor]:
        """Compute the attacker's loss on original faces of its people.

        Args:
            image (Tensor): Original images of its view, (B, 3, P, P) in [-1, 1].
            label (Tensor): Their identities, (B,) int64.

        Returns:
            dict[str, Tensor]: Scalars; those with ``loss`` in the name are summed.
        """

    @abstractmethod
    def embed(self, faces: Tensor) -> Tensor:
        """Embed faces, (K, 3, P, P) in [-1, 1], as (K, E)."""

    def embed_modified(self, faces: Tensor) -> Tensor:
        """Embed modified faces; shapes as in :meth:`embed`."""
        return self.embed(faces)
