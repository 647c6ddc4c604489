"""The interface of discriminators, which consist of one or several recognizers."""

from __future__ import annotations

import copy
from abc import abstractmethod
from typing import Any

from torch import Tensor, nn

from mmanon.models.pretrained import WholePretrained

__all__ = ['BaseDiscriminator', 'discriminator_parts']


class BaseDiscriminator(WholePretrained):
    """D: names people by their face crops, (K, 3, S, S) in [-1, 1].

    A discriminator with several networks lists them in :attr:`parts`; each part has its
    own optimizer and can restart.
    """

    @property
    def parts(self) -> dict[str, nn.Module]:
        """Parts with their own optimizer, by short names; by default only itself."""
        return {'': self}

    @property
    @abstractmethod
    def num_classes(self) -> int | None:
        """I, the number of people, or None if it names nobody."""

    @property
    @abstractmethod
    def is_untrained(self) -> bool:
        """Whether the embedding has random weights: neither loaded nor trained."""

    @property
    @abstractmethod
    def names_people(self) -> bool:
        """Whether it has learned to name people, here or before it was loaded."""

    @abstractmethod
    def embed(self, faces: Tensor) -> Tensor:
        """Embed face crops as (K, E), differentiable in the faces."""

    @abstractmethod
    def logits(self, faces: Tensor) -> Tensor:
        """Score face crops for each person, (K, I); softmax gives probabilities."""

    @abstractmethod
    def loss(self, faces: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Compute ``loss`` and ``logits`` for faces with labels, (K,) in [0, I)."""

    def forward(
        self, faces: Tensor, labels: Tensor | None = None, mode: str = 'embed'
    ) -> Tensor | dict[str, Tensor]:
        """Call :meth:`embed`, :meth:`logits` or :meth:`loss`, as ``mode`` says.

        Raises:
            ValueError: If the mode is none of these, or ``'loss'`` has no labels.
        """
        if mode == 'embed':
            return self.embed(faces)
        if mode == 'logits':
            return self.logits(faces)
        if mode == 'loss':
            if labels is None:
                raise ValueError("mode 'loss' needs labels")
            return self.loss(faces, labels)
        raise ValueError(f"mode must be 'embed', 'logits' or 'loss', got {mode!r}")

    def advance(self) -> None:
        """Count one optimizer step."""

    @classmethod
    def complete(cls, cfg: dict, margin: float, people: int, where: str) -> dict:
        """Complete a config by the margin and the number of people of the game.

        Args:
            cfg (dict): From the training config; it is not changed.
            margin (float): Enlargement of the face box on each side of the crops, as a
                fraction of its side.
            people (int): I, the number of people.
            where (str): The source of these people, for error messages.

        Returns:
            dict: The completed config.

        Raises:
            ValueError: If the config has another number of people.
        """
        cfg = copy.deepcopy(cfg)
        cfg.setdefault('margin', margin)
        head: dict[str, Any] | None = cfg.get('head')
        if head is None:
            return cfg
        if head.setdefault('num_classes', people) != people:
            raise ValueError(
                f'discriminator.head.num_classes={head["num_classes"]}, but '
                f'{where} holds {people} identities; leave out `num_classes` to use '
                'that number'
            )
        return cfg


def discriminator_parts(discriminator: nn.Module | None) -> dict[str, nn.Module]:
    """Return the parts of D with their own optimizer, by the optimizers' names.

    Args:
        discriminator (nn.Module, optional): D.

    Returns:
        dict[str, nn.Module]: ``'discriminator'``, or ``'discriminator.0'`` and so on.
    """
    if discriminator is None:
        return {}
    parts = getattr(discriminator, 'parts', {'': discriminator})
    return {
        f'discriminator.{name}' if name else 'discriminator': part
        for name, part in parts.items()
    }
