"""Measure which faces stay open, and what is covered that is no face.

    python tools/benchmark_covering.py --clips videos/ --against \\
        'deface {clip} -o {out} --replacewith solid'
    python tools/benchmark_covering.py --clips videos/ --row 'careful=--preset careful'

Each clip of the labels is written anew once, without loss that shows and at a constant
rate, for other tools stumble over time stamps; then it is anonymized with the default
settings, with those of each --row, and by each other command, whose output is compared
with it pixel by pixel. Solid masks are best for that: rows of mmanon get them
(``--modifier green``), and another command should be told to draw them.

For each row are printed, over all clips and for each one: labelled faces that are open
(less than half of the ellipse in the face's box is changed) or partly open (less than
nine tenths), by their longer side in pixels; in how many labelled frames in a row one
person was open; the area covered outside face boxes, as a multiple of the faces' area,
and how much of that is on heads that show no face; the share of the pictures that is
covered; covers that meet no head, per minute; how much the cover changes from frame to
frame (1 is all of it); and the seconds that the command took.

``tools/covering/labels.csv`` has the labels, and ``tools/covering/README.md`` says how
they were made.
"""

from __future__ import annotations

import argparse
import csv
import json
import shlex
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from scipy import ndimage
from tqdm import tqdm

TOOLS = Path(__file__).resolve().parent
LABELS = TOOLS / 'covering' / 'labels.csv'
SIZES = (12, 24, 48)
"""Longer sides in pixels at which the classes of faces by size begin, after 0."""
OPEN, PARTLY = 0.5, 0.9
_CHANGED = 30  # of 255, in any channel: more than encoding does
_RATE = 25


@dataclass(frozen=True)
class Label:
    """What is in one place of a frame.

    Attributes:
        frame (int): From 0.
        person (str): The same for the same person through a clip.
        kind (str): ``'face'``, ``'head'`` or ``'unclear'``.
        box (np.ndarray): x1, y1, x2, y2 in pixels.
    """

    frame: int
    person: str
    kind: str
    box: np.ndarray

    @property
    def side(self) -> float:
        return float((self.box[2:] - self.box[:2]).max())


@dataclass
class Score:
    """What a row is measured by; scores of clips add up.

    Attributes:
        faces, open, partly (np.ndarray): Counts by size.
        open_in_a_row (int): The most labelled frames of one person, of 24 pixels or
            more.
        face_area, excess, on_heads, covered, pixels (float): In pixels.
        false_covers (int): Covers that meet nothing that is labelled.
        frames, minutes (float): Of the clips.
        change, pairs (float): Of the cover from frame to frame, summed.
        seconds (float): Of the command.
    """

    faces: np.ndarray = field(default_factory=lambda: np.zeros(4, int))
    open: np.ndarray = field(default_factory=lambda: np.zeros(4, int))
    partly: np.ndarray = field(default_factory=lambda: np.zeros(4, int))
    open_in_a_row: int = 0
    face_area: float = 0
    excess: float = 0
    on_heads: float = 0
    covered: float = 0
    pixels: float = 0
    false_covers: int = 0
    minutes: float = 0
    change: float = 0
    pairs: int = 0
    seconds: float = 0

    def __add__(self, other: Score) -> Score:
        total = Score(
            **{name: getattr(self, name) + one for name, one in vars(other).items()}
        )
        total.open_in_a_row = max(self.open_in_a_row, other.open_in_a_row)
        return total

    def as_dict(self) -> dict:
        """What is printed and written."""
        names = ['<12', '12-24', '24-48', '48+']
        return dict(
            faces=dict(zip(names, self.faces.tolist(), strict=True)),
            open=dict(zip(names, self.open.tolist(), strict=True)),
            partly_open=dict(zip(names, self.partly.tolist(), strict=True)),
            open_in_a_row_24=self.open_in_a_row,
            excess=_ratio(self.excess, self.face_area),
            excess_on_heads=_ratio(self.on_heads, self.face_area),
            covered=_ratio(self.covered, self.pixels),
            false_covers_a_minute=_ratio(self.false_covers, self.minutes),
            change=_ratio(self.change, self.pairs),
            seconds=round(self.seconds, 2),
        )


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--clips', type=Path, action='append', required=True, metavar='DIR',
        help='where the clips of the labels are; may be given again',
    )  # fmt: skip
    parser.add_argument('--labels', type=Path, default=LABELS, metavar='CSV')
    parser.add_argument(
        '--only', nargs='+', metavar='CLIP', help='clips whose name has this in it'
    )
    parser.add_argument(
        '--row', action='append', default=[], metavar='NAME=OPTIONS',
        help='options of mmanon-anonymize to measure beside the default ones',
    )  # fmt: skip
    parser.add_argument(
        '--against', action='append', default=[], metavar='NAME=COMMAND',
        help='another command, in which {clip} and {out} are the two files',
    )  # fmt: skip
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/covering'))
    parser.add_argument('--json', type=Path, help='write all figures here')
    args = parser.parse_args(argv)
    if not args.labels.is_file():
        parser.error(f'labels {args.labels} do not exist')
    for option in (*args.row, *args.against):
        if '=' not in option.split()[0]:
            parser.error(f'--row and --against take NAME=…, got {option!r}')
    return args


