"""Plans who does what in which clip, before anything is drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .actions import ACTIONS, BODY_ACTIONS

__all__ = ['PlannedClip', 'plan_clips', 'stream']

_PEOPLE = {1: 0.35, 2: 0.45, 3: 0.2}
_TALKS_BESIDES = 0.2


@dataclass(frozen=True)
class PlannedClip:
    """A clip to draw.

    Attributes:
        split: ``'train'`` or ``'test'``.
        video: Name of its folder of frames.
        identities: Numbers of the people among the identities of the split.
        actions: Actions of each person.
    """

    split: str
    video: str
    identities: tuple[int, ...]
    actions: tuple[tuple[str, ...], ...]


def stream(seed: int, *purpose: str | int) -> np.random.Generator:
    """Return a random generator for one purpose, independent of all others."""
    words = [seed]
    for part in purpose:
        words += [part] if isinstance(part, int) else list(part.encode())
    return np.random.default_rng(words)


def plan_clips(
    split: str, num_clips: int, num_identities: int, seed: int, max_people: int = 3
) -> list[PlannedClip]:
    """Plan the clips of a split, with all actions and identities about equally often.

    Args:
        split: ``'train'`` or ``'test'``; the names of videos begin with it.
        num_clips: N, the number of clips.
        num_identities: I, the number of identities.
        seed: Seed of the benchmark.
        max_people: Largest number of people in a clip.
    """
    rng = stream(seed, split, 'plan')
    actions = _rounds(len(ACTIONS), rng)
    identities = _rounds(num_identities, rng)
    clips = []
    for i in range(num_clips):
        people = int(rng.choice(list(_PEOPLE), p=list(_PEOPLE.values())))
        people = min(people, num_identities, max_people)
        present: list[int] = []
        while len(present) < people:
            identity = next(identities)
            if identity not in present:
                present.append(identity)
        done = []
        for _ in range(people):
            action = ACTIONS[next(actions)]
            besides = action in BODY_ACTIONS and rng.random() < _TALKS_BESIDES
            done.append((action, 'talk') if besides else (action,))
        video = f'{split}_{i:04d}'
        clips.append(PlannedClip(split, video, tuple(present), tuple(done)))
    return clips


def _rounds(count: int, rng: np.random.Generator) -> Iterator[int]:
    """Yield all numbers below ``count`` in random order, endlessly."""
    while True:
        order: Sequence[int] = rng.permutation(count).tolist()
        yield from order
