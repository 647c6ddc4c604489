"""A report of the faces and masks in a file, to check the output."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from mmanon.face_detectors.kinds import FACES
from mmanon.utils.atomic_write import write_whole

from .mask_planner import FramePlan

__all__ = ['FileReport', 'frame_ranges', 'report_path']

_LOWEST = 20
_LONGEST = 255  # bytes of a file's name


@dataclass
class _Track:
    first: int
    last: int
    seen: int = 0
    filled: list[int] = field(default_factory=list)
    lowest_score: float | None = None

    def add(self, frame: int, seen: bool, score: float) -> None:
        self.last = frame
        if not seen:
            self.filled.append(frame)
            return
        self.seen += 1
        if self.lowest_score is None or score < self.lowest_score:
            self.lowest_score = score


class FileReport:
    """Counts the masks frame by frame.

    It stores a few numbers for each frame.

    Attributes:
        faces_per_frame (list[int]): Number of covered faces in each frame so far.
    """

    def __init__(self) -> None:
        self.faces_per_frame: list[int] = []
        self._tracks: dict[tuple[str, int], _Track] = {}
        self._others: dict[str, int] = {}
        self._whole: list[int] = []
        self._spared: list[int] = []
        self._single = 0
        self._lowest: list[tuple[float, int]] = []

    def add(self, plan: FramePlan) -> None:
        """Add the next frame."""
        frame = len(self.faces_per_frame)
        self.faces_per_frame.append(len(plan.faces()))
        if plan.whole:
            self._whole.append(frame)
        if plan.spared:
            self._spared.append(frame)
        for mask in plan.masks:
            face = mask.kind == FACES
            if not face:
                self._others[mask.kind] = self._others.get(mask.kind, 0) + 1
            if mask.track >= 0:
                number = mask.kind, mask.track
                track = self._tracks.setdefault(number, _Track(frame, frame))
                track.add(frame, mask.seen, mask.score)
            elif face:
                self._single += 1
            if mask.seen and face:
                self._lowest.append((round(mask.score, 3), frame))
        self._lowest = sorted(self._lowest)[:_LOWEST]

    def least_sure(self) -> list[tuple[int, float]]:
        """The faces with the lowest scores.

        Returns:
            list[tuple[int, float]]: Frame and score, the lowest first; at most 20.
        """
        return [(frame, score) for score, frame in self._lowest]

    def as_dict(self) -> dict:
        """The report in types for JSON; frames are numbered from 0.

        Returns:
            dict: ``frames``; ``faces`` and ``faces_per_frame``; ``other_kinds``, the
            number of boxes of each kind; ``tracks``, each with its kind, its first and
            last covered frame, the number of frames in which the detector saw the face,
            the ranges of frames in which it did not and the mask was filled in, and the
            lowest score; ``faces_without_track``; ``lowest_confidences`` with their
            frames; ``frames_filled``, the ranges in which any face was filled in;
            ``frames_covered_whole`` and ``frames_with_spared_faces``.
        """
        tracks = [
            {
                'kind': kind,
                'track': number,
                'first': track.first,
                'last': track.last,
                'seen': track.seen,
                'filled': frame_ranges(track.filled),
                'lowest_confidence': _rounded(track.lowest_score),
            }
            for (kind, number), track in sorted(self._tracks.items())
        ]
        filled = {
            frame
            for (kind, _), track in self._tracks.items()
            for frame in track.filled
            if kind == FACES
        }
        return {
            'frames': len(self.faces_per_frame),
            'faces': sum(self.faces_per_frame),
            'faces_per_frame': self.faces_per_frame,
            'other_kinds': self._others,
            'tracks': tracks,
            'faces_without_track': self._single,
            'lowest_confidences': [
                {'frame': frame, 'confidence': score}
                for frame, score in self.least_sure()
            ],
            'frames_filled': frame_ranges(filled),
            'frames_covered_whole': frame_ranges(self._whole),
            'frames_with_spared_faces': frame_ranges(self._spared),
        }

    def write(self, path: Path, **more: object) -> None:
        """Write the report as JSON.

        Args:
            path (Path): The file; its folder is created.
            **more: More keys, which come first.

        Raises:
            OSError: When it cannot be written.
        """
        words = json.dumps({**more, **self.as_dict()}, ensure_ascii=False, indent=1)
        # File names may contain bytes that are no text; JSON has an escape for them.
        write_whole(path, (words + '\n').encode('utf-8', 'backslashreplace'))


def report_path(folder: Path, name: str) -> Path:
    """The path of the report of a source.

    Args:
        folder (Path): The folder of all reports.
        name (str): The path of the source relative to the input folder.

    Returns:
        Path: ``<name>.json``; a name that is too long is shortened, and digits make it
        unique.
    """
    path = folder / f'{name}.json'
    packed = os.fsencode(path.name)
    if len(packed) <= _LONGEST:
        return path
    digits = hashlib.sha1(packed).hexdigest()[:8]
    return path.with_name(f'{os.fsdecode(packed[:200])}.{digits}.json')


def frame_ranges(frames: Iterable[int]) -> list[list[int]]:
    """Join consecutive frame numbers to ranges.

    Args:
        frames (Iterable[int]): In any order; repetitions are allowed.

    Returns:
        list[list[int]]: First and last frame of each range, ascending.

    Example:
        >>> frame_ranges([3, 1, 2, 7])
        [[1, 3], [7, 7]]
    """
    ranges: list[list[int]] = []
    for frame in sorted(set(frames)):
        if ranges and frame == ranges[-1][1] + 1:
            ranges[-1][1] = frame
        else:
            ranges.append([frame, frame])
    return ranges


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, 3)