def read_labels(path: Path) -> dict[str, dict[int, list[Label]]]:
    """The labels by clip and frame; a frame in which nothing is has an empty list.

    Args:
        path (Path): See ``tools/covering/README.md``.

    Raises:
        ValueError: When a row is not as it should be.
    """
    clips: dict[str, dict[int, list[Label]]] = defaultdict(dict)
    with path.open(newline='') as file:
        for number, row in enumerate(csv.DictReader(file), 2):
            try:
                here = clips[row['clip']].setdefault(int(row['frame']), [])
                if row['kind'] == 'none':
                    continue
                if row['kind'] not in ('face', 'head', 'unclear'):
                    raise ValueError(f'no kind is called {row["kind"]!r}')
                box = np.array([float(row[side]) for side in ('x1', 'y1', 'x2', 'y2')])
                here.append(Label(int(row['frame']), row['person'], row['kind'], box))
            except (KeyError, ValueError) as error:
                raise ValueError(f'{path}, line {number}: {error}') from error
    return dict(clips)


def prepare(source: Path, out: Path) -> None:
    """Write a clip anew, at a constant rate and nearly without loss."""
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.with_name(f'.{out.name}')
    with av.open(str(source)) as old, av.open(str(beside), 'w', format='mp4') as new:
        stream = old.streams.video[0]
        video = new.add_stream('libx264', rate=_rate(stream))
        video.width, video.height, video.pix_fmt = (
            stream.width,
            stream.height,
            'yuv420p',
        )
        video.options = dict(crf='4', preset='veryfast')
        for number, frame in enumerate(old.decode(stream)):
            frame = frame.reformat(format='yuv420p')
            frame.time_base, frame.pts = 1 / _rate(stream), number
            new.mux(video.encode(frame))
        new.mux(video.encode())
    beside.replace(out)


def _rate(stream: av.VideoStream) -> Fraction:
    return Fraction(stream.average_rate or _RATE).limit_denominator(1001)


def decoded(path: Path, size: tuple[int, int] | None = None) -> Iterator[np.ndarray]:
    """The frames of a video, uint8 (H, W, 3), made as large as ``size`` asks."""
    with av.open(str(path)) as file:
        for frame in file.decode(video=0):
            if size is not None and (frame.width, frame.height) != size:
                frame = frame.reformat(*size)
            yield frame.to_ndarray(format='rgb24')


