"""Split people into sets to train a modifier, to train attackers, and to test."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mmanon.datasets.preparation.people_splits import (
    PARTS,
    count_images,
    split_people,
    write_split,
)

EPILOG = """\
    python tools/dataset_converters/split_people.py portraits/train \\
        --test portraits/test --out data/splits

writes lists of names for the `identities` of a FaceIdentityDataset:

    modifier.txt        people to train M and D
    attackers.txt       people to train attackers
    attackers_val.txt   people to stop the attackers' training, with at least two images
    test.txt            people of --test with at least two images
    split.json          seed, shares, counts, and the SHA-256 of each list

The same folder, shares and seed give the same lists.
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'people', type=Path, help='folder with one folder for each person'
    )
    parser.add_argument('--out', type=Path, required=True, help='folder of the lists')
    parser.add_argument('--test', type=Path, help='folder of the test people')
    parser.add_argument(
        '--attackers',
        type=float,
        default=0.45,
        help='share of the people for the attackers (default: %(default)s)',
    )
    parser.add_argument(
        '--validation',
        type=float,
        default=0.25,
        help="share of the attackers' people with two images for attackers_val.txt "
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='seed of the split (default: %(default)s)'
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    try:
        counts = count_images(args.people)
        parts = split_people(counts, args.attackers, args.validation, args.seed)
        if args.test is not None:
            tested = count_images(args.test)
            both = sorted(set(tested) & set(counts))
            if both:
                raise ValueError(
                    f'{len(both)} people are both in {args.people} and in {args.test}: '
                    f'{both[:5]}; nobody may be in training and test'
                )
            parts['test'] = [name for name, count in tested.items() if count > 1]
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    record = dict(
        people=args.people.name,
        seed=args.seed,
        attackers=args.attackers,
        validation=args.validation,
    )
    write_split(parts, args.out, record)
    for name in (*PARTS, *(['test'] if args.test else [])):
        print(f'{args.out / name}.txt: {len(parts[name])} people')
    return 0


if __name__ == '__main__':
    sys.exit(main())
