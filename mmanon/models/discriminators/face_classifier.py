"""The discriminator: a recognizer that names the person in a face crop."""

import copy
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmanon.models.layers.face_crops import resampling_weights
from mmanon.registry import MODELS

from .base import BaseDiscriminator
from .margin_heads import BaseFaceHead

VIEWS = ('face', 'crop')
"""The parts of a face crop that a discriminator can see."""


@MODELS.register_module()
class FaceClassifier(BaseDiscriminator):
    """D: classifies people by their face crops.

    Args:
        backbone (dict): A face recognizer, such as :class:`SphereFaceNet`.
        head (dict, optional): Config of the head that names people, such as
            :class:`ASoftmaxHead`; ``embed_dim`` is taken from the backbone. Without a
            head D only embeds.
        margin (float): Enlargement of the face box on each side of a crop, as a
            fraction of its side. Defaults to 0.6.
        view (str): The part of the crop that the recognizer sees: ``'face'``, the face
            box, or ``'crop'``, the whole crop with hair, ears and neck. Defaults to
            ``'face'``.
        norm_eval (bool): Whether batch norms keep their statistics while D learns.
            Small batches, half of them modified faces, would spoil the statistics of a
            trained backbone. Defaults to False.
        init_cfg (dict, optional): ``dict(type='Pretrained', checkpoint=file)`` loads a
            trained D; the head in the file may be for other people.

    Raises:
        ValueError: If the margin is negative, the view is unknown or the head has
            another ``embed_dim`` than the backbone.
    """

    replaceable = ('head.',)

    def __init__(
        self,
        backbone: dict,
        head: dict | None = None,
        margin: float = 0.6,
        norm_eval: bool = False,
        init_cfg: dict | None = None,
        view: str = 'face',
    ) -> None:
        super().__init__(init_cfg)
        if margin < 0:
            raise ValueError(f'margin must not be negative, got {margin}')
        if view not in VIEWS:
            raise ValueError(f'view must be one of {VIEWS}, got {view!r}')
        self._arguments: dict[str, Any] = copy.deepcopy(
            dict(backbone=backbone, head=head, margin=margin, init_cfg=init_cfg)
        )
        self.margin = margin
        self.view = view
        self.norm_eval = norm_eval
        self._has_learned = self._has_loaded_head = False
        self.backbone = MODELS.build(backbone)
        self.head: BaseFaceHead | None = None
        if head is not None:
            embed_dim = self.backbone.embed_dim
            self.head = MODELS.build({'embed_dim': embed_dim, **head})
            if self.head.embed_dim != embed_dim:
                raise ValueError(
                    f'head.embed_dim={self.head.embed_dim}, but the embeddings of '
                    f'{type(self.backbone).__name__} have {embed_dim}; leave it out'
                )

    def train(self, mode: bool = True) -> nn.Module:
        """Set training mode; :attr:`norm_eval` keeps the statistics of batch norms."""
        super().train(mode)
        if self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    @property
    def is_untrained(self) -> bool:
        """Whether the backbone has random weights: neither loaded nor trained."""
        return not (self._has_learned or getattr(self.backbone, 'has_loaded', True))

    @property
    def names_people(self) -> bool:
        """Whether the head has learned, here or before it was loaded."""
        return self._has_learned or self._has_loaded_head

    @property
    def num_classes(self) -> int | None:
        """I, the number of people, or None without a head."""
        return None if self.head is None else self.head.num_classes

    def embed(self, faces: Tensor) -> Tensor:
        """Embed face crops.

        Args:
            faces (Tensor): (K, 3, S, S) in [-1, 1].

        Returns:
            Tensor: (K, E), not normalized, differentiable in the faces.
        """
        return self.backbone(self.cut(faces))

    def logits(self, faces: Tensor) -> Tensor:
        """Score face crops, (K, 3, S, S) in [-1, 1], for each person.

        Returns:
            Tensor: (K, I), without the head's margin; softmax gives probabilities.

        Raises:
            ValueError: If D has no head.
        """
        return self._naming_head().logits(self.embed(faces))

    def loss(self, faces: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Compute the classification loss.

        Args:
            faces (Tensor): (K, 3, S, S) in [-1, 1].
            labels (Tensor): (K,) int64 in [0, I).

        Returns:
            dict[str, Tensor]: ``loss``, a scalar, and ``logits``, (K, I), without the
            head's margin.

        Raises:
            ValueError: If D has no head or labels are out of range.
        """
        return self._naming_head().loss(self.embed(faces), labels)

    def advance(self) -> None:
        """Count one optimizer step, which advances the head's annealing."""
        self._has_learned = True
        if self.head is not None:
            self.head.advance()

    def start_anew(self) -> None:
        """Restart from the initial weights of this D, random or from its file."""
        fresh = FaceClassifier(**copy.deepcopy(self._arguments))
        fresh.init_weights()
        own = self.state_dict()
        for name, value in fresh.state_dict().items():
            own[name].copy_(value)  # the state shares its memory with the weights
        self.backbone.has_loaded = fresh.backbone.has_loaded
        self._has_learned, self._has_loaded_head = False, fresh._has_loaded_head

    def cut(self, faces: Tensor) -> Tensor:
        """Cut the :attr:`view` out of crops and resample it to the backbone's input.

        One bilinear filter does both, widened to an area filter when it shrinks. If the
        input is not square, its longer side shows the whole side of the view, and its
        shorter side the middle part.

        Args:
            faces (Tensor): (K, 3, S, S) in [-1, 1].

        Returns:
            Tensor: (K, 3, height, width) in [-1, 1].

        Raises:
            ValueError: If the crops are not square.
        """
        if faces.ndim != 4 or faces.shape[2] != faces.shape[3]:
            raise ValueError(
                f'face crops must be (K, 3, S, S), got {tuple(faces.shape)}'
            )
        size = self.backbone.input_size
        margin = self.margin if self.view == 'face' else 0.0
        to_y, to_x = _cut_weights(faces.shape[3], margin, size, faces.device)
        # Half precision would round the pixels here.
        with torch.autocast(faces.device.type, enabled=False):
            return (to_y @ faces.float() @ to_x).to(faces.dtype)

    def _load_from_state_dict(
        self, state: dict[str, Tensor], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        super()._load_from_state_dict(state, prefix, *args, **kwargs)
        if self.head is not None:
            own = self.head.state_dict(prefix=f'{prefix}head.')
            # A head for other people is not loaded.
            self._has_loaded_head |= all(
                name in state and state[name].shape == weight.shape
                for name, weight in own.items()
            )

    def _naming_head(self) -> BaseFaceHead:
        if self.head is None:
            raise ValueError(
                'this FaceClassifier has no head and only embeds; give it a `head` to '
                'name people'
            )
        return self.head


@lru_cache(maxsize=32)
def _cut_weights(
    side: int, margin: float, size: tuple[int, int], device: torch.device
) -> tuple[Tensor, Tensor]:
    """Resampling weights of rows, (height, S), and of columns, (S, width)."""
    step = side / (1 + 2 * margin) / max(size)
    # The cached weights must not be inference tensors: training uses them too.
    with torch.inference_mode(False):
        weights = []
        for count in size:
            shown = torch.tensor([step * count], dtype=torch.float64)
            weights.append(
                resampling_weights((side - shown) / 2, shown, count, side)[0]
            )
        to_y, to_x = (weight.to(device, torch.float32) for weight in weights)
        return to_y, to_x.T.contiguous()
