"""Measure which faces stay open, and what is covered that is not a face.

    python tools/benchmark_covering.py --clips videos/ --against \\
        'deface=deface {clip} -o {out} --replacewith solid'
    python tools/benchmark_covering.py --clips videos/ --row 'careful=--preset careful'

Each labelled clip is first encoded again, with no visible loss and at a constant rate,
because other tools fail with variable time stamps. Then it is anonymized with the
default settings, with those of each --row, and by each other command, and each output
is compared with the clip pixel by pixel. Solid covers are best for this: rows of mmanon
get them (``--modifier green``), and another command should draw them as well.

For each row, over all clips and for each clip, the command prints: labelled faces that
are open (less than half of the ellipse in the face box is changed) or partly open (less
than nine tenths), by their longer side in pixels; the longest run of labelled frames in
which one person was open; the area covered outside face boxes, as a multiple of the
faces' area, and how much of it is on heads without a visible face; how many of these
heads are half covered; the covered share of the pictures; covers that meet no head, per
minute; the change of the cover from frame to frame (1 is a complete change); and the
seconds of the command.

``tools/covering/README.md`` describes how the labels were made.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import av
from tqdm import tqdm

from mmanon.evaluation.functional.covering import (
    Score,
    measure,
    rate_of,
    read_labels,
)

TOOLS = Path(__file__).resolve().parent
LABELS = TOOLS / 'covering' / 'labels.csv'


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--clips', type=Path, action='append', required=True, metavar='DIR',
        help='folder of the labelled clips; can be repeated',
    )  # fmt: skip
    parser.add_argument('--labels', type=Path, default=LABELS, metavar='CSV')
    parser.add_argument(
        '--only', nargs='+', metavar='CLIP', help='only clips whose names contain this'
    )
    parser.add_argument(
        '--row', action='append', default=[], metavar='NAME=OPTIONS',
        help='also measure these options of mmanon-anonymize',
    )  # fmt: skip
    parser.add_argument(
        '--against', action='append', default=[], metavar='NAME=COMMAND',
        help='another command; {clip} and {out} are its two files',
    )  # fmt: skip
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/covering'))
    parser.add_argument('--json', type=Path, help='write all figures to this file')
    args = parser.parse_args(argv)
    if not args.labels.is_file():
        parser.error(f'labels {args.labels} do not exist')
    for option in (*args.row, *args.against):
        if '=' not in option.split()[0]:
            parser.error(f'--row and --against take NAME=…, got {option!r}')
    return args


def prepare(source: Path, out: Path) -> None:
    """Encode a clip again, at a constant rate and nearly without loss."""
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.with_name(f'.{out.name}')
    with av.open(str(source)) as old, av.open(str(beside), 'w', format='mp4') as new:
        stream = old.streams.video[0]
        video = new.add_stream('libx264', rate=rate_of(stream))
        video.width, video.height, video.pix_fmt = (
            stream.width,
            stream.height,
            'yuv420p',
        )
        video.options = dict(crf='4', preset='veryfast')
        for number, frame in enumerate(old.decode(stream)):
            frame = frame.reformat(format='yuv420p')
            frame.time_base, frame.pts = 1 / rate_of(stream), number
            new.mux(video.encode(frame))
        new.mux(video.encode())
    beside.replace(out)


def run(command: Sequence[str], out: Path) -> float:
    """Run a command that writes a file; return its seconds.

    Raises:
        RuntimeError: If it fails or writes nothing.
    """
    begin = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    seconds = time.perf_counter() - begin
    if done.returncode or not out.is_file():
        raise RuntimeError(f'{shlex.join(command)} failed:\n{done.stderr[-2000:]}')
    return seconds


def rows(args: argparse.Namespace) -> dict[str, str]:
    """Return the commands, with {clip} and {out}, by the names of their rows."""
    ours = shlex.join([sys.executable, str(TOOLS / 'anonymize.py')])
    ours += ' {clip} -o {folder} --overwrite --modifier green '
    found = {'default': ours}
    for option in args.row:
        name, _, options = option.partition('=')
        found[name] = ours + options
    for option in args.against:
        name, _, command = option.partition('=')
        found[name] = command
    return found


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    labels = read_labels(args.labels)
    found = {}
    for name in labels:
        if args.only and not any(part in name for part in args.only):
            continue
        paths = [folder / name for folder in args.clips if (folder / name).is_file()]
        if not paths:
            print(f'{name} is in none of the folders: left out', file=sys.stderr)
            continue
        found[name] = args.work_dir / 'clips' / Path(name).with_suffix('.mp4')
        if not found[name].is_file():
            prepare(paths[0], found[name])
    if not found:
        return 1
    figures: dict[str, dict] = {}
    for row, command in rows(args).items():
        figures[row] = {}
        total = Score()
        for name, clip in tqdm(found.items(), desc=row, unit='clip', disable=None):
            out = args.work_dir / row / clip.relative_to(args.work_dir / 'clips')
            out.parent.mkdir(parents=True, exist_ok=True)
            out.unlink(missing_ok=True)
            filled = [
                part.format(clip=clip, out=out, folder=out.parent)
                for part in shlex.split(command)
            ]
            seconds = run(filled, out)
            score = measure(clip, out, labels[name])
            score.seconds = seconds
            figures[row][name] = score.as_dict()
            total += score
        figures[row]['all'] = total.as_dict()
    for name in (*found, 'all'):
        print(f'\n{name}')
        for row in figures:
            print(f'  {row:12} {_line(figures[row][name])}')
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + '\n')
    return 0


def _line(figures: dict) -> str:
    opened = ' '.join(
        f'{size}: {figures["open"][size]}+{figures["partly_open"][size]}/{count}'
        for size, count in figures['faces'].items()
    )
    return (
        f'open+partly/faces {opened}; in a row {figures["open_in_a_row_24"]}; '
        f'excess {figures["excess"]} (on heads {figures["excess_on_heads"]}); '
        f'covered {figures["covered"]}; heads without a face covered '
        f'{figures["heads_covered"]} of {figures["heads_without_a_face"]}; '
        f'false covers/min {figures["false_covers_a_minute"]}; '
        f'change {figures["change"]}; {figures["seconds"]} s'
    )


if __name__ == '__main__':
    sys.exit(main())
