"""The arguments of ``mmanon-anonymize``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmanon.anonymizer.options import DETECTORS, KEY_PER, PRESETS
from mmanon.utils.deprecation import RenamedOption

__all__ = ['parse_args']


class _ListModifiers(argparse.Action):
    """Prints names and ends, as ``--help`` does."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from mmanon.anonymizer.backends.numpy_modifier import SHORT_NAMES
        from mmanon.shipped import list_modifiers

        try:
            named = list_modifiers()
        except ValueError as error:
            parser.error(str(error))
        lines = []
        for one in named:
            files = ' and '.join(str(file) for file in one[1:] if file is not None)
            lines.append(f'{one.name}: learned, {files}')
        lines += [f'{name}: hand-crafted' for name in SHORT_NAMES]
        print('\n'.join(lines))
        parser.exit()


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='mmanon-anonymize',
        allow_abbrev=False,
        description='Anonymize images, videos or a camera: cover the faces and write '
        'the same files again.',
        epilog='After an interruption, the same command continues with the file at '
        'which it stopped. Ctrl-C ends a camera or stream and keeps the frames so far.',
    )
    parser.add_argument(
        'inputs',
        nargs='+',
        metavar='INPUT',
        help='image, video, folder, pattern, numbered images (frame_%%05d.png), .txt '
        'file with one of these per line, number of a camera, address of a stream, or '
        '- for a video from the standard input',
    )
    parser.add_argument('-o', '--out-dir', metavar='DIR', help='folder of the outputs')
    _add_masking(parser.add_argument_group('how faces are covered'))
    _add_detection(parser.add_argument_group('which faces are covered'))
    _add_encoding(parser.add_argument_group('videos'))
    parser.add_argument(
        '--keep-metadata',
        action='store_true',
        help='keep titles, places, devices and dates; thumbnails are never kept',
    )
    parser.add_argument(
        '--largest-image',
        type=float,
        metavar='MEGAPIXELS',
        help='maximum size of an image (default: 500); each megapixel takes up to 8 MB '
        'of memory',
    )
    parser.add_argument(
        '--report',
        metavar='DIR',
        help='write a report of each file to this folder, as JSON; it quotes the '
        'removed metadata',
    )
    parser.add_argument(
        '--boxes-out',
        metavar='DIR',
        help='write the covered boxes of each file to this folder, as CSV, JSON and '
        'for CVAT; correct them and use them with --boxes',
    )
    parser.add_argument(
        '--preview',
        metavar='DIR',
        help='write a sheet of the most uncertain tracks of each video to this folder, '
        'with their numbers; it shows original faces',
    )
    for option, what in (('drop', 'is no face'), ('keep', 'is a face')):
        parser.add_argument(
            f'--{option}-track',
            dest=f'{option}_tracks',
            action='append',
            type=int,
            metavar='N',
            help=f'track N of the sheet {what}; can be repeated',
        )
    parser.add_argument(
        '--overwrite', action='store_true', help='write existing outputs again'
    )
    parser.add_argument(
        '--device',
        default='cpu',
        help='cuda, cuda:1 …: run networks and decode and encode videos there; parts '
        'that cannot run there run on the CPU, and the log names them (default: cpu)',
    )
    parser.add_argument(
        '--view',
        action='store_true',
        help='show a camera, stream or video before and after in a window and write '
        'nothing; the key q ends it',
    )
    parser.add_argument(
        '--record',
        metavar='FILE.mp4',
        help='with --view: record the covered frames; the key r pauses and continues',
    )
    args = parser.parse_args(argv)
    if args.view == (args.out_dir is not None):
        parser.error(
            '--view writes nothing: leave out -o/--out-dir'
            if args.view
            else 'the following arguments are required: -o/--out-dir'
        )
    if args.record is not None:
        _check_record(parser, args)
    for option in args.encoder_options or ():
        if '=' not in option:
            parser.error(f'--encoder-option must be KEY=VALUE, got {option!r}')
    return args


