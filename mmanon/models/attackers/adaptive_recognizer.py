"""An attacker that learns to recognize people by modified faces."""

import torch
from torch import Tensor

from mmanon.registry import MODELS

from .trained_attacker import TrainedAttacker, margin_for


@MODELS.register_module()
class AdaptiveRecognizer(TrainedAttacker):
    """A recognizer trained from scratch on modified faces.

    It can find features in modified faces that a recognizer of photographs ignores. By
    default it learns on modified and original faces, so that their embeddings are
    close. Without originals it learns only to link modified faces to each other.

    Args:
        modifier (dict): M; see :class:`TrainedAttacker`.
        recognizer (dict): Config of a :class:`FaceClassifier` with a head whose
            ``num_classes`` is the number of the attacker's people. Its ``margin``
            follows from ``margin`` and ``view`` of the attacker.
        learn_originals (bool): Whether it learns on original faces, too. Defaults to
            True.
        margin (float): See :class:`TrainedAttacker`.
        init_cfg (dict, optional): See :class:`TrainedAttacker`.
        view (str or dict): See :class:`TrainedAttacker`.

    Raises:
        ValueError: If the recognizer has no head.
    """

    def __init__(
        self,
        modifier: dict,
        recognizer: dict,
        learn_originals: bool = True,
        margin: float = 0.6,
        init_cfg: dict | None = None,
        view: str | dict = 'face',
    ) -> None:
        super().__init__(modifier, margin, init_cfg, view)
        if recognizer.get('head') is None:
            raise ValueError(
                'an AdaptiveRecognizer learns to name people: give its `recognizer` a '
                '`head` with `num_classes`'
            )
        self.recognizer = MODELS.build(
            {**recognizer, 'margin': margin_for(recognizer, self.view)}
        )
        self.learn_originals = learn_originals

    def loss(self, image: Tensor, label: Tensor) -> dict[str, Tensor]:
        """Compute the recognizer's loss, and its accuracy on each kind of faces.

        Args:
            image (Tensor): Original images of its view, (B, 3, P, P) in [-1, 1].
            label (Tensor): Their identities, (B,) int64.

        Returns:
            dict[str, Tensor]: ``loss``, ``acc_modified`` and, if it learns on
            originals, ``acc_original``.
        """
        kinds = dict(modified=self.redraw(image))
        if self.learn_originals:
            kinds['original'] = image
        labels = label.repeat(len(kinds))
        answer = self.recognizer.loss(torch.cat(list(kinds.values())), labels)
        if self.training:
            self.recognizer.advance()
        hits = answer['logits'].detach().argmax(1) == labels
        shares = hits.view(len(kinds), -1).float().mean(1)
        logs = {f'acc_{kind}': share for kind, share in zip(kinds, shares, strict=True)}
        return dict(loss=answer['loss'], **logs)

    def embed(self, faces: Tensor) -> Tensor:
        """Embed faces, (K, 3, P, P) in [-1, 1], as (K, E)."""
        return self.recognizer.embed(faces)
