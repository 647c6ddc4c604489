"""The base class of all face recognizers."""

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from mmanon.models.pretrained import WholePretrained


class BaseFaceBackbone(WholePretrained):
    """Turns aligned faces into embeddings; a subclass implements :meth:`extract`.

    Args:
        input_size (Sequence[int]): Height and width of its input in pixels.
        embed_dim (int): E, the size of an embedding.
        mean (Sequence[float]): Mean of each channel, for pixels in [0, 255].
        std (Sequence[float]): Divisor of each channel, for pixels in [0, 255].
        init_cfg (dict, optional): ``dict(type='Pretrained', checkpoint=file)`` loads
            all weights or none.
    """

    def __init__(
        self,
        input_size: Sequence[int],
        embed_dim: int,
        mean: Sequence[float],
        std: Sequence[float],
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.input_size = tuple(input_size)
        self.embed_dim = embed_dim
        means = (torch.tensor(mean) / 127.5 - 1)[:, None, None]
        stds = (torch.tensor(std) / 127.5)[:, None, None]
        self.register_buffer('mean', means, persistent=False)
        self.register_buffer('std', stds, persistent=False)

    def forward(self, faces: Tensor) -> Tensor:
        """Embed faces.

        Args:
            faces (Tensor): (K, 3, H, W) in [-1, 1], H and W as ``input_size`` says.

        Returns:
            Tensor: (K, E), not normalized.

        Raises:
            ValueError: If the faces have another size.
        """
        if tuple(faces.shape[1:]) != (3, *self.input_size):
            raise ValueError(
                f'{type(self).__name__} takes faces of (K, 3, {self.input_size[0]}, '
                f'{self.input_size[1]}), got {tuple(faces.shape)}'
            )
        return self.extract((faces - self.mean) / self.std)

    @abstractmethod
    def extract(self, faces: Tensor) -> Tensor:
        """Embed normalized faces, (K, 3, height, width), as (K, E)."""
