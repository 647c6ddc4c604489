"""Write a table of people's gender, age group, ethnicity and skin tone."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path

from mmanon.utils.atomic_write import written_whole
from mmanon.utils.media_types import is_hidden

EPILOG = """\
    python tools/dataset_converters/portrait_attributes.py data/portraits/train \\
        data/portraits/test \\
        --info data/portraits/london_info.csv data/portraits/canada_info.csv \\
        --out data/attributes.csv

Folders are called <set>_<id>, or <set>_<gender>_<number> if a set is sorted by gender,
such as synthetic_female_3. The table of a set, <set>_info.csv, has the columns face_id,
face_age, face_gender and optionally face_eth, like the sets of the Face Research Lab.
The output has the columns person, gender, age_group and ethnicity, for the `labels` of
a FaceAttributeMetric; unknown cells are empty. With --skin-tone it also has a column
skin_tone, the individual typology angle of the cheeks, measured in each person's first
picture that is not grey.
"""
GENDERS = ('female', 'male')
GREY = 8
AGE_GROUPS = ((30, 'under 30'), (200, '30 and over'))


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'people',
        type=Path,
        nargs='+',
        help='folders, each with one folder for each person',
    )
    parser.add_argument(
        '--info',
        type=Path,
        nargs='*',
        default=[],
        metavar='CSV',
        help='tables of the sets, <set>_info.csv',
    )
    parser.add_argument(
        '--out', type=Path, required=True, metavar='CSV', help='the output'
    )
    parser.add_argument(
        '--skin-tone',
        type=Path,
        metavar='ONNX',
        help='also measure the skin tone, in faces that YuNet with these weights finds',
    )
    return parser.parse_args(argv)


def read_info(paths: Sequence[Path]) -> dict[str, dict[str, str]]:
    """Read the rows of the sets' tables, by the name of the person's folder.

    Raises:
        ValueError: If a table is not named ``<set>_info.csv`` or lacks a column.
    """
    found = {}
    for path in paths:
        name, ending, _ = path.name.rpartition('_info.csv')
        if not ending:
            raise ValueError(f'{path} must be named <set>_info.csv')
        with path.open(newline='', encoding='utf-8') as file:
            for row in csv.DictReader(file):
                missing = {'face_id', 'face_age', 'face_gender'} - set(row)
                if missing:
                    raise ValueError(f'{path} has no column {sorted(missing)[0]!r}')
                found[f'{name}_{row["face_id"]}'] = row
    return found


def attributes_of(person: str, info: dict[str, dict[str, str]]) -> list[str]:
    """Return gender, age group and ethnicity of a person; '' if unknown."""
    row = info.get(person)
    if row is None:
        parts = person.split('_')
        told = parts[1] if len(parts) > 2 and parts[1] in GENDERS else ''
        return [told, '', '']
    gender = row['face_gender'].strip().lower()
    try:
        age = float(row['face_age'])
        group = next((text for below, text in AGE_GROUPS if age < below), '')
    except ValueError:
        group = ''
    return [gender if gender in GENDERS else '', group, row.get('face_eth') or '']


def measure_skin_tones(people: Path, weights: Path) -> dict[str, str]:
    """Measure the skin tone of each person in their first picture that is not grey."""
    from mmanon.datasets import FaceIdentityDataset
    from mmanon.evaluation import skin_tone

    faces = FaceIdentityDataset(
        people,
        crop_size=112,
        margin=0.0,
        detector=dict(type='mmanon.YuNetFaceDetector', weights=str(weights)),
        test_mode=True,
    )
    found: dict[str, str] = {}
    for index, path in enumerate(faces.paths):
        pixels = faces.pixels(index)[0].permute(1, 2, 0).numpy()
        grey = pixels.max(2).astype(int) - pixels.min(2) < GREY
        if path.parent.name not in found and grey.mean() < 0.9:
            found[path.parent.name] = skin_tone(pixels)
    return found


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    try:
        info = read_info(args.info)
        people = sorted(
            path.name
            for folder in args.people
            for path in folder.iterdir()
            if path.is_dir() and not is_hidden(path)
        )
        tones: dict[str, str] = {}
        if args.skin_tone is not None:
            for folder in args.people:
                tones |= measure_skin_tones(folder, args.skin_tone)
    except (ImportError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    rows = [[person, *attributes_of(person, info)] for person in people]
    columns = ['person', 'gender', 'age_group', 'ethnicity']
    if args.skin_tone is not None:
        columns.append('skin_tone')
        rows = [[*row, tones.get(row[0], '')] for row in rows]
    known = [row for row in rows if any(row[1:])]
    with (
        written_whole(args.out) as beside,
        beside.open('w', newline='', encoding='utf-8') as file,
    ):
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(known)
    print(f'{args.out}: attributes of {len(known)} of {len(rows)} people')
    return 0


if __name__ == '__main__':
    sys.exit(main())
