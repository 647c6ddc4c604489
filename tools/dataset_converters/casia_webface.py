"""Prepare CASIA-WebFace: link its identity folders."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from mmanon.datasets.preparation.command import convert_or_check, make_parser
from mmanon.datasets.preparation.frames import link
from mmanon.datasets.preparation.identity_folders import check_identity_folders
from mmanon.datasets.preparation.problems import Problems

LAYOUT = """\
CASIA-WebFace as published, 10 575 people, 250 x 250 pixels:

  SRC/0000045/001.jpg ...     (or in SRC/CASIA-WebFace)

The output is data/casia_webface, a link to that folder. For the record files of
InsightFace, use `mmanon convert face-records`.
"""


def find_root(src: Path, problems: Problems) -> Path | None:
    """Return the folder with one folder per person."""
    inner = src / 'CASIA-WebFace'
    root = inner if inner.is_dir() else src
    if not any(path.is_dir() for path in root.iterdir()):
        problems.missing(root / '*', 'there is no folder of a person')
        return None
    return root


def main(argv: Sequence[str] | None = None) -> int:
    args = make_parser(__doc__, LAYOUT, 'data/casia_webface').parse_args(argv)
    return convert_or_check(
        args,
        lambda problems: find_root(args.src, problems),
        lambda root: link(root, args.out),
        check_identity_folders,
        check_identity_folders,
    )


if __name__ == '__main__':
    sys.exit(main())
