"""Embeddings as what compares them takes them."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

__all__ = ['cosines', 'to_numpy', 'unit_embeddings']

_DECIMALS = 6


def to_numpy(values: Sequence | np.ndarray | Tensor) -> np.ndarray:
    """An array of a tensor, wherever that lies, or of what is one already."""
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
        name (str): What they are, for the error's text.

    Returns:
        np.ndarray: float64 (K, E).

    Raises:
        ValueError: When the shape is another or values are not finite.
    """
    vectors = to_numpy(embeddings).astype(np.float64)
    if vectors.ndim != 2:
        raise ValueError(f'{name} must be (K, E), got {vectors.shape}')
    wrong = ~np.isfinite(vectors).all(1)
    if wrong.any():
        raise ValueError(
            f'{name}: {wrong.sum()} of {len(vectors)} are not finite, first number '
            f'{wrong.argmax()}'
        )
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)


def cosines(products: np.ndarray) -> np.ndarray:
    """Round cosines, so that rounding errors do not rank equal faces.

    One image comes out of a network with other last bits in a batch of another size:
    the faces of a person who is alone in the last batch would match each other best.
    """
    return np.round(products, _DECIMALS)
