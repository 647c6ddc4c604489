"""Prepare VGGFace2: link its identity folders."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from mmanon.datasets.preparation.command import convert_or_check, make_parser
from mmanon.datasets.preparation.frames import link
from mmanon.datasets.preparation.identity_folders import check_identity_folders
from mmanon.datasets.preparation.problems import Problems

LAYOUT = """\
VGGFace2 as published, 8631 people for training and 500 for testing:

  SRC/
    train/n000002/0001_01.jpg ...     (or data/train)
    test/n000001/0001_01.jpg ...      (or data/test)

The output are the links data/vggface2/train and data/vggface2/test. The boxes and
landmarks of bb_landmark/ are not read, because the configs align the faces with their
own detector. For the record files of InsightFace, use `mmanon convert face-records`.
"""
SPLITS = ('train', 'test')


def find_splits(src: Path, problems: Problems) -> dict[str, Path]:
    """Return the folder of each split."""
    found = {}
    for split in SPLITS:
        places = [path for path in (src / split, src / 'data' / split) if path.is_dir()]
        if places:
            found[split] = places[0]
        else:
            problems.missing(src / split)
    return found


def check_splits(splits: dict[str, Path], problems: Problems) -> None:
    """Report people without images, and images that cannot be read."""
    for root in splits.values():
        check_identity_folders(root, problems)


def main(argv: Sequence[str] | None = None) -> int:
    args = make_parser(__doc__, LAYOUT, 'data/vggface2').parse_args(argv)

    def convert(splits: dict[str, Path]) -> None:
        for split, root in splits.items():
            link(root, args.out / split)

    return convert_or_check(
        args,
        lambda problems: find_splits(args.src, problems),
        convert,
        check_splits,
        lambda out, problems: check_splits({s: out / s for s in SPLITS}, problems),
    )


if __name__ == '__main__':
    sys.exit(main())
