"""Find the faces of a video data set and write them to a face table."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from mmanon.datasets.face_table_builder import (
    FaceSearch,
    VideoReport,
    build_face_table,
    parts_of,
)
from mmanon.face_detectors.named import DETECTOR_NAMES, named_detector


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='After an interruption, the same command continues where it stopped. '
        'Frames that cannot be read get no row, and are covered whole when the table '
        'is used.',
    )
    parser.add_argument(
        'data_root',
        type=Path,
        help='folder with video files or folders of numbered images, nested or not',
    )
    parser.add_argument(
        '--out', type=Path, required=True, help='file of the table, *.parquet'
    )
    parser.add_argument(
        '--detector',
        choices=DETECTOR_NAMES,
        default='mtcnn',
        help="face detector; 'thorough' runs CenterFace on the picture itself, "
        'mirrored and enlarged, and on its green and blue channels, and also YuNet if '
        'its weights are given (default: mtcnn)',
    )
    parser.add_argument(
        '--detector-weights',
        type=Path,
        metavar='FILE',
        help="ONNX file of YuNet, for 'yunet' and 'thorough'",
    )
    parser.add_argument('--weights', type=Path, help=argparse.SUPPRESS)
    parser.add_argument(
        '--interval',
        type=int,
        default=1,
        metavar='N',
        help='examine only every N-th frame (default: 1). This is faster, but the '
        'frames between are covered whole when the table is used, unless both '
        'examined frames have the same tracks; then each track has a box around both '
        'of its boxes',
    )
    parser.add_argument(
        '--max-side',
        type=int,
        metavar='PX',
        help='shrink larger frames to this longer side before the search; this is '
        'faster but misses small faces',
    )
    parser.add_argument(
        '--device',
        default='cpu',
        help='where the networks run: cuda, cuda:1 … (default: cpu)',
    )
    parser.add_argument(
        '--score-thr', type=float, help='drop faces below this score, in [0, 1]'
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=1,
        help='number of videos examined at the same time (default: 1)',
    )
    args = parser.parse_args(argv)
    if args.weights is not None:
        warnings.warn(
            '--weights was renamed to --detector-weights; the next version drops the '
            'old name',
            DeprecationWarning,
            stacklevel=2,
        )
        args.detector_weights = args.weights
    for name in ('interval', 'workers', 'max_side'):
        value = getattr(args, name)
        if value is not None and value < 1:
            parser.error(f'--{name.replace("_", "-")} must be at least 1, got {value}')
    if args.score_thr is not None and not 0 <= args.score_thr <= 1:
        parser.error(f'--score-thr must be in [0, 1], got {args.score_thr}')
    if not args.data_root.is_dir():
        parser.error(f'DATA_ROOT {args.data_root} is not a folder')
    try:
        args.face_detector = named_detector(
            args.detector, args.detector_weights, args.score_thr, args.device
        )
    except ValueError as error:
        parser.error(f'--detector {args.detector}, --detector-weights: {error}')
    return args


def print_outcome(out: Path, reports: Sequence[VideoReport]) -> int:
    """Print the result; return 1 if something could not be read, otherwise 0."""
    frames = sum(report.frames for report in reports)
    faces = sum(report.faces for report in reports)
    print(f'{out}: {len(reports)} videos, {frames} frames, {faces} faces')
    undetected = sum(report.undetected for report in reports)
    if undetected:
        print(
            f'the face detector failed on {undetected} frames: they are covered as a '
            'whole',
            file=sys.stderr,
        )
    failures = [failure for report in reports for failure in report.failures]
    if failures:
        print(
            f'{len(failures)} failures; frames that were not read have no row and are '
            'covered whole. The same command tries these videos again, from '
            f'{parts_of(out)}:',
            *failures,
            sep='\n  ',
            file=sys.stderr,
        )
    return 1 if failures else 0


def _print_aside(text: str) -> None:
    print(text, file=sys.stderr)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    search = FaceSearch(args.face_detector, args.interval, args.max_side)
    try:
        reports = build_face_table(
            args.data_root, args.out, search, args.workers, say=_print_aside
        )
    except (ImportError, OSError, ValueError) as error:
        raise SystemExit(str(error)) from error
    except KeyboardInterrupt:
        print(
            f'interrupted: the same command continues from {parts_of(args.out)}',
            file=sys.stderr,
        )
        return 130
    return print_outcome(args.out, reports)


if __name__ == '__main__':
    sys.exit(main())
