"""Make one web page of a trade-off's results: plot, tables, faces, configs.

    python tools/report.py work_dirs/tradeoff_mini_small

WORK_DIR is that of tools/tradeoff.py. The page, WORK_DIR/report.html, needs no other
file. It shows faces of the people that attackers were tested on, as they were: mind who
may see it, or leave them out by --no-pictures.
"""

import argparse
import shlex
import sys
from pathlib import Path

from mmengine.registry import init_default_scope

import mmanon  # noqa: F401
from mmanon.tradeoff.report import make_grids, read_sweep, write_report


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('work_dir', type=Path, metavar='WORK_DIR')
    parser.add_argument('--out', type=Path, help='default: WORK_DIR/report.html')
    pictures = parser.add_mutually_exclusive_group()
    pictures.add_argument(
        '--people', type=Path, help='folder of the people, where it has moved'
    )
    pictures.add_argument('--no-pictures', action='store_true')
    parser.add_argument('--columns', type=int, default=8, help='faces in a row')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    out = args.out or args.work_dir / 'report.html'
    options = shlex.join(sys.argv[1:] if argv is None else argv)
    try:
        sweep = read_sweep(args.work_dir)
        grids = []
        if not args.no_pictures:
            init_default_scope('mmaction')
            grids = make_grids(sweep, args.people, args.columns)
        command = sweep.shorten(f'python tools/report.py {options}')
        write_report(sweep, grids, out, command)
    except (OSError, ValueError) as error:
        raise SystemExit(f'error: {error}') from None
    print(f'{out}: {len(sweep.rows)} rows of {len(sweep.runs)} runs')


if __name__ == '__main__':
    main()
