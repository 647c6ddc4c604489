"""The command ``mmanon-anonymize``, also ``tools/anonymize.py``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mmanon.anonymizer.options import DETECTORS
from mmanon.utils.log import show_messages

if TYPE_CHECKING:
    from mmanon.anonymizer import AnonymizerInferencer, Outcome

# What is large is imported when the arguments have been read: `--help`, and a slip of
# the pen, are answered at once.

__all__ = ['main']


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='mmanon-anonymize',
        description='Give images, videos or a camera; get the same with the faces '
        'redrawn.',
        epilog='An interrupted run goes on with the file it stopped at when it is '
        'started again. Ctrl-C ends a camera or stream, and what was seen is kept.',
    )
    parser.add_argument(
        'inputs',
        nargs='+',
        metavar='INPUT',
        help='image, video, folder, pattern, .txt file that lists these, number of a '
        'camera, or address of a stream',
    )
    parser.add_argument(
        '-o', '--out-dir', required=True, metavar='DIR', help='folder of the outputs'
    )
    what = parser.add_argument_group('how faces are redrawn')
    what.add_argument(
        '--modifier',
        metavar='NAME|FILE',
        help='a registered modifier (mask, pixelate …), or a config file that names '
        'one; default: a solid mask',
    )
    what.add_argument('--weights', metavar='FILE', help='weights of a learned modifier')
    what.add_argument('--shape', choices=['square', 'ellipse'], default='square')
    what.add_argument(
        '--align',
        action='store_true',
        help='show the modifier faces turned upright by their eyes',
    )
    what.add_argument('--crop-size', type=int, metavar='PX')
    what.add_argument(
        '--margin',
        type=float,
        help='enlarge a face box by this part of its longer side, on each side',
    )
    what.add_argument(
        '--feather', type=float, help='width of the fading edge, a part of the crop'
    )
    where = parser.add_argument_group('which faces')
    where.add_argument('--detector', choices=DETECTORS, help='default: centerface')
    where.add_argument('--detector-weights', metavar='FILE', help='ONNX file of YuNet')
    where.add_argument(
        '--boxes',
        metavar='FILE',
        help='take faces from a face table (*.parquet) or a *.json of your own',
    )
    where.add_argument(
        '--score-thr', type=float, help='cover single faces from this score on'
    )
    where.add_argument(
        '--persist',
        type=int,
        metavar='FRAMES',
        help='cover a face that is never so sure, too, when it is followed through so '
        'many frames; default: 5 with --detector thorough, else never',
    )
    where.add_argument(
        '--every',
        type=int,
        metavar='N',
        help='look closely at each n-th frame, where the picture changes, and where in '
        'doubt; at the others in half the size; default: 5',
    )
    where.add_argument(
        '--scale',
        type=float,
        help='look for faces in a picture made smaller by this, such as 0.5; faster, '
        'and small faces are missed',
    )
    where.add_argument(
        '--hold',
        type=int,
        metavar='FRAMES',
        help='cover a face so long before and after it is seen',
    )
    where.add_argument(
        '--look-ahead',
        type=int,
        metavar='FRAMES',
        help='bridge up to so many frames in which a face is not seen',
    )
    people = where.add_mutually_exclusive_group()
    people.add_argument(
        '--exempt', metavar='DIR', help='photographs of people who stay visible'
    )
    people.add_argument(
        '--only', metavar='DIR', help='photographs of the only people to cover'
    )
    where.add_argument(
        '--recognizer', metavar='FILE', help='weights of MobileFaceNet, for these two'
    )
    video = parser.add_argument_group('video')
    video.add_argument('--codec', help="FFmpeg's name of an encoder")
    video.add_argument('--quality', type=int, help='smaller is better (CRF)')
    video.add_argument('--container', metavar='EXT', help='mp4, mkv, mov, webm …')
    video.add_argument(
        '--encoder-option',
        action='append',
        default=[],
        metavar='KEY=VALUE',
        help='such as preset=veryfast; may be given again',
    )
    video.add_argument('--start', type=float, metavar='SECONDS')
    video.add_argument('--end', type=float, metavar='SECONDS')
    video.add_argument('--no-audio', action='store_true', help='leave the sound out')
    parser.add_argument(
        '--keep-metadata',
        action='store_true',
        help='keep titles, places, devices and dates (thumbnails never)',
    )
    parser.add_argument(
        '--report',
        metavar='DIR',
        help='write here, for each file, what was found and done, as JSON; it quotes '
        'the metadata that was removed',
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='make finished files anew'
    )
    parser.add_argument('--device', default='cpu', help='torch device of the networks')
    args = parser.parse_args(argv)
    for option in args.encoder_option:
        if '=' not in option:
            parser.error(f'--encoder-option must be KEY=VALUE, got {option!r}')
    return args


def build(args: argparse.Namespace) -> AnonymizerInferencer:
    """The inferencer that the arguments describe."""
    from mmanon.anonymizer import AnonymizerInferencer

    given = {
        name: getattr(args, name)
        for name in ('score_thr', 'persist', 'hold', 'every', 'scale', 'look_ahead')
        if getattr(args, name) is not None
    }
    return AnonymizerInferencer(
        modifier=args.modifier,
        weights=args.weights,
        detector=args.detector,
        detector_weights=args.detector_weights,
        boxes=args.boxes,
        exempt=args.exempt,
        only=args.only,
        recognizer=args.recognizer,
        crop_size=args.crop_size,
        margin=args.margin,
        feather=args.feather,
        shape=args.shape,
        align=args.align,
        codec=args.codec,
        quality=args.quality,
        container=args.container,
        encoder_options=dict(one.split('=', 1) for one in args.encoder_option),
        copy_audio=not args.no_audio,
        keep_metadata=args.keep_metadata,
        device=args.device,
        **given,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        int: 0; 1 when a file failed; 2 when something is not installed; 130 when it
        was interrupted.
    """
    args = parse_args(argv)
    show_messages()
    from mmanon.anonymizer.io.sources import InputError

    try:
        outcomes = build(args)(
            args.inputs,
            out_dir=args.out_dir,
            start=args.start,
            end=args.end,
            overwrite=args.overwrite,
            report=args.report,
        )
    except ImportError as error:
        print(f'mmanon-anonymize: {error}', file=sys.stderr)
        return 2
    except (InputError, OSError, ValueError) as error:
        print(f'mmanon-anonymize: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            'interrupted: nothing is half written, and the same command goes on with '
            'the file it stopped at',
            file=sys.stderr,
        )
        return 130
    return report(outcomes)


def report(outcomes: Sequence[Outcome]) -> int:
    """Say what came of all files; list the failures last."""
    states = [one.status for one in outcomes]
    counts = [
        f'{states.count(state)} {state}' for state in ('written', 'skipped', 'failed')
    ]
    print(', '.join(counts))
    failed = [one for one in outcomes if one.status == 'failed']
    for one in failed:
        print(f'  {one.source}: {one.reason}', file=sys.stderr)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
