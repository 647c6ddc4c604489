"""How well an attribute of people can be guessed from features of their faces."""

from collections.abc import Sequence

import numpy as np
from skimage.color import rgb2lab

__all__ = ['balanced_accuracy', 'guess_attribute', 'skin_tone']

_CHEEKS = ((0.32, 0.66), (0.68, 0.66))
_CHEEK_REACH = 0.05
"""Positions in a face aligned to ArcFace's template, as fractions of its side."""
_TONES = ((41, 'light'), (10, 'intermediate'))
# Candidates for the ridge, as multiples of the mean diagonal of the kernel.
_RIDGES = 10.0 ** np.arange(-4, 3)


def balanced_accuracy(
    truth: Sequence | np.ndarray, guesses: Sequence | np.ndarray
) -> float:
    """Return the mean over the classes of the share of correct guesses in a class.

    A blind guess gets 1 / number of classes, however often each class occurs.

    Raises:
        ValueError: If both are empty, or they differ in length.
    """
    truth, guesses = np.asarray(truth), np.asarray(guesses)
    if truth.shape != guesses.shape or not len(truth):
        raise ValueError(
            f'truth and guesses must have the same length, at least 1, got '
            f'{truth.shape} and {guesses.shape}'
        )
    hits = truth == guesses
    return float(np.mean([hits[truth == one].mean() for one in np.unique(truth)]))


def skin_tone(face: np.ndarray) -> str:
    """Classify the skin tone of both cheeks in an image.

    It uses the individual typology angle (Chardon et al., 1991) of the median colour in
    CIELAB: light above 41 degrees, intermediate above 10, otherwise dark. The lighting
    of the image has an influence.

    Args:
        face (np.ndarray): RGB, uint8 (S, S, 3), aligned to ArcFace's template.

    Returns:
        str: ``'light'``, ``'intermediate'`` or ``'dark'``.
    """
    side = len(face)
    patches = []
    for x, y in _CHEEKS:
        left, top, reach = (round(side * part) for part in (x, y, _CHEEK_REACH))
        patches.append(face[top - reach : top + reach, left - reach : left + reach])
    colours = rgb2lab(np.concatenate([one.reshape(-1, 3) for one in patches])[None])
    lightness, _, yellow = np.median(colours[0], axis=0)
    angle = np.degrees(np.arctan2(lightness - 50, yellow))
    return next((name for above, name in _TONES if angle > above), 'dark')


def guess_attribute(
    blocks: Sequence[np.ndarray],
    classes: Sequence | np.ndarray,
    people: Sequence | np.ndarray,
    folds: int = 5,
    seed: int = 0,
) -> np.ndarray:
    """Guess an attribute of each face by a head that learns from other people.

    The head is linear: ridge regression of each class against the others, in which all
    classes have the same weight. The leave-one-out error on the training faces selects
    the ridge. People are divided into folds; for each fold, a head learns from the
    other folds.

    Args:
        blocks (Sequence[np.ndarray]): Features of the faces, (K, E) each, such as
            embeddings and pixels; all blocks have the same weight.
        classes (Sequence): The attribute of each face, (K,).
        people (Sequence): The person of each face, (K,).
        folds (int): Number of folds. Defaults to 5.
        seed (int): Seed of the folds. Defaults to 0.

    Returns:
        np.ndarray: The guesses, (K,), of the type of ``classes``.

    Raises:
        ValueError: If there are fewer than two classes, fewer people than folds, or a
            class has people in only one fold.
    """
    classes, people = np.asarray(classes), np.asarray(people)
    kinds, number = np.unique(classes, return_inverse=True)
    if len(kinds) < 2:
        raise ValueError(f'there is nothing to guess: all are {list(kinds)}')
    fold = _folds(number, people, folds, seed)
    guesses = np.empty(len(classes), int)
    for out in range(folds):
        learn, test = fold != out, fold == out
        missing = set(range(len(kinds))) - set(number[learn])
        if missing:
            raise ValueError(
                f'{kinds[sorted(missing)].tolist()} has people in only one fold; give '
                'more people'
            )
        pairs = [_kernels(block[learn], block[test]) for block in blocks]
        kernel = np.sum([own for own, _ in pairs], axis=0)
        cross = np.sum([other for _, other in pairs], axis=0)
        guesses[test] = _ridge(kernel, cross, number[learn], len(kinds))
    return kinds[guesses]


def _folds(number: np.ndarray, people: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Assign faces to folds: each person to one fold, each class evenly to all."""
    names, first = np.unique(people, return_index=True)
    if len(names) < folds:
        raise ValueError(f'{len(names)} people are too few for {folds} folds')
    random = np.random.default_rng(seed)
    order = random.permutation(len(names))
    # Sorted by class, in random order within a class.
    order = order[np.argsort(number[first][order], kind='stable')]
    fold_of = np.empty(len(names), int)
    fold_of[order] = np.arange(len(names)) % folds
    return fold_of[np.searchsorted(names, people)]


def _kernels(learn: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return inner products of standardized features, with a mean diagonal of 1."""
    mean, spread = learn.mean(0), learn.std(0)
    scale = np.where(spread > 1e-6, spread, np.inf)
    learn, test = (learn - mean) / scale, (test - mean) / scale
    kernel = learn @ learn.T
    size = max(kernel.diagonal().mean(), 1e-12)
    return kernel / size, test @ learn.T / size


def _ridge(
    kernel: np.ndarray, cross: np.ndarray, number: np.ndarray, classes: int
) -> np.ndarray:
    """Guess by weighted kernel ridge regression with the least leave-one-out error."""
    counts = np.bincount(number, minlength=classes)
    weight = np.sqrt(len(number) / (classes * counts[number]))[:, None]
    targets = np.eye(classes)[number]
    # A constant feature represents the offset.
    kernel, cross = kernel + 1, cross + 1
    weighed = weight * kernel * weight.T
    values, vectors = np.linalg.eigh(weighed)
    inside = vectors.T @ (weight * targets)
    best, chosen = np.inf, np.zeros_like(targets)
    for ridge in _RIDGES * weighed.diagonal().mean():
        inverse = 1 / (values.clip(min=0) + ridge)
        dual = vectors @ (inverse[:, None] * inside)
        # The residual of each face when it is left out of the training.
        error = dual / ((vectors**2) @ inverse)[:, None]
        if (error**2).mean() < best:
            best, chosen = (error**2).mean(), dual
    return (cross @ (weight * chosen)).argmax(1)
