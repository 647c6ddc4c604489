"""The command ``mmanon tradeoff``, also ``tools/tradeoff.py``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .main import tools_folder
from .run_config import (
    add_config_arguments,
    enter_training,
    load_config,
    read_overrides,
)

if TYPE_CHECKING:
    from mmanon.tradeoff.sweep import Plan

__all__ = ['main']

DESCRIPTION = """\
Train and test a detector behind many modifiers, and compare privacy and detection.

    mmanon tradeoff configs/tradeoff/tradeoff_mini.py --preset small
    mmanon tradeoff configs/tradeoff/tradeoff_mini.py --workers 2
    mmanon tradeoff CONFIG --methods raw downsample:8 learned --seeds 0 1

The same command continues an interrupted sweep and does not repeat finished parts. The
work dir gets tradeoff.json, with one row for each method, strength, seed, attacker and
matching; tradeoff.md, a table of means; and the plot, tradeoff.svg and tradeoff.png.
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_config_arguments(parser)
    parser.add_argument('--preset', help='a smaller sweep, by its name in the config')
    parser.add_argument(
        '--methods',
        nargs='+',
        metavar='NAME[:STRENGTH]',
        help='methods of the config, with all strengths or with one (default: those of '
        'the preset, or all)',
    )
    parser.add_argument(
        '--seeds', nargs='+', type=int, help='seeds, instead of those of each method'
    )
    parser.add_argument(
        '--attackers',
        nargs='+',
        metavar='NAME',
        help='only these attackers of the config',
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=1,
        help='number of processes at the same time (default: 1)',
    )
    args = parser.parse_args(argv)
    if args.workers < 1:
        parser.error(f'--workers must be at least 1, got {args.workers}')
    return args


def make_plan(args: argparse.Namespace) -> Plan:
    """Read the config, and check everything that would stop the sweep."""
    if args.preset and not args.work_dir:
        args.work_dir = f'work_dirs/{Path(args.config).stem}_{args.preset}'
    from mmanon.tradeoff.sweep import check_sweep, read_plan

    config = load_config(args)
    try:
        plan = read_plan(
            config,
            args.methods,
            args.seeds,
            args.attackers,
            args.preset,
            read_overrides(args.cfg_options),
        )
        check_sweep(plan)
    except (ImportError, OSError, ValueError) as error:
        raise SystemExit(f'{args.config}: {error}') from None
    return plan


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        int: 0.

    Raises:
        SystemExit: When the sweep cannot begin, or parts of it failed.
    """
    args = parse_args(argv)
    enter_training()
    from mmanon.tradeoff.sweep.running import run_sweep

    plan = make_plan(args)
    try:
        failed = run_sweep(plan, tools_folder(), args.workers)
    except ValueError as error:
        raise SystemExit(str(error)) from None
    if failed:
        raise SystemExit(
            f'{len(failed)} failed; run the same command to try again:\n'
            + '\n'.join(failed)
        )
    return 0
