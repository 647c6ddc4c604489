"""Generate the built-in mini benchmark: clips of drawn people, faces, annotations.

    python tools/make_mini_benchmark.py --out data/mini

With photographs of real people instead of drawn heads, one folder for each person:

    python tools/make_mini_benchmark.py --out data/mini_photos --faces PHOTOGRAPHS

With at most two people in a clip and face crops that contain the whole head, and the
same with heads of about 112 pixels:

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
    'seed': (0, 'seed of all random numbers'),
    'train_clips': (800, 'number of training clips'),
    'test_clips': (240, 'number of test clips, with other people'),
    'train_identities': (60, 'number of people in the training clips and face crops'),
    'test_identities': (20, 'number of people in the test clips'),
    'train_faces': (45, 'number of training face crops of each person'),
    'val_faces': (10, 'number of further face crops of each person, held out'),
    'frame_size': (128, 'side of a frame in pixels'),
    'max_people': (3, 'maximum number of people in a clip'),
    'crop_size': (64, 'side of a face crop in pixels'),
    'margin': (0.15, 'margin of the face crops, as a fraction of the face box'),
}
PRESETS = {
    'heads': dict(max_people=2, crop_size=96, margin=0.5),
    'large': dict(frame_size=336, max_people=2, crop_size=192, margin=0.5),
}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('data/mini'),
        help='folder of the benchmark (default: %(default)s)',
    )
    parser.add_argument(
        '--preset',
        choices=PRESETS,
        help='preset of options: ' + '; '.join(map(_described, PRESETS)),
    )
    for name, (value, text) in NUMBERS.items():
        option = '--' + name.replace('_', '-')
        parser.add_argument(option, type=type(value), help=f'{text} (default: {value})')
    parser.add_argument(
        '--faces',
        nargs='+',
        default=[],
        metavar='DIR',
        help='photographs to use instead of drawn heads, with one folder for each '
        'person at any depth; every fourth person by name is for testing',
    )
    parser.add_argument(
        '--test-faces',
        nargs='+',
        default=[],
        metavar='DIR',
        help='photographs of the test people; those of --faces are then all for '
        'training',
    )
    parser.add_argument(
        '--train-names',
        metavar='FILE',
        help='list of the training people of --faces, one folder per line, relative to '
        'DIR; the others are for testing',
    )
    parser.add_argument(
        '--face-detector-weights',
        default='',
        metavar='ONNX',
        help='weights of YuNet, which then finds the faces in the photographs '
        '(default: MTCNN)',
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=os.cpu_count() or 1,
        help='number of processes; they do not change the result (default: '
        '%(default)s)',
    )
    parser.add_argument(
        '--force',
        action='store_true',
        help='replace a benchmark that has other settings',
    )
    args = parser.parse_args()
    defaults = {name: value for name, (value, _) in NUMBERS.items()}
    for name, value in {**defaults, **PRESETS.get(args.preset, {})}.items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    return args


def _described(preset: str) -> str:
    """A preset as options."""
    options = (
        f'--{name.replace("_", "-")} {value}' for name, value in PRESETS[preset].items()
    )
    return f'{preset} is {" ".join(options)}'


def read_settings(args: argparse.Namespace) -> dict:
    """The settings as they are in ``meta.json``."""
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
    """Whether ``out`` was made with these settings; called before slow imports."""
    try:
        meta = json.loads((out / 'meta.json').read_text())
        # An older benchmark has the defaults of newer settings.
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
        print(f'{args.out} exists already, with these settings')
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
