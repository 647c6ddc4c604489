"""Measures how much of labelled faces a cover hides, and what else it covers."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from scipy import ndimage

__all__ = ['Label', 'Score', 'covered_pixels', 'measure', 'rate_of', 'read_labels']

SIZES = (12, 24, 48)
"""Limits in pixels between the size classes of faces, by the longer side."""
OPEN, PARTLY = 0.5, 0.9
"""Covered shares below which a face is open, and below which it is partly open."""
_CHANGED = 30  # of 255, in any channel: more than encoding changes
_RATE = 25


@dataclass(frozen=True)
class Label:
    """A labelled object in a frame.

    Attributes:
        frame (int): Number of the frame, from 0.
        person (str): Name of the person, the same in the whole clip.
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
    """The sums from which the figures of a row are computed; scores can be added.

    Attributes:
        faces, open, partly (np.ndarray): Numbers of all faces, open faces and partly
            open faces in each size class, (4,).
        open_in_a_row (int): Largest number of consecutive labelled frames in which one
            face is open, for faces of 24 pixels or more.
        heads, heads_covered (int): Number of heads that show no face, and of those of
            which at least half is covered.
        face_area, excess, on_heads, covered, pixels (float): Areas in pixels: of face
            labels, of covers outside face labels, of the part of these on other heads,
            of all covers, and of all labelled frames.
        false_covers (int): Number of covers that overlap no label.
        minutes (float): Duration of the clips.
        change, pairs (float): Sum of the relative changes of the cover from frame to
            frame, and the number of summands.
        seconds (float): Run time of the command.
    """

    faces: np.ndarray = field(default_factory=lambda: np.zeros(4, int))
    open: np.ndarray = field(default_factory=lambda: np.zeros(4, int))
    partly: np.ndarray = field(default_factory=lambda: np.zeros(4, int))
    open_in_a_row: int = 0
    heads: int = 0
    heads_covered: int = 0
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
        """Return the figures to print and to write."""
        names = ['<12', '12-24', '24-48', '48+']
        return dict(
            faces=dict(zip(names, self.faces.tolist(), strict=True)),
            open=dict(zip(names, self.open.tolist(), strict=True)),
            partly_open=dict(zip(names, self.partly.tolist(), strict=True)),
            open_in_a_row_24=self.open_in_a_row,
            heads_without_a_face=self.heads,
            heads_covered=self.heads_covered,
            excess=_ratio(self.excess, self.face_area),
            excess_on_heads=_ratio(self.on_heads, self.face_area),
            covered=_ratio(self.covered, self.pixels),
            false_covers_a_minute=_ratio(self.false_covers, self.minutes),
            change=_ratio(self.change, self.pairs),
            seconds=round(self.seconds, 2),
        )


def read_labels(path: Path) -> dict[str, dict[int, list[Label]]]:
    """Read labels by clip and frame; a frame without objects has an empty list.

    Args:
        path (Path): A file as in ``tools/covering/README.md``.

    Raises:
        ValueError: If a row is invalid; the message names the line.
    """
    clips: dict[str, dict[int, list[Label]]] = defaultdict(dict)
    with path.open(newline='') as file:
        for number, row in enumerate(csv.DictReader(file), 2):
            try:
                here = clips[row['clip']].setdefault(int(row['frame']), [])
                if row['kind'] == 'none':
                    continue
                if row['kind'] not in ('face', 'head', 'unclear'):
                    raise ValueError(
                        f'kind is {row["kind"]!r}, not face, head, unclear or none'
                    )
                box = np.array([float(row[side]) for side in ('x1', 'y1', 'x2', 'y2')])
                here.append(Label(int(row['frame']), row['person'], row['kind'], box))
            except (KeyError, ValueError) as error:
                raise ValueError(f'{path}, line {number}: {error}') from error
    return dict(clips)


def rate_of(stream: av.VideoStream) -> Fraction:
    """Return the frames per second of a stream, 25 if unknown."""
    return Fraction(stream.average_rate or _RATE).limit_denominator(1001)


def decoded(path: Path, size: tuple[int, int] | None = None) -> Iterator[np.ndarray]:
    """Yield the frames of a video, uint8 (H, W, 3), resized to (W, H) if given."""
    with av.open(str(path)) as file:
        for frame in file.decode(video=0):
            if size is not None and (frame.width, frame.height) != size:
                frame = frame.reformat(*size)
            yield frame.to_ndarray(format='rgb24')


def covered_pixels(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Find the covered pixels, bool (H, W).

    Args:
        before, after (np.ndarray): uint8 (H, W, 3).
    """
    changed = np.abs(before.astype(np.int16) - after).max(2) > _CHANGED
    # Encoding changes single pixels, and a mask may have the colour of a pixel.
    changed = ndimage.binary_opening(changed, np.ones((3, 3)))
    changed = ndimage.binary_closing(np.pad(changed, 4), np.ones((5, 5)), iterations=1)[
        4:-4, 4:-4
    ]
    return ndimage.binary_fill_holes(changed)


def measure(clip: Path, output: Path, labels: dict[int, list[Label]]) -> Score:
    """Compare a clip with its output.

    Raises:
        ValueError: If the output ends before the last labelled frame.
    """
    score, before = Score(), None
    runs: dict[str, int] = defaultdict(int)
    old_false = np.zeros(0)
    with av.open(str(clip)) as file:
        stream = file.streams.video[0]
        size, rate = (stream.width, stream.height), float(rate_of(stream))
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
    """Add a labelled frame to a score; return its covers that overlap no label."""
    boxes = {kind: np.zeros(cover.shape, bool) for kind in ('face', 'head', 'unclear')}
    faces = [label.box for label in labels if label.kind == 'face']
    for label in labels:
        x1, y1, x2, y2 = label.box.round().astype(int).clip(0).tolist()
        boxes[label.kind][y1:y2, x1:x2] = True
        if label.kind == 'head' and not any(_holds(label.box, face) for face in faces):
            score.heads += 1
            share = cover[_in_ellipse(label.box, cover.shape)].mean()
            score.heads_covered += int(share >= OPEN)
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
    # The cover of a face also covers its head: count only covers without a face.
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


def _holds(head: np.ndarray, face: np.ndarray) -> bool:
    middle = (face[:2] + face[2:]) / 2
    return bool((middle > head[:2]).all() and (middle < head[2:]).all())


def _in_ellipse(box: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the pixels of the ellipse in a box, at least one pixel of the image."""
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
