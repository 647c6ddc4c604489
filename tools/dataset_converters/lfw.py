"""Prepare Labeled Faces in the Wild: link its people and its pairs for verification."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmanon.datasets.preparation.command import convert_or_check, make_parser
from mmanon.datasets.preparation.frames import link
from mmanon.datasets.preparation.identity_folders import check_identity_folders
from mmanon.datasets.preparation.problems import Problems
from mmanon.evaluation.functional.face_pairs import read_lfw_pairs

LAYOUT = """\
LFW as published (lfw.tgz and pairs.txt), 5749 people, 13 233 images:

  SRC/
    lfw/<name>/<name>_0001.jpg ...    (or another folder whose name starts with lfw)
    pairs.txt                         10 folds of 300 pairs of each kind

The output, links for FaceVerificationMetric:

  data/lfw/
    images/<name>/<name>_0001.jpg ...    data_root of the face data set
    pairs.txt                            pairs_file of the metric
"""


@dataclass
class Source:
    """LFW's folder of people, and its pairs."""

    root: Path
    pairs: Path


def find(src: Path, problems: Problems) -> Source | None:
    """Find the two parts of LFW."""
    roots = sorted(
        path for path in src.iterdir() if path.is_dir() and path.name.startswith('lfw')
    )
    if not roots:
        problems.missing(src / 'lfw')
    elif len(roots) > 1:
        names = ', '.join(path.name for path in roots)
        problems.wrong(src, f'it has several folders of people: {names}; keep one only')
    if not (src / 'pairs.txt').is_file():
        problems.missing(src / 'pairs.txt')
    if len(problems):
        return None
    source = Source(roots[0], src / 'pairs.txt')
    check_pairs(source, problems)
    return source


def check_pairs(source: Source, problems: Problems) -> None:
    """Report the first pair that is wrong or has a missing image."""
    try:
        read_lfw_pairs(source.pairs, source.root)
    except FileNotFoundError as error:
        problems.missing(error)
    except ValueError as error:
        problems.wrong(error, '')


def check_out(out: Path, problems: Problems) -> None:
    """Report what is wrong in the prepared data set."""
    if not (out / 'pairs.txt').is_file():
        problems.missing(out / 'pairs.txt')
    elif (out / 'images').is_dir():
        check_pairs(Source(out / 'images', out / 'pairs.txt'), problems)
    check_identity_folders(out / 'images', problems)


def main(argv: Sequence[str] | None = None) -> int:
    args = make_parser(__doc__, LAYOUT, 'data/lfw').parse_args(argv)

    def convert(source: Source) -> None:
        link(source.root, args.out / 'images')
        link(source.pairs, args.out / 'pairs.txt')

    return convert_or_check(
        args,
        lambda problems: find(args.src, problems),
        convert,
        lambda source, problems: check_identity_folders(source.root, problems),
        check_out,
    )


if __name__ == '__main__':
    sys.exit(main())