def _check_record(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    file = Path(args.record).expanduser()
    if not args.view:
        parser.error('--record needs --view; without --view, give -o/--out-dir')
    if file.suffix.lower() != '.mp4':
        parser.error(f'--record must be a *.mp4 file, got {args.record!r}')
    if file.exists() and not args.overwrite:
        parser.error(f'--record {args.record} exists; --overwrite replaces it')


def _add_masking(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        '--modifier',
        metavar='NAME|FILE',
        help='the name of a modifier (--list-modifiers), a file of one (modifier.pth, '
        '*.onnx), or a config file with one; default: 16 mean colours of the face',
    )
    group.add_argument(
        '--list-modifiers',
        action=_ListModifiers,
        help='list the names of modifiers that need no PyTorch, and exit',
    )
    group.add_argument(
        '--weights',
        metavar='FILE',
        help='weights of the modifier, if it is given as a config file',
    )
    group.add_argument(
        '--shape',
        choices=['square', 'ellipse'],
        help='the area that is covered; default: square for a learned modifier, '
        'ellipse for others',
    )
    group.add_argument(
        '--mask-scale',
        type=float,
        help='size of the ellipse as a multiple of the face box; default: 1.12',
    )
    group.add_argument(
        '--region',
        dest='regions',
        action='append',
        metavar='SPEC|FILE',
        help='always cover a polygon in pixels of the upright picture, such as '
        "'cover:0,0 64,0 64,48', or let faces in it stay visible, 'leave:…'; add "
        "'@2-5.5' for the seconds from 2 to 5.5; or a JSON file with regions; can be "
        'repeated',
    )
    group.add_argument(
        '--align',
        action='store_true',
        help='turn faces upright by their eyes before the modifier draws',
    )
    group.add_argument(
        '--crop-size', type=int, metavar='PX', help='side of a face crop in pixels'
    )
    group.add_argument(
        '--margin',
        type=float,
        help='enlarge a face box on each side by this fraction of its longer side',
    )
    group.add_argument(
        '--feather',
        type=float,
        help="width of the blended edge, as a fraction of the crop's side",
    )
    group.add_argument(
        '--seed',
        type=int,
        metavar='N',
        help='with the same seed, a modifier draws the same noise and the same people '
        'again; keep it secret (default: a random, secret one)',
    )
    group.add_argument(
        '--key-per',
        choices=KEY_PER,
        help='the scope in which a modifier with keys draws the same face: the track '
        'of a face, all faces of a video, or one frame (which flickers); default: '
        'track',
    )


def _add_detection(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        '--preset',
        choices=list(PRESETS),
        help='careful searches every frame and covers more; fast searches half as '
        'often; default: balanced',
    )
    group.add_argument(
        '--detector', choices=DETECTORS, help='face detector; default: centerface'
    )
    group.add_argument('--detector-weights', metavar='FILE', help='ONNX file of YuNet')
    group.add_argument(
        '--covered-kinds',
        metavar='KINDS',
        help='the kinds of objects to cover (default: faces); '
        "'faces,plates=plates.onnx' also covers what that detector finds, in grey; a "
        'kind from an installed package needs no file',
    )
    group.add_argument(
        '--heads',
        action='store_const',
        const=True,
        help='also cover heads without a visible face if OpenCV finds a body below '
        'them (it finds few)',
    )
    group.add_argument(
        '--heads-by',
        dest='heads',
        metavar='PEOPLE.onnx',
        help='the same with an ONNX file that finds people, in a format of '
        '--covered-kinds',
    )
    group.add_argument(
        '--boxes',
        metavar='FILE',
        help='read the faces from a face table (*.parquet), your own *.json, a *.json '
        'of Label Studio, an *.xml of CVAT, or a *.csv (frame,x,y,w,h)',
    )
    group.add_argument(
        '--score-thr',
        type=float,
        help='score from which a single detection of a face is covered; default: 0.6',
    )
    group.add_argument(
        '--minimum-consecutive-frames',
        type=int,
        metavar='FRAMES',
        help='also cover a face with lower scores if its track finds it in so many '
        'frames; default: 5 with --detector thorough, otherwise never',
    )
    group.add_argument(
        '--persist', dest='minimum_consecutive_frames', action=RenamedOption, type=int
    )
    group.add_argument(
        '--every',
        type=int,
        metavar='N',
        help='search each N-th frame, frames in which the picture changes, and frames '
        'in doubt; in the others, faces are followed; default: 5',
    )
    group.add_argument(
        '--scale',
        type=float,
        help='shrink pictures by this factor before the search, such as 0.5; this is '
        'faster but misses small faces',
    )
    group.add_argument(
        '--hold',
        type=int,
        metavar='FRAMES',
        help='cover a face for so many frames before and after it is found; default: 4',
    )
    group.add_argument(
        '--look-ahead',
        type=int,
        metavar='FRAMES',
        help='bridge up to so many frames in which a face is not found; default: 24',
    )
    group.add_argument(
        '--allowlist', metavar='DIR', help='photographs of people who stay visible'
    )
    group.add_argument('--exempt', dest='allowlist', action=RenamedOption)
    group.add_argument(
        '--only', metavar='DIR', help='photographs of the only people to cover'
    )
    group.add_argument(
        '--recognizer',
        metavar='FILE',
        help='weights of MobileFaceNet, for --allowlist and --only',
    )


def _add_encoding(group: argparse._ArgumentGroup) -> None:
    group.add_argument('--codec', help="FFmpeg's name of an encoder")
    group.add_argument(
        '--quality', type=int, help="the encoder's CRF or quantizer; smaller is better"
    )
    group.add_argument(
        '--container',
        metavar='EXT',
        help='format of the outputs: mp4, mkv, mov, webm …; default: that of the input',
    )
    group.add_argument(
        '--encoder-option',
        dest='encoder_options',
        action='append',
        metavar='KEY=VALUE',
        help='option of the encoder, such as preset=veryfast; can be repeated',
    )
    group.add_argument(
        '--start', type=float, metavar='SECONDS', help='where to begin in videos'
    )
    group.add_argument(
        '--end', type=float, metavar='SECONDS', help='where to end in videos'
    )
    group.add_argument(
        '--no-audio',
        dest='copy_audio',
        action='store_false',
        help='leave the sound out',
    )
