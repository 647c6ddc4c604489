"""Face verification: do two faces show the same person?

The functions take P pairs of faces as ``scores``, which are high for similar faces, and
``same``, whether they show one person. All figures are fractions in [0, 1].
"""

import numpy as np
from torch import Tensor

from .embeddings import cosines, to_numpy, unit_embeddings

__all__ = [
    'area_under_roc',
    'equal_error_rate',
    'pair_scores',
    'tar_at_far',
    'ten_fold_accuracy',
]

# Number of pairs of embeddings that are compared at once.
_PAIRS = 8192


def pair_scores(
    probes: np.ndarray | Tensor,
    gallery: np.ndarray | Tensor,
    first: np.ndarray,
    second: np.ndarray,
) -> np.ndarray:
    """Compute the cosine of the embeddings of each pair of images.

    Args:
        probes (np.ndarray or Tensor): Embeddings of the first images, (K, E).
        gallery (np.ndarray or Tensor): Embeddings of the second images, (G, E); the
            same, or those of the redrawn images.
        first (np.ndarray): Index of the first image of each pair in ``probes``, (P,).
        second (np.ndarray): Index of the second image in ``gallery``, (P,).

    Returns:
        np.ndarray: float64 (P,) in [-1, 1], rounded to six decimals.

    Raises:
        ValueError: If embeddings are not finite or have different lengths.
    """
    probes = unit_embeddings(probes, 'embeddings of the first images')
    gallery = unit_embeddings(gallery, 'embeddings of the second images')
    if probes.shape[1] != gallery.shape[1]:
        raise ValueError(
            f'embeddings to compare must have the same length, got {probes.shape[1]} '
            f'and {gallery.shape[1]}'
        )
    starts = range(0, len(first), _PAIRS)
    blocks = [slice(start, start + _PAIRS) for start in starts]
    products = [(probes[first[b]] * gallery[second[b]]).sum(1) for b in blocks]
    return cosines(np.concatenate(products or [np.zeros(0)]))


def equal_error_rate(scores: np.ndarray | Tensor, same: np.ndarray | Tensor) -> float:
    """Compute the rate at which false rejects and false accepts are equal.

    Between two thresholds, both rates are interpolated. Chance is 0.5.

    Args:
        scores (np.ndarray or Tensor): (P,).
        same (np.ndarray or Tensor): (P,) bool.

    Raises:
        ValueError: If scores are not finite, shapes differ or a kind is missing.

    Example:
        >>> equal_error_rate([0.9, 0.8, 0.3, 0.1], [True, False, True, False])
        0.5
    """
    far, tar, _ = _roc(*_check(scores, same))
    # False accepts minus false rejects, which rises from -1 to 1.
    gap = far + tar - 1
    after = int((gap >= 0).argmax())
    before = after - 1
    way = -gap[before] / (gap[after] - gap[before])
    return float(far[before] + way * (far[after] - far[before]))


def area_under_roc(scores: np.ndarray | Tensor, same: np.ndarray | Tensor) -> float:
    """Compute the probability that a pair of one person scores above one of two people.

    Equal scores count half. Chance is 0.5. Arguments and errors are those of
    :func:`equal_error_rate`.
    """
    far, tar, _ = _roc(*_check(scores, same))
    return float((np.diff(far) * (tar[1:] + tar[:-1]) / 2).sum())


def tar_at_far(
    scores: np.ndarray | Tensor, same: np.ndarray | Tensor, far: float
) -> float:
    """Compute the true accept rate at a false accept rate.

    The threshold is the lowest that accepts at most the share ``far`` of the pairs of
    two people; nothing is interpolated.

    Args:
        scores (np.ndarray or Tensor): (P,).
        same (np.ndarray or Tensor): (P,) bool.
        far (float): False accept rate in (0, 1), such as 0.01 or 0.001.

    Raises:
        ValueError: As in :func:`equal_error_rate`, and when there are fewer than
            ``1 / far`` pairs of two people, too few to measure this rate.
    """
    scores, same = _check(scores, same)
    if not 0 < far < 1:
        raise ValueError(f'far must be in (0, 1), got {far}')
    if not enough_for_far(same, far):
        raise ValueError(
            f'a false accept rate of {far:g} needs at least {1 / far:.0f} pairs of two '
            f'people, got {(~same).sum()}'
        )
    rates, tar, _ = _roc(scores, same)
    return float(tar[np.searchsorted(rates, far, side='right') - 1])


