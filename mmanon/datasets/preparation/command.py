"""The command line of all converters."""

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
    """Create the argument parser of a converter.

    Args:
        description: What the converter does.
        layout: The official layout that it reads, as a tree.
        out: The folder in which the configs expect the data set.
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
        help='folder of the prepared data set (default: %(default)s)',
    )
    parser.add_argument(
        '--check',
        action='store_true',
        help='write nothing; list everything that is missing, wrong or unreadable in '
        'the download and in the prepared data set, if it exists; exit code 1 if there '
        'is a problem',
    )
    if skips_missing:
        parser.add_argument(
            '--skip-missing',
            action='store_true',
            help='convert the existing videos although others are missing: results are '
            'then not comparable with those of the whole data set',
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
        args: Arguments of :func:`make_parser`.
        read: Reads the annotations; returns None if that is impossible.
        convert: Writes the prepared data set.
        check_source: Checks the videos and images of the download; takes long.
        check_out: Checks the prepared data set.

    Returns:
        The exit code.

    Raises:
        SystemExit: If a file exists in the place of a link.
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
        hint = ', or leave out missing videos by --skip-missing'
        hint = hint if hasattr(args, 'skip_missing') and source is not None else ''
        print(f'nothing was converted: correct these problems{hint}')
        return 1
    if problems:
        print(problems)
        print('the rest is converted: results will differ from the whole data set')
    try:
        convert(source)
    except FileExistsError as error:
        raise SystemExit(str(error)) from error
    return 0
