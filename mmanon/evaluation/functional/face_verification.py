"""Face verification: do two faces show the same person?

All functions take P pairs of faces as ``scores``, high where the faces are alike, and
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

# Pairs of embeddings that are held at once.
_PAIRS = 8192


def pair_scores(
    probes: np.ndarray | Tensor,
    gallery: np.ndarray | Tensor,
    first: np.ndarray,
    second: np.ndarray,
) -> np.ndarray:
    """Cosine of the embeddings of each pair of images.

    Args:
        probes (np.ndarray or Tensor): Embeddings that the first images are looked up
            in, (K, E).
        gallery (np.ndarray or Tensor): Those that the second are looked up in, (G, E);
            the same, or of the images as redrawn.
        first (np.ndarray): Index of the first image of each pair, (P,).
        second (np.ndarray): Index of the second.

    Returns:
        np.ndarray: float64 (P,) in [-1, 1], rounded to six decimals.

    Raises:
        ValueError: When embeddings are not finite or of different length.
    """
    probes = unit_embeddings(probes, 'embeddings of the first images')
    gallery = unit_embeddings(gallery, 'embeddings of the second images')
    if probes.shape[1] != gallery.shape[1]:
        raise ValueError(
            f'embeddings to compare must be as long, got {probes.shape[1]} and '
            f'{gallery.shape[1]}'
        )
    starts = range(0, len(first), _PAIRS)
    blocks = [slice(start, start + _PAIRS) for start in starts]
    products = [(probes[first[b]] * gallery[second[b]]).sum(1) for b in blocks]
    return cosines(np.concatenate(products or [np.zeros(0)]))


def equal_error_rate(scores: np.ndarray | Tensor, same: np.ndarray | Tensor) -> float:
    """The rate where false rejects and false accepts are equal.

    Between two thresholds both rates are interpolated. Chance is 0.5.

    Args:
        scores (np.ndarray or Tensor): (P,).
        same (np.ndarray or Tensor): (P,) bool.

    Raises:
        ValueError: When scores are not finite, shapes differ or a kind is missing.

    Example:
        >>> equal_error_rate([0.9, 0.8, 0.3, 0.1], [True, False, True, False])
        0.5
    """
    far, tar, _ = _roc(*_check(scores, same))
    # False accepts less false rejects: rises from -1 to 1.
    gap = far + tar - 1
    after = int((gap >= 0).argmax())
    before = after - 1
    way = -gap[before] / (gap[after] - gap[before])
    return float(far[before] + way * (far[after] - far[before]))


def area_under_roc(scores: np.ndarray | Tensor, same: np.ndarray | Tensor) -> float:
    """Probability that a pair of one person scores above a pair of two people.

    Equal scores count half. Chance is 0.5. Arguments and errors as of
    :func:`equal_error_rate`.
    """
    far, tar, _ = _roc(*_check(scores, same))
    return float((np.diff(far) * (tar[1:] + tar[:-1]) / 2).sum())


def tar_at_far(
    scores: np.ndarray | Tensor, same: np.ndarray | Tensor, far: float
) -> float:
    """Part of the pairs of one person accepted while few of two people are.

    The threshold is the lowest that accepts no more than the part ``far`` of the pairs
    of two people; nothing is interpolated.

    Args:
        scores (np.ndarray or Tensor): (P,).
        same (np.ndarray or Tensor): (P,) bool.
        far (float): False accept rate in (0, 1), such as 0.01 or 0.001.

    Raises:
        ValueError: As :func:`equal_error_rate`, and when there are fewer than
            ``1 / far`` pairs of two people: a rate that small is not seen in them.
    """
    scores, same = _check(scores, same)
    if not 0 < far < 1:
        raise ValueError(f'far must be in (0, 1), got {far}')
    if not enough_for_far(same, far):
        raise ValueError(
            f'a false accept rate of {far:g} needs {1 / far:.0f} pairs of two people '
            f'at least, got {(~same).sum()}'
        )
    rates, tar, _ = _roc(scores, same)
    return float(tar[np.searchsorted(rates, far, side='right') - 1])


def enough_for_far(same: np.ndarray, far: float) -> bool:
    """Whether pairs of two people are so many that one is no more than ``far``."""
    return (~same).sum() * far > 1 - 1e-9


def ten_fold_accuracy(
    scores: np.ndarray | Tensor, same: np.ndarray | Tensor, fold: np.ndarray | Tensor
) -> float:
    """Accuracy in each fold at the threshold that is best in the others, averaged.

    The protocol of Labeled Faces in the Wild (Huang et al., 2007), which has ten folds
    of 300 pairs of each kind. Both kinds weigh the same, however many there are, so
    chance is 0.5; in balanced folds that is the plain accuracy. Of thresholds that are
    equally good the middle one is taken.

    Args:
        scores (np.ndarray or Tensor): (P,).
        same (np.ndarray or Tensor): (P,) bool.
        fold (np.ndarray or Tensor): Which fold each pair is in, (P,).

    Raises:
        ValueError: As :func:`equal_error_rate`, and when there are not two folds or
            one lacks a kind.
    """
    scores, same = _check(scores, same)
    fold = to_numpy(fold)
    if fold.shape != same.shape:
        raise ValueError(f'{len(same)} pairs need {len(same)} folds, got {fold.shape}')
    folds = np.unique(fold)
    if len(folds) < 2:
        raise ValueError(
            f'a threshold is chosen on other folds: two are needed, got {len(folds)}'
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
    # As near to the pairs that are refused as to those that are accepted.
    limits = np.append((limits[:-1] + limits[1:]) / 2, -np.inf)
    accuracy = tar - far
    best = np.flatnonzero(accuracy >= accuracy.max() - 1e-12)
    return limits[best[len(best) // 2]]


def _roc(
    scores: np.ndarray, same: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rates of false and true accepts at each score as the least that is accepted.

    From nothing accepted, at infinity, to everything, each (number of scores + 1,).
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
            f'{where}{wrong.sum()} of {len(scores)} scores are not finite, first '
            f'number {wrong.argmax()}'
        )
    for kind, there in (('the same person', same), ('two people', ~same)):
        if not there.any():
            raise ValueError(f'{where}no pair of {kind} among {len(same)} pairs')
    return scores, same
