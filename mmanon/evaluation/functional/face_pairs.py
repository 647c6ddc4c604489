"""Pairs of faces to verify: those of LFW, or random pairs of any identity folders."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

__all__ = ['FacePairs', 'check_disjoint', 'generate_pairs', 'read_lfw_pairs']


class FacePairs(NamedTuple):
    """P pairs of images, in folds.

    Attributes:
        first: Index of one image of each pair, (P,) int64.
        second: Index of the other image, (P,) int64.
        same: Whether both show one person, (P,) bool.
        fold: The fold of each pair, (P,) int64 from 0.
    """

    first: np.ndarray
    second: np.ndarray
    same: np.ndarray
    fold: np.ndarray

    def select(self, chosen: np.ndarray) -> 'FacePairs':
        """Return the pairs selected by a mask (P,) or by indices."""
        return FacePairs(*(column[chosen] for column in self))


def read_lfw_pairs(
    pairs_file: str | Path, root: str | Path
) -> tuple[list[Path], FacePairs]:
    """Read the published pairs of Labeled Faces in the Wild, ``pairs.txt``.

    The first line has the number of folds and of pairs of each kind in a fold. Each
    fold has lines ``name i j``, two images of a person, and then ``name1 i name2 j``.
    Image ``i`` of a person is ``<root>/<name>/<name>_<i with four digits>.jpg``.

    Args:
        pairs_file (str or Path): The text file.
        root (str or Path): Folder with one folder for each person.

    Returns:
        tuple[list[Path], FacePairs]: All images of the pairs, and pairs of their
        indices.

    Raises:
        FileNotFoundError: If an image does not exist; the message names the line.
        ValueError: If a line has another form, or the number of lines is wrong.
    """
    lines = Path(pairs_file).read_text(encoding='utf-8').splitlines()
    header = lines[0].split() if lines else []
    if len(header) != 2 or not all(word.isdecimal() for word in header):
        raise ValueError(
            f'{pairs_file}, line 1: must have the number of folds and of pairs of each '
            f'kind in a fold, got {" ".join(header)!r}'
        )
    folds, per_fold = map(int, header)
    body = [(number, line) for number, line in enumerate(lines[1:], 2) if line.strip()]
    if len(body) != 2 * folds * per_fold:
        raise ValueError(
            f'{pairs_file}: {folds} folds of 2 x {per_fold} pairs need '
            f'{2 * folds * per_fold} lines after the first, got {len(body)}'
        )
    known: dict[Path, int] = {}
    rows = []
    for place, (number, line) in enumerate(body):
        fold, within = divmod(place, 2 * per_fold)
        same = within < per_fold
        where = f'{pairs_file}, line {number}'
        paths = [Path(root) / name for name in _pair_of_files(line, same, where)]
        for path in paths:
            if path not in known:
                if not path.is_file():
                    raise FileNotFoundError(f'{where}: {path} does not exist')
                known[path] = len(known)
        rows.append((*(known[path] for path in paths), same, fold))
    columns = np.array(rows, np.int64).reshape(-1, 4).T
    return list(known), FacePairs(
        columns[0], columns[1], columns[2].astype(bool), columns[3]
    )


def _pair_of_files(line: str, same: bool, where: str) -> list[str]:
    # Names have no spaces: LFW writes them with underscores.
    words = line.split()
    if same and len(words) == 3:
        words.insert(2, words[0])
    elif same or len(words) != 4:
        wanted = 'name i j' if same else 'name1 i name2 j'
        raise ValueError(f'{where}: must be `{wanted}`, got {line.strip()!r}')
    if not (words[1].isdecimal() and words[3].isdecimal()):
        raise ValueError(f'{where}: images are named by numbers, got {line.strip()!r}')
    if (words[0] == words[2]) != same or (same and int(words[1]) == int(words[3])):
        wanted = 'two images of a person' if same else 'two people'
        raise ValueError(f'{where}: must name {wanted}, got {line.strip()!r}')
    pairs = (words[:2], words[2:])
    return [f'{name}/{name}_{int(number):04d}.jpg' for name, number in pairs]


def generate_pairs(
    labels: Sequence | np.ndarray,
    num_same: int = 3000,
    num_different: int | None = None,
    folds: int = 10,
    seed: int = 0,
) -> FacePairs:
    """Draw pairs of one person and of two people, in folds.

    No pair is drawn twice, so folds have no common pairs. Pairs of each kind are spread
    evenly over the folds.

    Args:
        labels (Sequence): The person of each image, numbers or names, (K,).
        num_same (int): Largest number of pairs of one person. Defaults to LFW's 3000.
        num_different (int, optional): Largest number of pairs of two people. Defaults
            to the number of pairs of one person.
        folds (int): Number of folds. Defaults to 10.
        seed (int): Equal seeds draw equal pairs. Defaults to 0.

    Raises:
        ValueError: If a person has fewer than two images, there is only one person,
            or there are fewer pairs than folds.
    """
    labels = np.asarray(labels)
    people, owner, images = np.unique(labels, return_inverse=True, return_counts=True)
    single = people[images < 2]
    if len(single):
        raise ValueError(
            f'{len(single)} of {len(people)} people have fewer than two images, but '
            f'pairs of one person need two: {[str(name) for name in single[:5]]}'
        )
    random = np.random.default_rng(seed)
    # The images are sorted by people. An image makes pairs with later ones: of one
    # person up to the end of its person's images, of two people from there on.
    order = np.argsort(owner, kind='stable')
    place = np.arange(len(order))
    end = np.cumsum(images)[owner[order]]
    same = _draw(place + 1, end - place - 1, num_same, random)
    wanted = len(same) if num_different is None else num_different
    different = _draw(end, len(order) - end, wanted, random)
    parts = []
    for kind, drawn in (('one person', same), ('two people', different)):
        if len(drawn) < folds:
            raise ValueError(
                f'{len(drawn)} pairs of {kind} do not fill {folds} folds; there are '
                f'{len(labels)} images of {len(people)} people'
            )
        # The order of the two images is random, too.
        drawn = random.permuted(order[drawn], axis=1)
        parts.append(drawn)
    first, second = np.concatenate(parts).T
    return FacePairs(
        first,
        second,
        np.repeat([True, False], [len(same), len(different)]),
        np.concatenate([np.arange(len(part)) % folds for part in parts]),
    )


def _draw(
    starts: np.ndarray, counts: np.ndarray, number: int, random: np.random.Generator
) -> np.ndarray:
    """Draw pairs (n, 2) of i and one of ``counts[i]`` places from ``starts[i]`` on."""
    ends = np.cumsum(counts)
    total = int(ends[-1])
    drawn = random.choice(total, min(number, total), replace=False)
    first = np.searchsorted(ends, drawn, side='right')
    offset = drawn - (ends[first] - counts[first])
    return np.stack([first, starts[first] + offset], axis=1)


def check_disjoint(train_names: Iterable[str], test_names: Iterable[str]) -> None:
    """Check that no person is used both for training and for testing.

    Names of combined data sets, such as ``0/ann``, are compared without the number of
    the set, because the other names may come from this set alone.

    Raises:
        ValueError: If people are in both; the message names them.
    """
    trained, tested = (
        {name.rpartition('/')[2] for name in names}
        for names in (train_names, test_names)
    )
    both = sorted(trained & tested)
    if both:
        raise ValueError(
            f'{len(both)} people are used both for training and for testing, so the '
            f'figures would say nothing about unseen people: {both[:5]}'
        )
