"""The interface of a discriminator, one recognizer or several."""

from __future__ import annotations

import copy
from abc import abstractmethod
from typing import Any

from torch import Tensor, nn

from mmanon.models.pretrained import WholePretrained

__all__ = ['BaseDiscriminator', 'discriminator_parts']


class BaseDiscriminator(WholePretrained):
    """D: names people by their face crops, (K, 3, S, S) in [-1, 1].

    A discriminator of several learners names them by :attr:`parts`; each of them gets
    its own optimizer and can restart.
    """

    @property
    def parts(self) -> dict[str, nn.Module]:
        """Parts with their own optimizer, by a short name; by default only itself."""
        return {'': self}

    @property
    @abstractmethod
    def num_classes(self) -> int | None:
        """I, or None where it names nobody."""

    @property
    @abstractmethod
    def is_untrained(self) -> bool:
        """Whether what embeds has its first random weights: from no file, no step."""

    @property
    @abstractmethod
    def names_people(self) -> bool:
        """Whether it has learned to name people, here or in a file."""

    @abstractmethod
    def embed(self, faces: Tensor) -> Tensor:
        """Embed face crops as (K, E), differentiable in the faces."""

    @abstractmethod
    def logits(self, faces: Tensor) -> Tensor:
        """Score face crops for each person, (K, I); their softmax are probabilities."""

    @abstractmethod
    def loss(self, faces: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """The ``loss`` of naming people, (K,) in [0, I), and the ``logits``."""

    def forward(
        self, faces: Tensor, labels: Tensor | None = None, mode: str = 'embed'
    ) -> Tensor | dict[str, Tensor]:
        """:meth:`embed`, :meth:`logits` or :meth:`loss`, as ``mode`` says.

        Raises:
            ValueError: When the mode is another, or the loss lacks labels.
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
        """Take note of one optimizer step."""

    @classmethod
    def complete(cls, cfg: dict, margin: float, people: int, where: str) -> dict:
        """A config with what the game knows of the faces.

        Args:
            cfg (dict): From the training config; it is not changed.
            margin (float): Of the faces that D sees.
            people (int): I.
            where (str): The source of these people, for error messages.

        Raises:
            ValueError: When the config names another number of people.
        """
        cfg = copy.deepcopy(cfg)
        cfg.setdefault('margin', margin)
        head: dict[str, Any] | None = cfg.get('head')
        if head is None:
            return cfg
        if head.setdefault('num_classes', people) != people:
            raise ValueError(
                f'discriminator.head.num_classes={head["num_classes"]}, but '
                f'{where} holds {people} identities; leave `num_classes` out to take '
                'that number'
            )
        return cfg


def discriminator_parts(discriminator: nn.Module | None) -> dict[str, nn.Module]:
    """The parts of D that have their own optimizer, by the optimizers' names.

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