def enough_for_far(same: np.ndarray, far: float) -> bool:
    """Whether there are enough pairs of two people to measure the rate ``far``."""
    return (~same).sum() * far > 1 - 1e-9


def ten_fold_accuracy(
    scores: np.ndarray | Tensor, same: np.ndarray | Tensor, fold: np.ndarray | Tensor
) -> float:
    """Compute the mean accuracy over folds, at the best threshold of the other folds.

    This is the protocol of Labeled Faces in the Wild (Huang et al., 2007), which has
    ten folds with 300 pairs of each kind. Both kinds have the same weight, however many
    pairs there are, so chance is 0.5; in balanced folds this is the plain accuracy. Of
    several best thresholds, the middle one is used.

    Args:
        scores (np.ndarray or Tensor): (P,).
        same (np.ndarray or Tensor): (P,) bool.
        fold (np.ndarray or Tensor): The fold of each pair, (P,).

    Raises:
        ValueError: As in :func:`equal_error_rate`, and when there are fewer than two
            folds or a fold has pairs of only one kind.
    """
    scores, same = _check(scores, same)
    fold = to_numpy(fold)
    if fold.shape != same.shape:
        raise ValueError(f'{len(same)} pairs need {len(same)} folds, got {fold.shape}')
    folds = np.unique(fold)
    if len(folds) < 2:
        raise ValueError(
            f'other folds determine the threshold, so two are needed, got {len(folds)}'
        )
    for number in folds:
        _check(scores[fold == number], same[fold == number], f'fold {number}: ')
    accuracies = []
    for number in folds:
        inside = fold == number
        threshold = _best_threshold(scores[~inside], same[~inside])
        right = (scores[inside] >= threshold) == same[inside]
        kind = same[inside]
        accuracies.append((right[kind].mean() + right[~kind].mean()) / 2)
    return float(np.mean(accuracies))


def _best_threshold(scores: np.ndarray, same: np.ndarray) -> float:
    far, tar, limits = _roc(scores, same)
    # In the middle between the rejected and the accepted pairs.
    limits = np.append((limits[:-1] + limits[1:]) / 2, -np.inf)
    accuracy = tar - far
    best = np.flatnonzero(accuracy >= accuracy.max() - 1e-12)
    return limits[best[len(best) // 2]]


def _roc(
    scores: np.ndarray, same: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return false and true accept rates, and thresholds, in descending order.

    The thresholds are infinity, which accepts nothing, and then all different scores.
    """
    order = np.argsort(-scores, kind='stable')
    scores, same = scores[order], same[order]
    # Pairs of equal scores are accepted together.
    ends = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    tar = same.cumsum()[ends] / same.sum()
    far = (~same).cumsum()[ends] / (~same).sum()
    zero = np.zeros(1)
    return (
        np.concatenate([zero, far]),
        np.concatenate([zero, tar]),
        np.append(np.inf, scores[ends]),
    )


def _check(
    scores: np.ndarray | Tensor, same: np.ndarray | Tensor, where: str = ''
) -> tuple[np.ndarray, np.ndarray]:
    scores, same = to_numpy(scores).astype(np.float64), to_numpy(same).astype(bool)
    if scores.ndim != 1 or scores.shape != same.shape:
        raise ValueError(
            f'{where}scores and same must both be (P,), got {scores.shape} and '
            f'{same.shape}'
        )
    if not np.isfinite(scores).all():
        wrong = ~np.isfinite(scores)
        raise ValueError(
            f'{where}{wrong.sum()} of {len(scores)} scores are not finite, the first '
            f'is number {wrong.argmax()}'
        )
    for kind, there in (('the same person', same), ('two people', ~same)):
        if not there.any():
            raise ValueError(f'{where}no pair of {kind} among {len(same)} pairs')
    return scores, same
