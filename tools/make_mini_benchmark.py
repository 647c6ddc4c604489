"""Generate the built-in mini benchmark: clips of drawn people, faces, annotations.

    python tools/make_mini_benchmark.py --out data/mini

With photographs of real people in place of drawn heads, one folder for each person:

    python tools/make_mini_benchmark.py --out data/mini_photos --faces PHOTOGRAPHS

With two people in a clip at most and face crops that hold the whole head; the same with
heads of about 112 pixels:

    python tools/make_mini_benchmark.py --preset heads --out data/mini_heads
    python tools/make_mini_benchmark.py --preset large --out data/mini_large
"""

import argparse
import json
import os
import time
from pathlib import Path

from mmanon.version import MINI_BENCHMARK_VERSION

NUMBERS = {
    'seed': (0, 'of all that is drawn'),
    'train_clips': (800, 'clips to train on'),
    'test_clips': (240, 'clips to test on, of other people'),
    'train_identities': (60, 'people in the training clips and faces'),
    'test_identities': (20, 'people in the test clips'),
    'train_faces': (45, "pictures of each training person's face"),
    'val_faces': (10, "further pictures of each person's face, held out"),
    'frame_size': (128, 'side of a frame in pixels'),
    'max_people': (3, 'people in a clip at most'),
    'crop_size': (64, 'side in pixels of the pictures of faces'),
    'margin': (0.15, 'of the face box on each side of these, a share of its side'),
}
PRESETS = {
    'heads': dict(max_people=2, crop_size=96, margin=0.5),
    'large': dict(frame_size=336, max_people=2, crop_size=192, margin=0.5),
}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--out', type=Path, default=Path('data/mini'))
    parser.add_argument(
        '--preset',
        choices=PRESETS,
        help='other defaults: ' + '; '.join(map(_described, PRESETS)),
    )
    for name, (value, text) in NUMBERS.items():
        option = '--' + name.replace('_', '-')
        parser.add_argument(option, type=type(value), help=f'{text} (default: {value})')
    parser.add_argument(
        '--faces',
        nargs='+',
        default=[],
        metavar='DIR',
        help='photographs to use in place of drawn heads, one folder for each person '
        'at any depth; every fourth person by name is for testing',
    )
    parser.add_argument(
        '--test-faces',
        nargs='+',
        default=[],
        metavar='DIR',
        help='photographs of the people to test on; those of --faces train',
    )
    parser.add_argument(
        '--train-names',
        metavar='FILE',
        help='which people of --faces train, one a line by the path of the folder '
        'inside DIR; the others test',
    )
    parser.add_argument(
        '--face-detector-weights',
        default='',
        metavar='ONNX',
        help="YuNet's weights to find the photographs' faces with (default: MTCNN)",
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
    args = parser.parse_args()
    defaults = {name: value for name, (value, _) in NUMBERS.items()}
    for name, value in {**defaults, **PRESETS.get(args.preset, {})}.items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    return args


def _described(preset: str) -> str:
    """A preset, as options."""
    options = (
        f'--{name.replace("_", "-")} {value}' for name, value in PRESETS[preset].items()
    )
    return f'{preset} is {" ".join(options)}'


def read_settings(args: argparse.Namespace) -> dict:
    """The settings as ``meta.json`` holds them."""
    settings = {name: getattr(args, name) for name in NUMBERS}
    for name in ('faces', 'test_faces'):
        settings[name] = [str(Path(path).resolve()) for path in getattr(args, name)]
    settings['train_names'] = []
    if args.train_names:
        lines = Path(args.train_names).read_text().splitlines()
        settings['train_names'] = [line.strip() for line in lines if line.strip()]
    settings['face_detector_weights'] = args.face_detector_weights
    return settings


def has_settings(out: Path, settings: dict) -> bool:
    """Whether these very settings made ``out``; asked before slow imports."""
    try:
        meta = json.loads((out / 'meta.json').read_text())
        # One that was made before a setting was there has its default.
        defaults = {name: value for name, (value, _) in NUMBERS.items()}
        made_from = meta['version'], {**defaults, **meta['settings']}
        return made_from == (MINI_BENCHMARK_VERSION, settings)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def main() -> None:
    args = parse_args()
    try:
        settings = read_settings(args)
    except OSError as error:
        raise SystemExit(f'--train-names: {error}') from None
    if has_settings(args.out, settings):
        print(f'{args.out} is there already')
        return
    from mmanon.datasets.mini_benchmark import (
        MiniBenchmarkSettings,
        build_mini_benchmark,
    )

    start = time.monotonic()
    try:
        lists = {key: tuple(v) for key, v in settings.items() if isinstance(v, list)}
        wanted = MiniBenchmarkSettings(**{**settings, **lists})
        build_mini_benchmark(args.out, wanted, args.workers, args.force, print)
    except (OSError, ValueError) as error:
        raise SystemExit(str(error)) from None
    print(f'{args.out} made in {time.monotonic() - start:.0f} s')


if __name__ == '__main__':
    main()