def covered_pixels(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Which pixels a mask is over, bool (H, W).

    Args:
        before, after (np.ndarray): uint8 (H, W, 3).
    """
    changed = np.abs(before.astype(np.int16) - after).max(2) > _CHANGED
    # Encoding changes single pixels; a mask may by chance have a pixel's colour.
    changed = ndimage.binary_opening(changed, np.ones((3, 3)))
    changed = ndimage.binary_closing(np.pad(changed, 4), np.ones((5, 5)), iterations=1)[
        4:-4, 4:-4
    ]
    return ndimage.binary_fill_holes(changed)


def measure(clip: Path, output: Path, labels: dict[int, list[Label]]) -> Score:
    """Compare a clip with its output.

    Raises:
        ValueError: When the output has fewer frames than the last labelled one needs.
    """
    score, before = Score(), None
    runs: dict[str, int] = defaultdict(int)
    old_false = np.zeros(0)
    with av.open(str(clip)) as file:
        stream = file.streams.video[0]
        size, rate = (stream.width, stream.height), float(_rate(stream))
    count = -1
    for count, (old, new) in enumerate(
        zip(decoded(clip), decoded(output, size), strict=False)
    ):
        cover = covered_pixels(old, new)
        if before is not None and (cover | before).any():
            score.change += (cover ^ before).sum() / (cover | before).sum()
            score.pairs += 1
        before = cover
        if count in labels:
            old_false = _add_frame(score, cover, labels[count], runs, old_false)
    if count < max(labels):
        raise ValueError(f'{output} ends after {count + 1} frames')
    score.minutes = (count + 1) / rate / 60
    return score


def _add_frame(
    score: Score,
    cover: np.ndarray,
    labels: Sequence[Label],
    runs: dict[str, int],
    old_false: np.ndarray,
) -> np.ndarray:
    """Count a labelled frame; return its covers that meet nothing."""
    boxes = {kind: np.zeros(cover.shape, bool) for kind in ('face', 'head', 'unclear')}
    for label in labels:
        x1, y1, x2, y2 = label.box.round().astype(int).clip(0).tolist()
        boxes[label.kind][y1:y2, x1:x2] = True
        if label.kind != 'face':
            continue
        share = cover[_in_ellipse(label.box, cover.shape)].mean()
        where = int(np.searchsorted(SIZES, label.side, side='right'))
        score.faces[where] += 1
        score.open[where] += share < OPEN
        score.partly[where] += OPEN <= share < PARTLY
        runs[label.person] = runs[label.person] + 1 if share < OPEN else 0
        if label.side >= SIZES[1]:
            score.open_in_a_row = max(score.open_in_a_row, runs[label.person])
    score.pixels += cover.size
    score.covered += cover.sum()
    score.face_area += boxes['face'].sum()
    excess = cover & ~boxes['face'] & ~boxes['unclear']
    # A cover of a face lies on its head too: only that of another head is told apart.
    regions, number = ndimage.label(cover)
    any_label = boxes['face'] | boxes['head'] | boxes['unclear']
    false = np.zeros(cover.shape, bool)
    for region in range(1, number + 1):
        here = regions == region
        if not (here & any_label).any():
            false |= here
            score.false_covers += not (old_false.size and (here & old_false).any())
        elif not (here & boxes['face']).any():
            score.on_heads += (here & excess & boxes['head']).sum()
    score.excess += excess.sum()
    return false


def _in_ellipse(box: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The pixels of the ellipse in a box; at least one, within the picture."""
    middle, half = (box[:2] + box[2:]) / 2, np.maximum((box[2:] - box[:2]) / 2, 0.5)
    y, x = np.ogrid[: shape[0], : shape[1]]
    inside = ((x + 0.5 - middle[0]) / half[0]) ** 2 + (
        (y + 0.5 - middle[1]) / half[1]
    ) ** 2 <= 1
    if not inside.any():
        place = middle.astype(int).clip(0, [shape[1] - 1, shape[0] - 1])
        inside[place[1], place[0]] = True
    return inside


def _ratio(part: float, whole: float) -> float | None:
    return round(float(part / whole), 4) if whole else None


def run(command: Sequence[str], out: Path) -> float:
    """Run a command that writes a file; return its seconds.

    Raises:
        RuntimeError: When it fails, or writes nothing.
    """
    begin = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    seconds = time.perf_counter() - begin
    if done.returncode or not out.is_file():
        raise RuntimeError(f'{shlex.join(command)} failed:\n{done.stderr[-2000:]}')
    return seconds


def rows(args: argparse.Namespace) -> dict[str, str]:
    """The commands, with {clip} and {out}, by the names of their rows."""
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
        print('no clip of the labels was found', file=sys.stderr)
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
        f'covered {figures["covered"]}; '
        f'false covers/min {figures["false_covers_a_minute"]}; '
        f'change {figures["change"]}; {figures["seconds"]} s'
    )


if __name__ == '__main__':
    sys.exit(main())
