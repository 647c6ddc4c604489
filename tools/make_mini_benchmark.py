"""Generate the built-in mini benchmark: clips of drawn people, faces, annotations.

python tools/make_mini_benchmark.py --out data/mini
"""

import argparse
import json
import os
import time
from pathlib import Path

import mmanon  # noqa: F401

NUMBERS = {
    'seed': (0, 'of all that is drawn'),
    'train_clips': (800, 'clips to train on'),
    'test_clips': (240, 'clips to test on, of other people'),
    'train_identities': (60, 'people in the training clips and faces'),
    'test_identities': (20, 'people in the test clips'),
    'train_faces': (30, "pictures of each training person's face"),
    'val_faces': (10, "further pictures of each person's face, held out"),
}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--out', type=Path, default=Path('data/mini'))
    for name, (value, text) in NUMBERS.items():
        option = '--' + name.replace('_', '-')
        parser.add_argument(
            option, type=int, default=value, help=f'{text} (default: {value})'
        )
    parser.add_argument(
        '--workers',
        type=int,
        default=os.cpu_count() or 1,
        help='processes; they do not change what is drawn (default: %(default)s)',
    )
    parser.add_argument(
        '--force', action='store_true', help='replace a benchmark of other settings'
    )
    return parser.parse_args()


def has_settings(out: Path, settings: dict) -> bool:
    """Whether these very settings made ``out``; asked before slow imports."""
    try:
        return json.loads((out / 'meta.json').read_text())['settings'] == settings
    except (OSError, ValueError, KeyError, TypeError):
        return False


def main() -> None:
    args = parse_args()
    numbers = {name: getattr(args, name) for name in NUMBERS}
    if has_settings(args.out, numbers):
        print(f'{args.out} is there already')
        return
    from mmanon.datasets.mini_benchmark import (
        MiniBenchmarkSettings,
        build_mini_benchmark,
    )

    start = time.monotonic()
    try:
        settings = MiniBenchmarkSettings(**numbers)
        build_mini_benchmark(args.out, settings, args.workers, args.force, print)
    except (FileExistsError, ValueError) as error:
        raise SystemExit(str(error)) from None
    print(f'{args.out} made in {time.monotonic() - start:.0f} s')


if __name__ == '__main__':
    main()
