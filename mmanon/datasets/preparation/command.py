"""The command line that all converters share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from .problems import Problems

__all__ = ['convert_or_check', 'make_parser']

Source = TypeVar('Source')


def make_parser(
    description: str, layout: str, out: str, skips_missing: bool = False
) -> argparse.ArgumentParser:
    """The arguments of every converter.

    Args:
        description: What the converter does.
        layout: The official layout that it reads, as a tree.
        out: Where the configs look for the data set.
        skips_missing: Whether videos may be left out.
    """
    parser = argparse.ArgumentParser(
        description=description,
        epilog=layout,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('src', type=Path, help='folder of the download, see below')
    parser.add_argument(
        '--out',
        type=Path,
        default=Path(out),
        help='where the prepared data set goes (default: %(default)s)',
    )
    parser.add_argument(
        '--check',
        action='store_true',
        help='write nothing; name all that is missing, wrong or unreadable in the '
        'download and, where it is there, in the prepared data set; exit code 1 if '
        'there is anything',
    )
    if skips_missing:
        parser.add_argument(
            '--skip-missing',
            action='store_true',
            help='convert what is there although videos are missing: results are then '
            'not comparable with those of the whole data set',
        )
    return parser


def convert_or_check(
    args: argparse.Namespace,
    read: Callable[[Problems], Source | None],
    convert: Callable[[Source], None],
    check_source: Callable[[Source, Problems], object],
    check_out: Callable[[Path, Problems], object],
) -> int:
    """Run a converter.

    Args:
        args: Of :func:`make_parser`.
        read: Reads the annotations; None where that is impossible.
        convert: Writes the prepared data set.
        check_source: Looks at the videos and images of the download, which takes long.
        check_out: Looks at the prepared data set.

    Returns:
        The exit code.

    Raises:
        SystemExit: If something else lies where a link is to be made.
    """
    problems = Problems()
    if not args.src.is_dir():
        problems.missing(args.src, 'the folder of the download')
        print(problems)
        return 1
    source = read(problems)
    if args.check:
        if source is not None:
            check_source(source, problems)
        if args.out.exists() and not args.out.samefile(args.src):
            check_out(args.out, problems)
        print(problems)
        return int(len(problems) > 0)
    skips = getattr(args, 'skip_missing', False)
    if source is None or len(problems) > (problems.count('missing') if skips else 0):
        print(problems)
        hint = ', or leave missing videos out by --skip-missing'
        hint = hint if hasattr(args, 'skip_missing') and source is not None else ''
        print(f'nothing was converted: put that right{hint}')
        return 1
    if problems:
        print(problems)
        print('the rest is converted: its results are not those of the whole data set')
    try:
        convert(source)
    except FileExistsError as error:
        raise SystemExit(str(error)) from error
    return 0
