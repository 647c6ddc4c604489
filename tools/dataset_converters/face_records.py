"""Unpack a face set of record files (MS1M, Glint360K, VGGFace2, CASIA-WebFace)."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from mmanon.datasets.preparation.command import convert_or_check, make_parser
from mmanon.datasets.preparation.identity_folders import check_identity_folders
from mmanon.datasets.preparation.problems import Problems
from mmanon.datasets.preparation.record_io import read_image_records, read_index
from mmanon.utils.atomic_write import folder_written_whole, write_whole

LAYOUT = """\
A face set from InsightFace's data set zoo, such as faces_emore (MS1M-ArcFace),
glint360k, faces_vgg_112x112 or faces_webface_112x112:

  SRC/
    train.rec     the faces, 112 x 112 pixels and aligned
    train.idx     the start of each record
    property      number of people, height, width

train.lst is not needed. lfw.bin, agedb_30.bin and similar files are pickles and are
never read. Name --out after the set; the configs read data/casia_webface by default.

The output:

  data/ms1m/<person with 7 digits>/<record with 8 digits>.jpg
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    return make_parser(__doc__, LAYOUT, 'data/ms1m').parse_args(argv)


@dataclass
class Source:
    """A record file, and the number of people it should have, if that is known."""

    path: Path
    people: int | None


def read(src: Path, problems: Problems) -> Source | None:
    """Find the files."""
    path, about = src / 'train.rec', src / 'property'
    for needed in (path, path.with_suffix('.idx'), about):
        if not needed.is_file():
            problems.missing(needed)
    if not path.is_file():
        return None
    people = None
    if about.is_file():
        words = about.read_text().replace(',', ' ').split()
        if words and words[0].isdecimal():
            people = int(words[0])
        else:
            problems.wrong(
                about, f'{" ".join(words)!r} is not a number of people, height, width'
            )
    return Source(path, people)


def person_of(label: float, offset: int) -> str:
    """Return the name of a person's folder.

    Raises:
        ValueError: If the label is not the number of a person.
    """
    if not math.isfinite(label) or label < 0 or label != int(label):
        raise ValueError(f'the record at byte {offset} has the label {label}')
    return f'{int(label):07d}'


def check_source(source: Source, problems: Problems) -> None:
    """Report records that cannot be read, and differences between the files."""
    people, offsets = set(), []
    try:
        for place, record in enumerate(
            tqdm(read_image_records(source.path), unit='record', leave=False)
        ):
            offsets.append(record.offset)
            if not record.image:
                continue
            where = f'{source.path}, record {place} at byte {record.offset}'
            pixels = np.frombuffer(record.image, np.uint8)
            if cv2.imdecode(pixels, cv2.IMREAD_COLOR) is None:
                problems.unreadable(where, 'its image cannot be decoded')
            try:
                people.add(person_of(record.label, record.offset))
            except ValueError as error:
                problems.wrong(source.path, str(error))
    except ValueError as error:
        problems.unreadable(source.path, str(error))
        return
    if source.people is not None and len(people) != source.people:
        problems.wrong(
            source.path,
            f'it has {len(people)} people, but property says {source.people}',
        )
    index = source.path.with_suffix('.idx')
    if index.is_file():
        try:
            same = np.array_equal(read_index(index), offsets)
        except ValueError as error:
            problems.wrong(index, str(error))
        else:
            if not same:
                problems.wrong(index, f'its offsets do not fit {source.path}')


def _images(path: Path) -> Iterator[tuple[str, str, bytes]]:
    """Yield person, file name and stored image of each record with an image."""
    for place, record in enumerate(tqdm(read_image_records(path), unit='record')):
        if record.image:
            person = person_of(record.label, record.offset)
            yield person, f'{place:08d}.jpg', record.image


def convert(source: Source, out: Path) -> None:
    """Write the images as they are stored, person by person.

    A person whose folder exists at the start is complete and skipped. The records of
    one person usually follow each other; if not, the later ones are added to the folder
    of the person.
    """
    done = set(os.listdir(out)) if out.is_dir() else set()
    mine: set[str] = set()
    count = 0
    try:
        for person, images in groupby(_images(source.path), key=itemgetter(0)):
            if person in done:
                continue
            mine.add(person)
            folder = out / person
            with ExitStack() as stack:
                if not folder.is_dir():
                    folder = stack.enter_context(folder_written_whole(folder))
                for _, name, image in images:
                    write_whole(folder / name, image)
                    count += 1
    except ValueError as error:
        raise SystemExit(f'{error}\nsee --check') from error
    print(f'{count} faces of {len(mine)} people written; {len(done)} existed already')


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    return convert_or_check(
        args,
        lambda problems: read(args.src, problems),
        lambda source: convert(source, args.out),
        check_source,
        check_identity_folders,
    )


if __name__ == '__main__':
    sys.exit(main())
