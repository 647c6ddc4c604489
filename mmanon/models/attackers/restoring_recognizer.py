"""An attacker that first tries to undo the modifier."""

from torch import Tensor

from mmanon.registry import MODELS

from .trained_attacker import TrainedAttacker, margin_for


@MODELS.register_module()
class RestoringRecognizer(TrainedAttacker):
    """A network that learns to undo M, and a recognizer of the restored faces.

    The restorer learns from pairs that anybody who has M can make: original and
    modified faces of the attacker's own people. The recognizer has never seen a
    modified face and does not learn.

    Args:
        modifier (dict): M; see :class:`TrainedAttacker`.
        restorer (dict): Config of a network that maps modified to original faces: any
            learned modifier, such as :class:`UNetModifier`, or :class:`NAFNetRestorer`.
        recognizer (dict): Config of a recognizer with trained weights.
        restoration_loss (dict, optional): Loss of (restored, original) faces. Defaults
            to mmdet's ``L1Loss``.
        margin (float): See :class:`TrainedAttacker`.
        init_cfg (dict, optional): See :class:`TrainedAttacker`.
        view (str or dict): See :class:`TrainedAttacker`.
    """

    frozen = ('modifier', 'recognizer')

    def __init__(
        self,
        modifier: dict,
        restorer: dict,
        recognizer: dict,
        restoration_loss: dict | None = None,
        margin: float = 0.6,
        init_cfg: dict | None = None,
        view: str | dict = 'face',
    ) -> None:
        super().__init__(modifier, margin, init_cfg, view)
        self.restorer = MODELS.build(restorer)
        known = MODELS.build(
            {**recognizer, 'margin': margin_for(recognizer, self.view)}
        )
        self.recognizer = known.requires_grad_(False)
        self.restoration_loss = MODELS.build(
            restoration_loss or dict(type='mmdet.L1Loss')
        )

    def loss(self, image: Tensor, label: Tensor) -> dict[str, Tensor]:
        """Compute the difference between restored and original faces.

        Args:
            image (Tensor): Original images of its view, (B, 3, P, P) in [-1, 1].
            label (Tensor): Not used.

        Returns:
            dict[str, Tensor]: ``loss``, and the mean absolute differences from the
            original on the scale [-1, 1], ``error_modified`` and ``error_restored``.
        """
        original = self.view.cut(image)
        modified = self.view.cut(self.redraw(image))
        restored = self.restorer(modified)
        return dict(
            loss=self.restoration_loss(restored, original),
            error_modified=(modified - original).abs().mean(),
            error_restored=(restored - original).detach().abs().mean(),
        )

    def restore(self, faces: Tensor) -> Tensor:
        """Restore modified faces, (K, 3, P, P) in [-1, 1]; the shape stays."""
        return self.view.redraw(faces, self.restorer)

    def embed(self, faces: Tensor) -> Tensor:
        """Embed original faces, (K, 3, P, P) in [-1, 1], as (K, E)."""
        return self.recognizer.embed(faces)

    def embed_modified(self, faces: Tensor) -> Tensor:
        """Restore modified faces, (K, 3, P, P) in [-1, 1], and embed them as (K, E)."""
        return self.recognizer.embed(self.restore(faces))
