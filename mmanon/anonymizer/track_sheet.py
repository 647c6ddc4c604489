"""A contact sheet of the tracks of a video that the user should check."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mmanon.tracking.face_track import FaceTrack
from mmanon.utils.atomic_write import written_whole

__all__ = ['Chosen', 'TrackSheet']

_TILE, _COLUMNS, _CAPTION = 160, 6, 46
_EACH = 6  # tracks of each kind
_KINDS = ('least sure', 'largest', 'longest', 'newest', 'not covered')
_DROPPED, _KEPT = 'dropped by you', 'kept by you'


@dataclass(frozen=True)
class Chosen:
    """The user's decisions about tracks, by their numbers.

    The numbers come from a run with the same settings and have no other meaning.

    Attributes:
        drop (frozenset[int]): Tracks that are never covered.
        keep (frozenset[int]): Tracks that are covered, whatever their scores.

    Raises:
        ValueError: When a track is in both.
    """

    drop: frozenset[int] = frozenset()
    keep: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        if self.drop & self.keep:
            numbers = ', '.join(map(str, sorted(self.drop & self.keep)))
            raise ValueError(f'track {numbers} is to be dropped and kept: choose one')


@dataclass
class _Shown:
    """The data of a track."""

    number: int
    first: int
    last: int = 0
    score: float = 0.0
    evidence: float = -np.inf
    part: float = 0.0  # the largest part of the picture, in [0, 1]
    masked: bool = False
    picture: np.ndarray | None = None


class TrackSheet:
    """Keeps a picture of each track while a video is planned.

    The sheet shows original faces: it is for people who check the output, and not for
    its recipients.

    Attributes:
        decided (Chosen): The user's decisions; these tracks are shown separately.
    """

    def __init__(self) -> None:
        self._tracks: dict[int, _Shown] = {}
        self.decided = Chosen()

    def saw(
        self,
        track: FaceTrack,
        frame: int,
        box: np.ndarray,
        score: float,
        luma: np.ndarray,
    ) -> None:
        """Record that a detector saw a track's face.

        Args:
            track (FaceTrack): The track.
            frame (int): The frame's number.
            box (np.ndarray): x1, y1, x2, y2 in pixels.
            score (float): The detector's confidence.
            luma (np.ndarray): The picture's brightness, uint8 (H, W).
        """
        shown = self._tracks.setdefault(track.number, _Shown(track.number, frame))
        shown.last = frame
        shown.evidence = max(shown.evidence, track.evidence)
        shown.masked |= track.confirmed
        shown.part = max(shown.part, float((box[2:] - box[:2]).prod() / luma.size))
        if score > shown.score:
            shown.score, shown.picture = score, _around(luma, box)

    def chosen(self) -> dict[str, list[int]]:
        """The tracks on the sheet by the reason; each track is shown once.

        Returns:
            dict[str, list[int]]: Numbers of tracks: at most six for each reason, and
            all that the user has dropped or kept.
        """
        decided = {_DROPPED: self.decided.drop, _KEPT: self.decided.keep}
        found = {
            kind: sorted(one & self._tracks.keys()) for kind, one in decided.items()
        }
        left = {
            number: shown
            for number, shown in self._tracks.items()
            if number not in self.decided.drop | self.decided.keep
        }
        masked = [shown for shown in left.values() if shown.masked]
        others = [shown for shown in left.values() if not shown.masked]
        orders = (
            sorted(masked, key=lambda shown: shown.score),
            sorted(masked, key=lambda shown: -shown.part),
            sorted(masked, key=lambda shown: shown.first - shown.last),
            sorted(masked, key=lambda shown: -shown.first),
            sorted(others, key=lambda shown: -shown.score),
        )
        for kind, order in zip(_KINDS, orders, strict=True):
            here = [shown.number for shown in order if shown.number in left][:_EACH]
            found[kind] = here
            for number in here:
                del left[number]
        return found

    def write(self, path: Path, rate: float) -> None:
        """Draw the sheet.

        Args:
            path (Path): The PNG file; its folder is created.
            rate (float): Frames per second; 0 if unknown.

        Raises:
            OSError: When it cannot be written.
        """
        rows = [
            (kind, numbers[first : first + _COLUMNS])
            for kind, numbers in self.chosen().items()
            for first in range(0, len(numbers), _COLUMNS)
        ]
        height = max(len(rows), 1) * (_TILE + _CAPTION)
        sheet = Image.new('L', (_COLUMNS * _TILE, height), 255)
        draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
        for row, (kind, numbers) in enumerate(rows):
            for column, number in enumerate(numbers):
                shown = self._tracks[number]
                x, y = column * _TILE, row * (_TILE + _CAPTION)
                if shown.picture is not None:
                    sheet.paste(_fitted(shown.picture), (x, y))
                if kind == _DROPPED:
                    end = _TILE - 6
                    draw.line((x, y, x + end, y + end), 255, 5)
                    draw.line((x, y + end, x + end, y), 0, 5)
                draw.multiline_text(
                    (x + 3, y + _TILE + 1), _caption(kind, shown, rate), 0, font
                )
        if not rows:
            draw.text((8, 8), 'no track was found', 0, font)
        with written_whole(path) as beside:
            sheet.save(beside, 'PNG')


def _caption(kind: str, shown: _Shown, rate: float) -> str:
    when = f'frames {shown.first}-{shown.last}'
    if rate:
        when += f', {shown.first / rate:.1f}-{shown.last / rate:.1f} s'
    size = f'{shown.part:.1%} of the picture'
    return f'track {shown.number}: {kind}\nscore {shown.score:.2f}, {size}\n{when}'


def _around(luma: np.ndarray, box: np.ndarray) -> np.ndarray:
    """A copy of a face and its surroundings."""
    middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]).max()
    x1, y1 = np.maximum(middle - half, 0).astype(int)
    x2, y2 = np.ceil(middle + half).astype(int)
    part = luma[y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)]
    skip = max(1, max(part.shape) // (2 * _TILE))
    return part[::skip, ::skip].copy()


def _fitted(picture: np.ndarray) -> Image.Image:
    image = Image.fromarray(picture)
    scale = (_TILE - 4) / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.BILINEAR)
