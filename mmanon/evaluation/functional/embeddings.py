"""Normalizes embeddings and rounds cosines."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

__all__ = ['cosines', 'to_numpy', 'unit_embeddings']

_DECIMALS = 6


def to_numpy(values: Sequence | np.ndarray | Tensor) -> np.ndarray:
    """Convert a tensor on any device, or a sequence, to an array."""
    if isinstance(values, Tensor):
        values = values.detach().cpu().numpy()
    return np.asarray(values)


def unit_embeddings(
    embeddings: np.ndarray | Tensor, name: str = 'embeddings'
) -> np.ndarray:
    """Scale embeddings to length 1, so that their products are cosines.

    An embedding of zeros is not changed: its cosine with every other is zero.

    Args:
        embeddings (np.ndarray or Tensor): (K, E).
        name (str): Name of the embeddings in errors.

    Returns:
        np.ndarray: float64 (K, E).

    Raises:
        ValueError: If the shape is wrong or values are not finite.
    """
    vectors = to_numpy(embeddings).astype(np.float64)
    if vectors.ndim != 2:
        raise ValueError(f'{name} must be (K, E), got {vectors.shape}')
    wrong = ~np.isfinite(vectors).all(1)
    if wrong.any():
        raise ValueError(
            f'{name}: {wrong.sum()} of {len(vectors)} are not finite, the first is '
            f'number {wrong.argmax()}'
        )
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)


def cosines(products: np.ndarray) -> np.ndarray:
    """Round cosines to six decimals, so that rounding errors do not rank equal faces.

    The last bits of an embedding depend on the size of the batch. Without rounding, the
    faces of a person alone in the last batch would match each other best.
    """
    return np.round(products, _DECIMALS)
