"""Draws the questions of a study."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ['NameQuestion', 'PairQuestion', 'Questions', 'draw_questions']


@dataclass(frozen=True)
class PairQuestion:
    """Do these two modified images show one person?

    Attributes:
        first: Index of an image.
        second: Index of another one.
        same: The right answer.
    """

    first: int
    second: int
    same: bool


@dataclass(frozen=True)
class NameQuestion:
    """Which of these people does this modified image show?

    Attributes:
        image: Index of the image.
        choices: Labels of people, in the order in which they are shown.
        right: Index of the right person among the choices.
    """

    image: int
    choices: tuple[int, ...]
    right: int


@dataclass(frozen=True)
class Questions:
    """The questions of a study.

    Attributes:
        pairs: Questions about pairs, half of them of one person.
        names: Questions for names. Each person is the right answer about equally often,
            as far as the number of images allows.
        references: Original images of each person, for comparison.
        left_out: People with too few images.
    """

    pairs: list[PairQuestion]
    names: list[NameQuestion]
    references: dict[int, list[int]]
    left_out: list[int]


def draw_questions(
    labels: Sequence[int] | np.ndarray,
    pairs: int = 40,
    names: int = 40,
    choices: int = 5,
    references: int = 2,
    seed: int = 0,
) -> Questions:
    """Draw the questions of a study.

    The reference images of a person are not used in questions, and are the same for all
    questions, so neither a repeated nor a missing photograph reveals the answer. No
    image is in two questions of the same kind.

    Args:
        labels (Sequence[int]): The person of each image, (K,).
        pairs (int): Number of questions about pairs; an even number. Defaults to 40.
        names (int): Number of questions for names. Defaults to 40.
        choices (int): Number of names to choose from. Defaults to 5.
        references (int): Number of reference images of a person. Defaults to 2.
        seed (int): Equal seeds draw equal questions. Defaults to 0.

    Raises:
        ValueError: If a number is out of range, or there are too few people or
            images; the message says which.
    """
    _check(pairs, names, choices, references)
    random = np.random.default_rng(seed)
    labels = np.asarray(labels)
    images = {
        int(person): random.permutation(np.flatnonzero(labels == person)).tolist()
        for person in np.unique(labels)
    }
    needed = references + 2
    chosen = {p: owned for p, owned in images.items() if len(owned) >= needed}
    least = max(choices, 2)
    if len(chosen) < least:
        raise ValueError(
            f'{least} people with at least {needed} images each are needed '
            f'({references} references, and two for questions), but only '
            f'{len(chosen)} of {len(images)} have so many: add images, or use fewer '
            'references or choices'
        )
    asked = {person: owned[references:] for person, owned in chosen.items()}
    return Questions(
        pairs=_draw_pairs(asked, pairs // 2, random),
        names=_draw_names(asked, names, choices, random),
        references={person: owned[:references] for person, owned in chosen.items()},
        left_out=[person for person in images if person not in chosen],
    )


def _check(pairs: int, names: int, choices: int, references: int) -> None:
    if pairs < 0 or pairs % 2:
        raise ValueError(
            f'pairs must be an even number, half of them of one person, got {pairs}'
        )
    if names < 0 or pairs + names == 0:
        raise ValueError(
            f'names must not be negative, and not 0 if pairs is 0, got {names}'
        )
    for name, value, least in (('choices', choices, 2), ('references', references, 1)):
        if value < least:
            raise ValueError(f'{name} must be at least {least}, got {value}')


def _draw_pairs(
    asked: dict[int, list[int]], each: int, random: np.random.Generator
) -> list[PairQuestion]:
    """Draw equal numbers of pairs of one person and of two, in random order."""
    left = {person: list(owned) for person, owned in asked.items()}
    same: list[PairQuestion] = []
    for first, second in _in_rounds(left, 2, random):
        if len(same) == each:
            break
        same.append(PairQuestion(first, second, same=True))
    if len(same) < each:
        raise _too_few_images(2 * each, asked)
    for question in same:
        for owned in left.values():
            owned[:] = [i for i in owned if i not in (question.first, question.second)]
    different = []
    for _ in range(each):
        # From the people with the most remaining images, to get as many as possible.
        a, b = sorted(left, key=lambda person: (-len(left[person]), random.random()))[
            :2
        ]
        if not left[b]:
            raise _too_few_images(2 * each, asked)
        first, second = random.permutation([left[a].pop(), left[b].pop()]).tolist()
        different.append(PairQuestion(first, second, same=False))
    questions = [*same, *different]
    return [questions[i] for i in random.permutation(len(questions))]


def _too_few_images(pairs: int, asked: dict[int, list[int]]) -> ValueError:
    return ValueError(
        f'{pairs} pairs of {2 * pairs} different images, half of them of one person, '
        f'cannot be drawn from {sum(map(len, asked.values()))} images of {len(asked)} '
        'people without the references: use fewer pairs or references, or add images'
    )


def _draw_names(
    asked: dict[int, list[int]], count: int, choices: int, random: np.random.Generator
) -> list[NameQuestion]:
    there = sum(map(len, asked.values()))
    if there < count:
        raise ValueError(
            f'{count} questions for names need {count} images without the references, '
            f'but there are {there}: use fewer names or references, or add images'
        )
    owner = {image: person for person, owned in asked.items() for image in owned}
    questions = []
    for (image,), _ in zip(_in_rounds(asked, 1, random), range(count), strict=False):
        others = [person for person in asked if person != owner[image]]
        shown = random.choice(others, choices - 1, replace=False).tolist()
        right = int(random.integers(choices))
        shown.insert(right, owner[image])
        questions.append(NameQuestion(image, tuple(shown), right))
    return [questions[i] for i in random.permutation(count)]


def _in_rounds(
    asked: dict[int, list[int]], size: int, random: np.random.Generator
) -> Iterator[list[int]]:
    """Yield groups of images of one person, in rounds through all people."""
    start = 0
    while any(len(owned) >= start + size for owned in asked.values()):
        for person in random.permutation(list(asked)).tolist():
            group = asked[person][start : start + size]
            if len(group) == size:
                yield group
        start += size
