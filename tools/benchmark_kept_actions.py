"""Measure how much mAP a detector trained on raw clips keeps on anonymized clips.

    python tools/benchmark_kept_actions.py configs/mini/slowonly_heads.py raw.pth \\
        --row 'careful=--preset careful' --against 'deface=deface {clip} -o {out}'

The frames of each test clip of the config become a lossless video. It is anonymized
like any video, without given boxes, with the default settings, with those of each
--row, and by each other command. The detector is then tested on the frames of the
output. There are two more rows: ``raw``, the original frames, and ``encoded``, the same
videos encoded again without covers, which shows the effect of the encoding alone.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import av
from PIL import Image
from tqdm import tqdm

TOOLS = Path(__file__).resolve().parent
IMAGES = '.jpg'


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config of the detector and its test clips')
    parser.add_argument(
        'checkpoint', help='checkpoint of the detector, trained on raw clips'
    )
    parser.add_argument(
        '--rawframes', type=Path, default=Path('data/mini_heads/rawframes'),
        metavar='DIR', help='folder with a folder of numbered images for each clip',
    )  # fmt: skip
    parser.add_argument(
        '--clips', default='test_*', metavar='PATTERN', help='only these clips'
    )
    parser.add_argument(
        '--row', action='append', default=[], metavar='NAME=OPTIONS',
        help='also measure these options of mmanon-anonymize',
    )  # fmt: skip
    parser.add_argument(
        '--against', action='append', default=[], metavar='NAME=COMMAND',
        help='another command; {clip} and {out} are its two files',
    )  # fmt: skip
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/kept_actions'))
    args = parser.parse_args(argv)
    if not any(args.rawframes.glob(args.clips)):
        parser.error(f'--rawframes {args.rawframes} has no folder {args.clips}')
    for option in (*args.row, *args.against):
        if '=' not in option.split()[0]:
            parser.error(f'--row and --against take NAME=…, got {option!r}')
    return args


def make_video(folder: Path, out: Path) -> None:
    """Write the images of a folder as the frames of a video, without loss."""
    images = sorted(folder.glob(f'*{IMAGES}'))
    with av.open(str(out), 'w') as file:
        stream = file.add_stream('libx264rgb', rate=25, options=dict(qp='0'))
        assert isinstance(stream, av.VideoStream)
        for number, path in enumerate(images):
            frame = av.VideoFrame.from_image(Image.open(path).convert('RGB'))
            stream.width, stream.height = frame.width, frame.height
            stream.pix_fmt = 'rgb24'
            frame.pts = number
            file.mux(stream.encode(frame))
        file.mux(stream.encode())


def make_images(video: Path, like: Path, out: Path) -> None:
    """Write the frames of a video as images with the names of another folder's images.

    Raises:
        RuntimeError: If there are more or fewer frames than names.
    """
    out.mkdir(parents=True, exist_ok=True)
    names = [path.name for path in sorted(like.glob(f'*{IMAGES}'))]
    with av.open(str(video)) as file:
        frames = [frame.to_image() for frame in file.decode(video=0)]
    if len(frames) != len(names):
        raise RuntimeError(f'{video} has {len(frames)} frames and not {len(names)}')
    for name, frame in zip(names, frames, strict=True):
        frame.save(out / name, quality=98, subsampling=0)


def run(command: Sequence[str]) -> str:
    """Run a command and return what it prints.

    Raises:
        RuntimeError: If it fails.
    """
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f'{shlex.join(command)} failed:\n{done.stderr[-2000:]}')
    return done.stdout


def anonymize(args: argparse.Namespace, videos: Path, row: str, options: str) -> None:
    """Anonymize all videos into a row's folder; other commands get them one by one."""
    out = args.work_dir / row / 'videos'
    out.mkdir(parents=True, exist_ok=True)
    if '{clip}' not in options:
        ours = [sys.executable, str(TOOLS / 'anonymize.py'), str(videos)]
        run([*ours, '-o', str(out), '--overwrite', *shlex.split(options)])
        return
    for clip in tqdm(sorted(videos.iterdir()), desc=row, unit='clip', disable=None):
        run(
            [
                part.format(clip=clip, out=out / clip.name)
                for part in shlex.split(options)
            ]
        )


def test(args: argparse.Namespace, row: str, frames: Path) -> float:
    """Return the mAP of the detector on the clips in a folder."""
    metrics = args.work_dir / row / 'metrics.json'
    run(
        [
            *(sys.executable, str(TOOLS / 'test.py'), args.config, args.checkpoint),
            *('--plain', '--out', str(metrics)),
            *('--work-dir', str(args.work_dir / row / 'test')),
            *('--cfg-options', f'test_dataloader.dataset.data_prefix.img={frames}'),
        ]
    )
    found: dict[str, float] = json.loads(metrics.read_text())
    return found['mAP/overall']


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    folders = sorted(args.rawframes.glob(args.clips))
    videos = args.work_dir / 'clips'
    videos.mkdir(parents=True, exist_ok=True)
    for folder in folders:
        make_video(folder, videos / f'{folder.name}.mp4')
    nothing = args.work_dir / 'nothing.json'
    # All frames are listed: a missing frame counts as not examined, and is covered.
    empty: dict[str, dict[int, list]] = {
        f'{one.name}.mp4': {n: [] for n, _ in enumerate(one.glob(f'*{IMAGES}'))}
        for one in folders
    }
    nothing.write_text(json.dumps(empty))
    rows = {'encoded': f'--boxes {shlex.quote(str(nothing))}', 'default': ''}
    for option in (*args.row, *args.against):
        name, _, rows[name] = option.partition('=')
    found = {'raw': test(args, 'raw', args.rawframes)}
    for row, options in rows.items():
        anonymize(args, videos, row, options)
        frames = args.work_dir / row / 'rawframes'
        for folder in folders:
            video = args.work_dir / row / 'videos' / f'{folder.name}.mp4'
            make_images(video, folder, frames / folder.name)
        found[row] = test(args, row, frames)
    for row, score in found.items():
        print(f'{row:12} mAP {100 * score:.1f} %, {score / found["raw"]:.0%} of raw')
    return 0


if __name__ == '__main__':
    sys.exit(main())
