"""Divides people into those who train a modifier and those who train attackers.

Attackers must not be trained on the modifier's own people, whom it may hide best, or on
the people of their test.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmanon.utils.atomic_write import write_whole
from mmanon.utils.media_types import IMAGES, files_in, is_hidden

__all__ = ['PARTS', 'count_images', 'split_people', 'write_split']

PARTS = ('modifier', 'attackers', 'attackers_val')
"""The people who train M and D, who train attackers, and who validate attackers."""


def count_images(folder: str | Path) -> dict[str, int]:
    """Count the images of each person in a folder with one folder for each person.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: If it contains no people.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(
            f'{folder} is not a folder; give one with a folder for each person'
        )
    people = (
        path for path in folder.iterdir() if path.is_dir() and not is_hidden(path)
    )
    found = {path.name: len(files_in(path, IMAGES)) for path in people}
    found = {name: count for name, count in sorted(found.items()) if count}
    if not found:
        raise ValueError(
            f'{folder} has no folders of images; there must be one for each person'
        )
    return found


def split_people(
    counts: Mapping[str, int],
    attackers: float = 0.45,
    validation: float = 0.25,
    seed: int = 0,
) -> dict[str, list[str]]:
    """Divide people into the disjoint :data:`PARTS`.

    People whose names are equal up to the first underscore come from one source; each
    part gets its share of every source. People who validate attackers need two images.

    Args:
        counts (Mapping[str, int]): Images of each person; see :func:`count_images`.
        attackers (float): Share of people for attackers, in (0, 1). Defaults to 0.45.
        validation (float): Share of the attackers' people with at least two images who
            validate attackers, in (0, 1). Defaults to 0.25.
        seed (int): Equal seeds give equal parts. Defaults to 0.

    Returns:
        dict[str, list[str]]: The sorted names of each part.

    Raises:
        ValueError: If a share is out of range, or a part would have fewer than two
            people.
    """
    for name, share in (('attackers', attackers), ('validation', validation)):
        if not 0 < share < 1:
            raise ValueError(f'{name} must be in (0, 1), got {share!r}')
    parts: dict[str, list[str]] = {name: [] for name in PARTS}
    sources: dict[str, list[str]] = {}
    for person in sorted(counts):
        sources.setdefault(person.partition('_')[0], []).append(person)
    for source, people in sources.items():
        # Each source by itself, so that other sources do not change its split.
        random.Random(f'{seed}/{source}').shuffle(people)
        theirs = people[: round(attackers * len(people))]
        several = [person for person in theirs if counts[person] > 1]
        watched = set(several[: round(validation * len(several))])
        parts['modifier'] += people[len(theirs) :]
        parts['attackers'] += [person for person in theirs if person not in watched]
        parts['attackers_val'] += watched
    few = [name for name, people in parts.items() if len(people) < 2]
    if few:
        raise ValueError(
            f'{few[0]!r} would have {len(parts[few[0]])} of {len(counts)} people, but '
            'needs two: give more people, or for attackers_val more with two images'
        )
    return {name: sorted(people) for name, people in parts.items()}


def write_split(
    parts: Mapping[str, Sequence[str]], out: str | Path, record: Mapping[str, object]
) -> list[Path]:
    """Write ``<part>.txt``, with a name on each line, and ``split.json`` about them.

    Args:
        parts (Mapping[str, Sequence[str]]): Names of the people of each part.
        out (str or Path): The folder of these files; it is created if needed.
        record (Mapping): Further information, such as seed and source.

    Returns:
        list[Path]: The files.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    files, said = [], {}
    for name, people in parts.items():
        text = ''.join(f'{person}\n' for person in people)
        files.append(out / f'{name}.txt')
        write_whole(files[-1], text)
        digest = hashlib.sha256(text.encode()).hexdigest()
        said[name] = dict(people=len(people), sha256=digest)
    files.append(out / 'split.json')
    write_whole(files[-1], json.dumps({**record, 'parts': said}, indent=2) + '\n')
    return files
