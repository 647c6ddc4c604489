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
        description='Give images, videos or a camera; get the same with the faces '
        'masked.',
        epilog='An interrupted run goes on with the file it stopped at when it is '
        'started again. Ctrl-C ends a camera or stream, and what was seen is kept.',
    )
    parser.add_argument(
        'inputs',
        nargs='+',
        metavar='INPUT',
        help='image, video, folder, pattern, frame_%%05d.png, .txt file that lists '
        'these, number of a camera, address of a stream, or - for a video piped in',
    )
    parser.add_argument('-o', '--out-dir', metavar='DIR', help='folder of the outputs')
    _add_masking(parser.add_argument_group('what is drawn over a face'))
    _add_detection(parser.add_argument_group('which faces'))
    _add_encoding(parser.add_argument_group('video'))
    parser.add_argument(
        '--keep-metadata',
        action='store_true',
        help='keep titles, places, devices and dates (thumbnails never)',
    )
    parser.add_argument(
        '--largest-image',
        type=float,
        metavar='MEGAPIXELS',
        help='refuse images of more (default: 500); each takes up to 8 MB of memory',
    )
    parser.add_argument(
        '--report',
        metavar='DIR',
        help='write here, for each file, what was found and done, as JSON; it quotes '
        'the metadata that was removed',
    )
    parser.add_argument(
        '--boxes-out',
        metavar='DIR',
        help='write here, for each file, what was covered, as CSV, JSON and for CVAT: '
        'correct it and give it back by --boxes',
    )
    parser.add_argument(
        '--preview',
        metavar='DIR',
        help='write here, for each video, a sheet of the tracks that are most in '
        'doubt, with their numbers; it shows faces',
    )
    for option, what in (('drop', 'is no face'), ('keep', 'is a face')):
        parser.add_argument(
            f'--{option}-track',
            dest=f'{option}_tracks',
            action='append',
            type=int,
            metavar='N',
            help=f'the track of this number on the sheet {what}; may be given again',
        )
    parser.add_argument(
        '--overwrite', action='store_true', help='make finished files anew'
    )
    parser.add_argument(
        '--device',
        default='cpu',
        help='cuda, cuda:1 …: run networks there, decode and encode videos there; what '
        'cannot be is done on the CPU, and told (default: cpu)',
    )
    parser.add_argument(
        '--view',
        action='store_true',
        help='show a camera, stream or video before and after in a window, and write '
        'nothing; q ends it',
    )
    parser.add_argument(
        '--record',
        metavar='FILE.mp4',
        help='with --view: keep the covered frames here; r pauses that and goes on',
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
        parser.error('--record keeps what --view shows: without it name -o/--out-dir')
    if file.suffix.lower() != '.mp4':
        parser.error(f'--record must be called *.mp4, got {args.record!r}')
    if file.exists() and not args.overwrite:
        parser.error(f'--record {args.record} is there; --overwrite replaces it')


def _add_masking(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        '--modifier',
        metavar='NAME|FILE',
        help='a modifier by name (--list-modifiers), a file of one (modifier.pth, '
        '*.onnx), or a config file that names one; default: mean colours of the face',
    )
    group.add_argument(
        '--list-modifiers',
        action=_ListModifiers,
        help='say which names --modifier knows without PyTorch, and end',
    )
    group.add_argument(
        '--weights', metavar='FILE', help='its weights, behind a config file'
    )
    group.add_argument(
        '--shape',
        choices=['square', 'ellipse'],
        help='default: square for a learned modifier, ellipse for others',
    )
    group.add_argument(
        '--mask-scale',
        type=float,
        help="size of the ellipse in parts of the face box's; default: 1.12",
    )
    group.add_argument(
        '--region',
        dest='regions',
        action='append',
        metavar='SPEC|FILE',
        help="always cover 'cover:0,0 64,0 64,48', a polygon in pixels of the upright "
        "picture, or leave faces in 'leave:…', with '@2-5.5' from second 2 to 5.5; or "
        'a JSON file of such; may be given again',
    )
    group.add_argument(
        '--align',
        action='store_true',
        help='show the modifier faces turned upright by their eyes',
    )
    group.add_argument('--crop-size', type=int, metavar='PX')
    group.add_argument(
        '--margin',
        type=float,
        help='enlarge a face box by this part of its longer side, on each side',
    )
    group.add_argument(
        '--feather', type=float, help='width of the fading edge, a part of the crop'
    )
    group.add_argument(
        '--seed',
        type=int,
        metavar='N',
        help='draw the same noise and the same people as with this seed before; keep '
        'it secret (default: one that nobody knows)',
    )
    group.add_argument(
        '--key-per',
        choices=KEY_PER,
        help='how long a modifier with keys draws the same face: along the track of '
        'one, for all faces of a video, or in one frame (which flickers); default: '
        'track',
    )


def _add_detection(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        '--preset',
        choices=list(PRESETS),
        help='careful looks in each frame and covers more, fast looks half as often; '
        'default: balanced',
    )
    group.add_argument('--detector', choices=DETECTORS, help='default: centerface')
    group.add_argument('--detector-weights', metavar='FILE', help='ONNX file of YuNet')
    group.add_argument(
        '--covered-kinds',
        metavar='KINDS',
        help="what is covered, 'faces' if not told: 'faces,plates=plates.onnx' covers "
        'what that detector finds as well, in grey; a kind that an installed package '
        'adds needs no file',
    )
    group.add_argument(
        '--heads',
        action='store_const',
        const=True,
        help='mask heads that show no face, too, where OpenCV finds a body below them '
        '(it finds few)',
    )
    group.add_argument(
        '--heads-by',
        dest='heads',
        metavar='PEOPLE.onnx',
        help='the same, by an ONNX file that finds people, of the kinds that '
        '--covered-kinds takes',
    )
    group.add_argument(
        '--boxes',
        metavar='FILE',
        help='take faces from a face table (*.parquet), a *.json of your own or of '
        'Label Studio, an *.xml of CVAT, or a *.csv (frame,x,y,w,h)',
    )
    group.add_argument(
        '--score-thr', type=float, help='mask single faces from this score on'
    )
    group.add_argument(
        '--minimum-consecutive-frames',
        type=int,
        metavar='FRAMES',
        help='mask a face that is never so sure, too, when it is followed through so '
        'many frames; default: 5 with --detector thorough, else never',
    )
    group.add_argument(
        '--persist', dest='minimum_consecutive_frames', action=RenamedOption, type=int
    )
    group.add_argument(
        '--every',
        type=int,
        metavar='N',
        help='look for faces in each n-th frame, where the picture changes, and where '
        'in doubt; in the others faces are followed; default: 5',
    )
    group.add_argument(
        '--scale',
        type=float,
        help='look for faces in a picture made smaller by this, such as 0.5; faster, '
        'and small faces are missed',
    )
    group.add_argument(
        '--hold',
        type=int,
        metavar='FRAMES',
        help='mask a face so long before and after it is found',
    )
    group.add_argument(
        '--look-ahead',
        type=int,
        metavar='FRAMES',
        help='bridge up to so many frames in which a face is not seen',
    )
    group.add_argument(
        '--allowlist', metavar='DIR', help='photographs of people who stay visible'
    )
    group.add_argument('--exempt', dest='allowlist', action=RenamedOption)
    group.add_argument(
        '--only', metavar='DIR', help='photographs of the only people to mask'
    )
    group.add_argument(
        '--recognizer', metavar='FILE', help='weights of MobileFaceNet, for these two'
    )


def _add_encoding(group: argparse._ArgumentGroup) -> None:
    group.add_argument('--codec', help="FFmpeg's name of an encoder")
    group.add_argument('--quality', type=int, help='smaller is better (CRF)')
    group.add_argument('--container', metavar='EXT', help='mp4, mkv, mov, webm …')
    group.add_argument(
        '--encoder-option',
        dest='encoder_options',
        action='append',
        metavar='KEY=VALUE',
        help='such as preset=veryfast; may be given again',
    )
    group.add_argument('--start', type=float, metavar='SECONDS')
    group.add_argument('--end', type=float, metavar='SECONDS')
    group.add_argument(
        '--no-audio',
        dest='copy_audio',
        action='store_false',
        help='leave the sound out',
    )
