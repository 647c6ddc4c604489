"""The command ``mmanon measure``, also ``tools/measure.py``."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from .main import tools_folder
from .run_config import add_override_argument, enter_training, load_config

__all__ = ['main']

DESCRIPTION = """\
Measure a modifier: all figures of its model card.

    mmanon measure configs/measuring/portraits.py new_head --workers 2
    mmanon measure configs/measuring/portraits.py modifier.onnx --preset quick
    mmanon measure CONFIG new_head --parts speed motion

It measures whether face detectors still find the drawn faces, what trained recognizers
and attackers trained on modified faces recognize, the differences between groups of
people, flicker and speed, and it draws sheets of pictures. Finished parts are not
measured again, except those in --parts. The folder of the modifier in the work dir gets
figures.json, which tools/model_card.py writes into its card.
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file with `measured`')
    parser.add_argument(
        'modifier',
        help='the name of a modifier, its ONNX file or weights, or one from the config',
    )
    parser.add_argument('--work-dir', help='folder of all measurements of the config')
    parser.add_argument(
        '--preset', help='a smaller measurement, by its name in the config'
    )
    parser.add_argument(
        '--parts',
        nargs='+',
        metavar='PART',
        help='kept, recognizers, attackers, groups, motion, speed, sheets (default: '
        'those of the preset, or all)',
    )
    parser.add_argument(
        '--attackers',
        nargs='+',
        metavar='NAME',
        help='only these attackers of the config',
    )
    parser.add_argument(
        '--start-from',
        type=Path,
        metavar='DIR',
        help='folder of the measurement of another modifier: attackers start with the '
        'weights that they have there, and continue their training',
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='seed of keys and attackers (default: 0)'
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=1,
        help='number of attackers trained at the same time (default: 1)',
    )
    parser.add_argument(
        '--out', type=Path, metavar='JSON', help='copy the figures to this file'
    )
    add_override_argument(parser)
    args = parser.parse_args(argv)
    if args.workers < 1:
        parser.error(f'--workers must be at least 1, got {args.workers}')
    args.launcher, args.local_rank = 'none', 0
    if args.work_dir is None and args.preset:
        args.work_dir = f'work_dirs/{Path(args.config).stem}_{args.preset}'
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        int: 0.

    Raises:
        SystemExit: When something is missing or fails.
    """
    args = parse_args(argv)
    enter_training()
    from mmengine.registry import init_default_scope

    from mmanon.tradeoff.measuring import PARTS, measure, read_measurement
    from mmanon.tradeoff.sweep import StageFailed

    unknown = [part for part in args.parts or () if part not in PARTS]
    if unknown:
        raise SystemExit(f'--parts: no {unknown[0]!r}; there are {", ".join(PARTS)}')
    config = load_config(args)
    init_default_scope(config.get('default_scope') or 'mmengine')
    try:
        measured = read_measurement(
            config,
            args.modifier,
            args.preset,
            args.seed,
            args.attackers,
            args.start_from,
        )
        path = measure(measured, tools_folder(), args.workers, args.parts)
    except (ImportError, OSError, ValueError, StageFailed) as error:
        raise SystemExit(f'{args.config}: {error}') from None
    if args.out is not None:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, args.out)
        path = args.out
    print(path)
    return 0
