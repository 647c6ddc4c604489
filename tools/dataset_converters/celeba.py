"""Prepare CelebA: identity folders in its official partition, and its attributes."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from mmanon.datasets.preparation.command import convert_or_check, make_parser
from mmanon.datasets.preparation.identity_folders import (
    check_identity_folders,
    link_people,
)
from mmanon.datasets.preparation.images import check_images
from mmanon.datasets.preparation.problems import Problems
from mmanon.utils.atomic_write import written_whole

LAYOUT = """\
CelebA as published, 10 177 people, 202 599 images:

  SRC/
    Img/img_celeba/000001.jpg ...             in the wild, or else
    Img/img_align_celeba/000001.jpg ...       aligned, 178 x 218 pixels
    Anno/identity_CelebA.txt
    Anno/list_attr_celeba.txt
    Anno/list_landmarks_celeba.txt            for the images in the wild, or
    Anno/list_landmarks_align_celeba.txt      for the aligned images
    Eval/list_eval_partition.txt

All files may also be in SRC itself. The output, with links to the images:

  data/celeba/
    {train,val,test}/<person>/000001.jpg ...
    attributes.csv    image (its path in data/celeba), and 1 or -1 for each attribute
    landmarks.csv     image, and x and y of eyes, nose and corners of the mouth in
                      pixels
"""
SPLITS = ('train', 'val', 'test')


@dataclass
class Source:
    """The images and annotations of CelebA.

    Attributes:
        images: The folder of the images.
        people: For each split, the images of each person.
        tables: The columns and rows of ``attributes`` and ``landmarks``.
    """

    images: Path
    people: dict[str, dict[str, list[Path]]]
    tables: dict[str, tuple[list[str], dict[str, list[str]]]] = field(
        default_factory=dict
    )


def place(src: Path, folder: str, *names: str) -> Path:
    """Return the first of some files or folders that exists, or the first of all."""
    paths = [base / name for name in names for base in (src / folder, src)]
    return next((path for path in paths if path.exists()), paths[0])


def read_numbers(path: Path, problems: Problems) -> dict[str, int]:
    """Read lines with an image and a number."""
    found: dict[str, int] = {}
    if not path.is_file():
        problems.missing(path)
        return found
    for line, text in enumerate(path.read_text().splitlines(), 1):
        words = text.split()
        if len(words) == 2 and words[1].isdecimal():
            found[words[0]] = int(words[1])
        elif words:
            problems.wrong(path, f'line {line}: {text!r} is not an image and a number')
    return found


def read_table(
    path: Path, problems: Problems
) -> tuple[list[str], dict[str, list[str]]] | None:
    """Read a table: its length, a line of names, and lines of an image and numbers."""
    if not path.is_file():
        problems.missing(path)
        return None
    lines = path.read_text().splitlines()
    names = lines[1].split() if len(lines) > 1 else []
    rows = {}
    for number, text in enumerate(lines[2:], 3):
        image, *values = text.split() or ['']
        if len(values) == len(names) and all(_is_number(value) for value in values):
            rows[image] = values
        elif text.strip():
            problems.wrong(
                path, f'line {number}: not an image and {len(names)} numbers'
            )
    if not lines or lines[0].strip() != str(len(rows)):
        problems.wrong(path, f'line 1 is not the number of lines, {len(rows)}')
    return names, rows


def _is_number(text: str) -> bool:
    return text.lstrip('-').isdecimal()


def read(src: Path, problems: Problems) -> Source | None:
    """Read all annotations of a download."""
    images = place(src, 'Img', 'img_celeba', 'img_align_celeba')
    aligned = 'align_' if images.name == 'img_align_celeba' else ''
    people = read_numbers(place(src, 'Anno', 'identity_CelebA.txt'), problems)
    parts = place(src, 'Eval', 'list_eval_partition.txt')
    partition = read_numbers(parts, problems)
    if not images.is_dir():
        problems.missing(images)
        return None
    there = {path.name for path in images.iterdir()}
    source = Source(images, {split: {} for split in SPLITS})
    owner: dict[int, str] = {}
    for image, person in people.items():
        number = partition.get(image)
        if number is None or number >= len(SPLITS):
            problems.wrong(parts, f'{image} is not in part 0, 1 or 2')
            continue
        split = SPLITS[number]
        if owner.setdefault(person, split) != split:
            problems.wrong(
                parts, f'{image}: person {person} is in {owner[person]} and {split}'
            )
        if image not in there:
            problems.missing(images / image)
        folder = source.people[split].setdefault(f'{person:05d}', [])
        folder.append(images / image)
    files = {
        'attributes': 'list_attr_celeba.txt',
        'landmarks': f'list_landmarks_{aligned}celeba.txt',
    }
    for name, file in files.items():
        table = read_table(place(src, 'Anno', file), problems)
        if table:
            source.tables[name] = table
    return source if people and partition else None


def check_source(source: Source, problems: Problems) -> None:
    """Report the images that cannot be read."""
    paths = [
        path
        for people in source.people.values()
        for images in people.values()
        for path in images
    ]
    check_images([path for path in paths if path.exists()], problems)


def convert(source: Source, out: Path) -> None:
    """Link the images, and write their attributes and landmarks."""
    paths: dict[str, str] = {}
    for split, people in source.people.items():
        link_people(people, out / split)
        for person, images in tqdm(people.items(), desc=split, unit='person'):
            paths |= {path.name: f'{split}/{person}/{path.name}' for path in images}
    for name, (columns, rows) in source.tables.items():
        with (
            written_whole(out / f'{name}.csv') as beside,
            beside.open('w', newline='') as file,
        ):
            writer = csv.writer(file)
            writer.writerow(['image', *columns])
            for image, values in rows.items():
                if image in paths:
                    writer.writerow([paths[image], *values])
    print(f'{len(paths)} images of {sum(map(len, source.people.values()))} people')


def check_out(out: Path, problems: Problems) -> None:
    """Report what is wrong in the prepared data set."""
    for split in SPLITS:
        check_identity_folders(out / split, problems)
    for name in ('attributes', 'landmarks'):
        path = out / f'{name}.csv'
        if not path.is_file():
            problems.missing(path)
            continue
        with path.open(newline='') as file:
            for row in csv.DictReader(file):
                if not (out / row.get('image', '?')).exists():
                    problems.wrong(path, f'{row.get("image")} does not exist')


def main(argv: Sequence[str] | None = None) -> int:
    args = make_parser(__doc__, LAYOUT, 'data/celeba').parse_args(argv)
    return convert_or_check(
        args,
        lambda problems: read(args.src, problems),
        lambda source: convert(source, args.out),
        check_source,
        check_out,
    )


if __name__ == '__main__':
    sys.exit(main())
