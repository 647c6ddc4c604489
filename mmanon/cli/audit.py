"""The command ``mmanon-audit``, also ``tools/audit.py``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmanon.anonymizer.options import DETECTORS, SURE
from mmanon.utils.atomic_write import WholeFile, written_whole
from mmanon.utils.log import show_messages
from mmanon.utils.media_types import is_video
from mmanon.utils.standard_output import ends_with_its_reader
from mmanon.utils.threads import one_blas_thread

if TYPE_CHECKING:
    from mmanon.anonymizer.leak_audit import Audit, FaceAuditor

__all__ = ['main']


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='mmanon-audit',
        description='Check whether faces of the original are still visible in the '
        'anonymized file, and, with a recognizer, whether they are still recognized.',
        epilog='The exit code is 0 if nothing leaks, 1 if something leaks, and 2 if '
        'something could not be checked.',
    )
    parser.add_argument('original', type=Path, help='image, video or folder')
    parser.add_argument(
        'anonymized', type=Path, help='its anonymized version, or the folder of these'
    )
    parser.add_argument(
        '--recognizer',
        metavar='FILE',
        help='weights of MobileFaceNet, which checks whether a changed face is still '
        'taken for the same person; needs PyTorch (mmanon[train])',
    )
    threshold = parser.add_mutually_exclusive_group()
    threshold.add_argument(
        '--threshold',
        type=float,
        help='cosine from which two faces belong to one person',
    )
    threshold.add_argument(
        '--identities',
        type=Path,
        metavar='DIR',
        help='measure this cosine on photographs, with one folder for each person',
    )
    parser.add_argument(
        '--far',
        type=float,
        default=0.01,
        help='false accept rate: the fraction of pairs of different people that may '
        'reach this cosine (default: 0.01)',
    )
    parser.add_argument(
        '--detector',
        choices=DETECTORS,
        default='thorough',
        help='face detector, preferably another one than that of the anonymizer; '
        'default: thorough',
    )
    parser.add_argument('--detector-weights', metavar='FILE', help='ONNX file of YuNet')
    parser.add_argument(
        '--score-thr',
        type=float,
        default=SURE,
        help='score from which an open face is a leak; with a lower score, it is a '
        f'place to check (default: {SURE})',
    )
    parser.add_argument(
        '--every', type=int, default=1, metavar='N', help='compare each N-th frame only'
    )
    parser.add_argument(
        '--json', type=Path, metavar='FILE', help='write all findings to this file'
    )
    parser.add_argument(
        '--device', default='cpu', help='cuda, cuda:1 …: run networks there if possible'
    )
    args = parser.parse_args(argv)
    known = args.threshold is not None or args.identities is not None
    if known != (args.recognizer is not None):
        parser.error('--recognizer needs --threshold or --identities, and vice versa')
    return args


def pairs(original: Path, anonymized: Path) -> Iterator[tuple[Path, Path]]:
    """Yield each original with its anonymized file.

    Raises:
        InputError: When the original does not exist, or only one of the two is a
            folder.
    """
    from mmanon.anonymizer.io.sources import InputError, find_sources

    if not original.exists():
        raise InputError(f'{original} does not exist')
    if original.is_dir() != anonymized.is_dir() and anonymized.exists():
        raise InputError(
            f'{original} and {anonymized} must both be files or both be folders'
        )
    if not original.is_dir():
        yield original, anonymized
        return
    for source in find_sources(original, anonymized)[0]:
        made = source.output(anonymized)
        if not made.exists() and source.kind == 'video':
            made = _of_another_kind(made) or made
        yield Path(source.where), made


def _of_another_kind(made: Path) -> Path | None:
    """The only video with that name, whose format may be that of --container."""
    if not made.parent.is_dir():
        return None
    others = [
        path
        for path in made.parent.iterdir()
        if path.stem == made.stem and is_video(path)
    ]
    return others[0] if len(others) == 1 else None


@ends_with_its_reader
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        int: 0; 1 when a face leaks; 2 when something could not be checked.
    """
    args = parse_args(argv)
    one_blas_thread()
    show_messages()
    from mmanon.anonymizer.io.sources import InputError

    audits: list[Audit] = []
    failed: list[str] = []
    try:
        if args.json is not None:
            _check_writable(args.json)
        auditor = _build(args)
        for original, made in pairs(args.original, args.anonymized):
            try:
                if not made.is_file():
                    raise InputError(f'{original}: there is no {made}')
                audits.append(auditor.compare(original, made, args.every))
                print(audits[-1].as_text(), flush=True)
            except (InputError, OSError) as error:
                failed.append(str(error))
        if args.json is not None:
            _write(args, auditor.threshold, audits, failed)
    except (InputError, OSError, ValueError, ImportError) as error:
        failed.append(str(error))
    except KeyboardInterrupt:
        print('mmanon-audit: interrupted', file=sys.stderr)
        return 130
    for reason in failed:
        print(f'mmanon-audit: not checked: {reason}', file=sys.stderr)
    leaking = sum(audit.leaks > 0 for audit in audits)
    print(f'{len(audits)} files checked, {leaking} leak, {len(failed)} not checked')
    if audits and args.recognizer is None:
        print('changed faces were not checked for recognition: this needs --recognizer')
    return 1 if leaking else 2 if failed else 0


def _build(args: argparse.Namespace) -> FaceAuditor:
    from mmanon.anonymizer.face_finding import build_detector
    from mmanon.anonymizer.leak_audit import FaceAuditor
    from mmanon.anonymizer.recognizer import build_recognizer, threshold_at_far

    detector = build_detector(args.detector, args.detector_weights, args.device)
    if args.recognizer is None:
        return FaceAuditor(detector, sure=args.score_thr)
    recognizer = build_recognizer(args.recognizer)
    threshold = args.threshold
    if threshold is None:
        threshold = threshold_at_far(args.identities, detector, recognizer, args.far)
        print(
            f'{args.identities}: {args.far:.3%} of the pairs of different people reach '
            f'a cosine of {threshold:.3f}'
        )
    return FaceAuditor(detector, recognizer, threshold, args.score_thr)


def _check_writable(path: Path) -> None:
    """Check before the audit, which may take hours, that the file can be written."""
    from mmanon.anonymizer.io.sources import InputError

    try:
        if path.is_dir():
            raise IsADirectoryError(0, 'it is a folder')
        probe = WholeFile(path)
        probe.beside.touch()
        probe.discard()
    except OSError as error:
        raise InputError(
            f'--json {path} cannot be written: {error.strerror}'
        ) from error


def _write(
    args: argparse.Namespace,
    threshold: float | None,
    audits: list[Audit],
    failed: list[str],
) -> None:
    words = {
        'threshold': threshold,
        'false_accept_rate': args.far if args.identities else None,
        'every': args.every,
        'leaks': sum(audit.leaks for audit in audits),
        'not_checked': failed,
        'files': [audit.as_dict() for audit in audits],
    }
    with written_whole(args.json) as beside:
        text = json.dumps(words, ensure_ascii=False, indent=1)
        beside.write_text(text + '\n', encoding='utf-8')


if __name__ == '__main__':
    sys.exit(main())
