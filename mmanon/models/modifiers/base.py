"""The base class of all modifiers, which map face crops to face crops."""

from abc import abstractmethod
from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmanon.models.pretrained import WholePretrained


def check_sizes(**sizes: int) -> None:
    """Check that sizes are whole numbers of at least 1.

    Raises:
        ValueError: When one is not; the message names the size and its value.
    """
    for name, value in sizes.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f'{name} must be a whole number >= 1, got {value!r}')


class BaseModifier(BaseModule):
    """Base class of all modifiers, learned and hand-crafted; redraws face crops.

    Subclasses implement :meth:`modify`. A modifier with trainable weights subclasses
    :class:`LearnedModifier`, whose faces are covered until the game has trained it;
    :class:`AnonymizedDetector` accepts no other trainable modifier.

    A modifier with keys sets :attr:`key_size` and implements :meth:`modify_by_key` as
    well; its :meth:`modify` draws random keys. A key is C numbers from a standard
    normal distribution and the modifier's only source of randomness. All faces of a
    track have the same key, so a person looks the same along the track. Other tracks
    have other keys, so two videos of a person do not match.
    """

    key_size = 0
    """C, the number of values in a key; 0 if the modifier takes no keys."""

    @property
    def is_untrained(self) -> bool:
        """Whether the modifier has weights that were never trained."""
        return False

    def forward(self, faces: Tensor, keys: Tensor | None = None) -> Tensor:
        """Redraw faces.

        Args:
            faces (Tensor): RGB face crops, (K, 3, S, S) in [-1, 1]; K may be 0.
            keys (Tensor, optional): The key of each face, (K, C). A modifier without
                keys ignores them. Defaults to a random key for each face, drawn from
                torch's generator.

        Returns:
            Tensor: Redrawn faces of the same shape, range, type and device.

        Raises:
            TypeError: When the faces are not of a floating-point type.
            ValueError: When faces or keys have another shape.
        """
        if not faces.is_floating_point():
            raise TypeError(
                f'{type(self).__name__} takes faces as floats in [-1, 1], got '
                f'{faces.dtype}: divide pixels by 127.5 and subtract 1'
            )
        if faces.ndim != 4 or faces.shape[1] != 3 or faces.shape[2] != faces.shape[3]:
            raise ValueError(
                f'{type(self).__name__} takes faces (K, 3, S, S), '
                f'got {tuple(faces.shape)}'
            )
        if not len(faces):
            return faces
        if not self.key_size:
            return self.modify(faces)
        if keys is None:
            keys = self.draw_keys(len(faces), faces.device)
        if tuple(keys.shape) != (len(faces), self.key_size):
            raise ValueError(
                f'{type(self).__name__} takes keys ({len(faces)}, {self.key_size}), '
                f'one for each face, got {tuple(keys.shape)}'
            )
        return self.modify_by_key(faces, keys)

    def draw_keys(self, count: int, device: torch.device | str = 'cpu') -> Tensor:
        """Draw random keys, (count, C), from torch's generator."""
        return torch.randn(count, self.key_size, device=device)

    def pass_losses(self) -> dict[str, Tensor]:
        """Return the losses and figures of the last pass with gradients, by log name.

        Entries whose name begins with ``loss`` are the modifier's own losses, already
        weighted; the game adds them to the others. Other entries are scalars for the
        log. The call removes them from the modifier.
        """
        return {}

    @abstractmethod
    def modify(self, faces: Tensor) -> Tensor:
        """Redraw at least one face; shapes as in :meth:`forward`."""

    def modify_by_key(self, faces: Tensor, keys: Tensor) -> Tensor:
        """Redraw at least one face by keys, (K, C), if :attr:`key_size` is not 0."""
        raise NotImplementedError(
            f'{type(self).__name__} has key_size={self.key_size}: implement '
            '`modify_by_key`'
        )


class LearnedModifier(WholePretrained, BaseModifier):
    """A modifier with weights; it counts how often the game has updated them.

    The count is a buffer, ``updates``, so checkpoints contain it.

    Args:
        init_cfg (dict, optional): Initialization, as of mmengine's ``BaseModule``;
            ``dict(type='Pretrained', checkpoint=file)`` loads all weights or none.
    """

    def __init__(self, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.register_buffer('updates', torch.zeros((), dtype=torch.long))
        self._trained = False
        # Losses and figures of the last pass with gradients.
        self._told: dict[str, Tensor] = {}

    @property
    def is_untrained(self) -> bool:
        """Whether the game has never updated the weights.

        A trained modifier answers without waiting for its device. An untrained one
        reads the buffer each time, because an averaged model may copy the buffer
        without calling a method of this class.
        """
        if not self._trained:
            self._trained = bool(self.updates > 0)
        return not self._trained

    def pass_losses(self) -> dict[str, Tensor]:
        """See :meth:`BaseModifier.pass_losses`; returns the content of ``_told``."""
        told, self._told = self._told, {}
        return told

    def __getstate__(self) -> dict:
        # A copy must not contain the losses of a pass: they hold its graph.
        return {**self.__dict__, '_told': {}}

    def record_update(self) -> None:
        """Count one update."""
        self.updates += 1
        self._trained = True

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._trained = bool(self.updates > 0)
