"""The command ``mmanon-app``, also ``tools/app.py``."""

from __future__ import annotations

import argparse
import ipaddress
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from mmanon.anonymizer.options import DETECTORS, group_options
from mmanon.utils.extras import require
from mmanon.utils.log import show_messages
from mmanon.utils.threads import one_blas_thread

if TYPE_CHECKING:
    from mmanon.actions.live import LiveActions
    from mmanon.app import KeptFiles

__all__ = ['main']


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='mmanon-app',
        description='Serve a page that anonymizes images and videos in the browser.',
        epilog='Files are stored in a private folder. They are deleted when their page '
        'is closed, when they have not been used for some time, and when the server '
        'ends.',
    )
    how = parser.add_argument_group('how faces are covered')
    how.add_argument(
        '--modifier',
        metavar='NAME|FILE',
        help='offer this modifier as the first choice: the name of a modifier, a file '
        'of one (modifier.pth, *.onnx), or a config file with one',
    )
    how.add_argument('--weights', metavar='FILE', help='weights of that modifier')
    how.add_argument(
        '--detector', choices=DETECTORS, help='face detector; default: centerface'
    )
    how.add_argument('--detector-weights', metavar='FILE', help='ONNX file of YuNet')
    how.add_argument(
        '--device', default='cpu', help='cuda, cuda:1 …: run networks there if possible'
    )
    who = parser.add_argument_group('recognition of people')
    who.add_argument('--recognizer', metavar='FILE', help='weights of MobileFaceNet')
    who.add_argument(
        '--people',
        type=Path,
        metavar='DIR',
        help='photographs of known people, with one folder for each person',
    )
    who.add_argument(
        '--threshold',
        type=float,
        default=0.3,
        help='cosine from which two faces belong to one person (default: 0.3)',
    )
    what = parser.add_argument_group("actions in the camera's pictures")
    what.add_argument(
        '--action-config', metavar='FILE', help='config of a detector of clips'
    )
    what.add_argument('--action-checkpoint', metavar='FILE', help='its weights')
    what.add_argument(
        '--action-labels', metavar='FILE', help='the names of its actions'
    )
    where = parser.add_argument_group('server')
    where.add_argument(
        '--host',
        default='127.0.0.1',
        help='address to listen on (default: 127.0.0.1, only this machine)',
    )
    where.add_argument('--port', type=int, default=7860, help='default: 7860')
    where.add_argument(
        '--max-size',
        type=float,
        default=500,
        metavar='MB',
        help='maximum size of an upload (default: 500)',
    )
    where.add_argument(
        '--keep',
        type=float,
        default=60,
        metavar='MINUTES',
        help='delete files that have not been used for so long (default: 60)',
    )
    args = parser.parse_args(argv)
    if args.weights and not args.modifier:
        parser.error('--weights needs the --modifier to which they belong')
    if (args.action_config is None) != (args.action_checkpoint is None):
        parser.error('--action-config and --action-checkpoint belong together')
    if (args.recognizer is None) != (args.people is None):
        parser.error('--recognizer and --people belong together')
    if not args.max_size > 0:
        parser.error(f'--max-size must be above 0, got {args.max_size}')
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command until it is stopped.

    Returns:
        int: 0; 1 when the page cannot be served; 2 when a package is not installed.
    """
    args = parse_args(argv)
    one_blas_thread()
    show_messages()
    try:
        require('the page', ('gradio', 'jinja2', 'filelock'), 'app')
        from mmanon.app import KeptFiles

        with KeptFiles(args.keep) as kept:
            # Gradio reads these when it is imported.
            os.environ['GRADIO_TEMP_DIR'] = str(kept.folder)
            os.environ['GRADIO_ANALYTICS_ENABLED'] = 'False'
            os.environ['HF_HUB_OFFLINE'] = '1'
            _serve(args, kept)
    except ImportError as error:
        print(f'mmanon-app: {error}', file=sys.stderr)
        return 2
    except (OSError, ValueError) as error:
        print(f'mmanon-app: {error}', file=sys.stderr)
        return 1
    return 0


def _serve(args: argparse.Namespace, kept: KeptFiles) -> None:
    from mmanon.anonymizer import AnonymizerInferencer
    from mmanon.anonymizer.face_finding import build_detector
    from mmanon.anonymizer.leak_audit import FaceAuditor
    from mmanon.anonymizer.recognizer import build_recognizer
    from mmanon.app import PeopleNamer, methods_here, named_methods, own_method
    from mmanon.app.page import Page
    from mmanon.app.server import serve

    options = group_options(
        detector=args.detector,
        detector_weights=args.detector_weights,
        device=args.device,
    )
    make_inferencer = partial(AnonymizerInferencer, **options)
    own = (own_method(args.modifier, args.weights),) if args.modifier else ()
    named = [one for one in named_methods() if one.modifier != args.modifier]
    # The first method is the default: the safest one, and not yet a drawn face.
    usual = methods_here()
    methods = (*own, *usual[:1], *named, *usual[1:])
    # Errors in the arguments are found now, and not by the first visitor.
    make_inferencer(**methods[0].inferencer_arguments(1))
    recognizer = None
    if args.recognizer is not None:
        recognizer = build_recognizer(args.recognizer)
    namer = None
    if recognizer is not None:
        detector = build_detector(args.detector, args.detector_weights, args.device)
        namer = PeopleNamer(args.people, detector, recognizer, args.threshold)

    def make_auditor() -> FaceAuditor:
        thorough = build_detector('thorough', args.detector_weights)
        threshold = None if recognizer is None else args.threshold
        return FaceAuditor(thorough, recognizer, threshold)

    if not _is_loopback(args.host):
        print(
            f'--host {args.host}: everybody who can reach this machine can use the '
            'page, and uploads are not encrypted',
            file=sys.stderr,
        )
    watcher = None if args.action_config is None else _make_watcher(args)
    page = Page(kept, make_inferencer, methods, namer, make_auditor, watcher)
    serve(page, args.host, args.port, int(args.max_size * 1e6))


def _make_watcher(args: argparse.Namespace) -> Callable[[], LiveActions]:
    """The camera's action detection, with one detector for all visitors."""
    require('detecting actions', ('torch', 'mmengine', 'mmaction'), 'train')
    from mmanon.actions.detector import ActionDetector
    from mmanon.actions.live import LiveActions

    detector = ActionDetector(
        args.action_config, args.action_checkpoint, args.action_labels, args.device
    )
    make = partial(LiveActions, detector, Lock())
    make()  # find errors now
    return make


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == 'localhost'


if __name__ == '__main__':
    sys.exit(main())
