"""The command ``mmanon report``, also ``tools/report.py``."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from .run_config import enter_training

__all__ = ['main']

DESCRIPTION = """\
Make a web page of the results of a trade-off: plot, tables, faces, configs.

    mmanon report work_dirs/tradeoff_mini_small

WORK_DIR is that of mmanon tradeoff. The page, WORK_DIR/report.html, needs no other
file. It shows original faces of the people on whom attackers were tested: restrict who
may see it, or leave the faces out with --no-pictures.
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'work_dir', type=Path, metavar='WORK_DIR', help='work dir of the trade-off'
    )
    parser.add_argument(
        '--out', type=Path, help='file of the page; default: WORK_DIR/report.html'
    )
    pictures = parser.add_mutually_exclusive_group()
    pictures.add_argument(
        '--people', type=Path, help='folder of the people, if it has moved'
    )
    pictures.add_argument(
        '--no-pictures', action='store_true', help='leave all faces out'
    )
    parser.add_argument(
        '--columns', type=int, default=8, help='number of faces in a row; default: 8'
    )
    parser.add_argument(
        '--audit',
        type=int,
        default=2,
        metavar='N',
        help='number of people whom each method hides worst, and of people whom it '
        'hides best, shown with the people for whom the worst attacker takes them '
        '(default: %(default)s)',
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        int: 0.

    Raises:
        SystemExit: When the results cannot be read, or the page cannot be written.
    """
    args = parse_args(argv)
    enter_training()
    from mmengine.registry import init_default_scope

    from mmanon.tradeoff.report import (
        make_audits,
        make_grids,
        read_sweep,
        write_report,
    )

    out = args.out or args.work_dir / 'report.html'
    options = shlex.join(sys.argv[1:] if argv is None else argv)
    try:
        sweep = read_sweep(args.work_dir)
        grids, audits = [], []
        if not args.no_pictures:
            init_default_scope('mmaction')
            grids = make_grids(sweep, args.people, args.columns)
            audits = make_audits(sweep, args.people, args.audit)
        command = sweep.shorten(f'python tools/report.py {options}')
        write_report(sweep, grids, out, command, audits)
    except (OSError, ValueError) as error:
        raise SystemExit(f'error: {error}') from None
    print(f'{out}: {len(sweep.rows)} rows of {len(sweep.runs)} runs')
    return 0
