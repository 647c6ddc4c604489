"""Face identification: which person of a gallery does a face show?"""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from .embeddings import cosines, to_numpy, unit_embeddings

__all__ = ['rank_k']

# Number of probes that are compared with the gallery at once.
_PROBES = 256


def rank_k(
    probes: np.ndarray | Tensor,
    gallery: np.ndarray | Tensor,
    probe_labels: Sequence | np.ndarray | Tensor,
    gallery_labels: Sequence | np.ndarray | Tensor | None = None,
    ranks: Sequence[int] = (1, 5),
) -> dict[int, float]:
    """Compute how often the right person is among the k most similar people.

    The similarity of a person is that of the person's most similar face in the gallery.
    If several people are equally similar, they count in random order: the result is the
    probability that the right one is among the k. So if all faces look the same, they
    are named as often as by chance, k / number of people.

    Args:
        probes (np.ndarray or Tensor): Embeddings of the faces to name, (K, E).
        gallery (np.ndarray or Tensor): Embeddings of faces with known names, (G, E).
        probe_labels (Sequence): People of the probes, numbers or names, (K,).
        gallery_labels (Sequence, optional): People of the gallery, (G,). Without them
            the gallery has the same images as the probes, in the same order, and each
            probe is named without its own image.
        ranks (Sequence[int]): The values of k to report. Defaults to (1, 5).

    Returns:
        dict[int, float]: A fraction in [0, 1] for each k.

    Raises:
        ValueError: If embeddings are not finite or do not fit their labels, a person
            has no (other) face in the gallery, or a k is not less than the number of
            people.

    Example:
        >>> rank_k([[1, 0]], [[1, 0.1], [0, 1]], ['ann'], ['ann', 'bob'], ranks=[1])
        {1: 1.0}
    """
    probes = unit_embeddings(probes, 'embeddings of the probes')
    gallery = unit_embeddings(gallery, 'embeddings of the gallery')
    same_images = gallery_labels is None
    probe_labels = to_numpy(probe_labels)
    gallery_labels = (
        probe_labels if gallery_labels is None else to_numpy(gallery_labels)
    )
    for name, vectors, labels in (
        ('probes', probes, probe_labels),
        ('gallery', gallery, gallery_labels),
    ):
        if labels.shape != (len(vectors),) or not len(vectors):
            raise ValueError(
                f'{name}: there must be one label for each of the {len(vectors)} '
                f'embeddings, at least one, got {labels.shape}'
            )
    people, owner, faces = np.unique(
        gallery_labels, return_inverse=True, return_counts=True
    )
    truth = _place_of(probe_labels, people, faces, 2 if same_images else 1)
    for k in ranks:
        if not 1 <= k < len(people):
            raise ValueError(
                f'rank {k} among {len(people)} people: a rank must be at least 1 and '
                'less than their number'
            )
    order = np.argsort(owner, kind='stable')
    begins = np.cumsum(faces) - faces
    hits = np.zeros(len(ranks))
    for start in range(0, len(probes), _PROBES):
        some = slice(start, start + _PROBES)
        alike = cosines(probes[some] @ gallery.T)
        rows = np.arange(len(alike))
        if same_images:
            alike[rows, start + rows] = -np.inf
        alike = np.maximum.reduceat(alike[:, order], begins, axis=1)
        right = alike[rows, truth[some]][:, None]
        better = (alike > right).sum(1)
        level = (alike == right).sum(1)
        for index, k in enumerate(ranks):
            hits[index] += ((k - better) / level).clip(0, 1).sum()
    return {k: float(hit / len(probes)) for k, hit in zip(ranks, hits, strict=True)}


def _place_of(
    labels: np.ndarray, people: np.ndarray, faces: np.ndarray, least: int
) -> np.ndarray:
    """Return the index of each label among sorted people with enough faces."""
    place = np.searchsorted(people, labels).clip(max=len(people) - 1)
    missing = (people[place] != labels) | (faces[place] < least)
    if missing.any():
        names = np.unique(labels[missing])
        raise ValueError(
            f'{len(names)} people have no {"other " if least > 1 else ""}face in the '
            f'gallery: {[str(name) for name in names[:5]]}'
        )
    return place
