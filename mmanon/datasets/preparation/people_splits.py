"""People shared out: some to train a modifier on, others for attackers to practise on.

Attackers must not practise on the modifier's own people, which it may hide best, or on
those that they are tested on.
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
"""Who trains M and D, whom attackers practise on, and by whom they see when to stop."""


def count_images(folder: str | Path) -> dict[str, int]:
    """How many images each person has, one folder a person.

    Raises:
        FileNotFoundError: When there is no such folder.
        ValueError: When it holds no people.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f'{folder} is no folder; name one of a folder a person')
    people = (
        path for path in folder.iterdir() if path.is_dir() and not is_hidden(path)
    )
    found = {path.name: len(files_in(path, IMAGES)) for path in people}
    found = {name: count for name, count in sorted(found.items()) if count}
    if not found:
        raise ValueError(f'{folder} holds no folders of images, one for each person')
    return found


def split_people(
    counts: Mapping[str, int],
    attackers: float = 0.45,
    validation: float = 0.25,
    seed: int = 0,
) -> dict[str, list[str]]:
    """Share people out among :data:`PARTS`, disjoint.

    Names that begin alike, up to the first underscore, are of one source; each part
    gets its share of every source. Whom attackers stop by need two images.

    Args:
        counts (Mapping[str, int]): Images of each person; see :func:`count_images`.
        attackers (float): Share of the people that are the attackers', in (0, 1).
            Defaults to 0.45.
        validation (float): Share of the attackers' people, of those with two images or
            more, that they stop by, in (0, 1). Defaults to 0.25.
        seed (int): The same seed makes the same parts. Defaults to 0.

    Raises:
        ValueError: When a share is out of range, or a part would be left without two
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
        # Of each source by itself: others that come or go leave it as it is.
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
            f'{few[0]!r} would have {len(parts[few[0]])} of {len(counts)} people; it '
            'needs two: give more people, or for attackers_val more with two images'
        )
    return {name: sorted(people) for name, people in parts.items()}


def write_split(
    parts: Mapping[str, Sequence[str]], out: str | Path, record: Mapping[str, object]
) -> list[Path]:
    """Write ``<part>.txt``, a name a line, and ``split.json``, how it was made.

    Args:
        parts (Mapping[str, Sequence[str]]): Names of the people of each part.
        out (str or Path): Folder.
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
