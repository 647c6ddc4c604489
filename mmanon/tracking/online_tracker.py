"""Follows faces from frame to frame.

As ByteTrack (Zhang et al., "Multi-Object Tracking by Associating Every Detection Box",
ECCV 2022) does: where a face is expected, faces that are sure are looked for first, and
those that are not among what is left. Faces are joined by the overlap of boxes that are
enlarged, since a small face may move by its own width (as in C-BIoU, Yang et al., WACV
2023).

We tried packages that do this and removed them again. `trackers` 2.6 (Apache-2.0) takes
0.6 s and 80 MB to import, as long as anonymizing 50 frames; norfair 2.3 wants NumPy
below 2; boxmot 25 is AGPL and brings PyTorch and a second OpenCV; motpy depends on
filterpy of 2018; mmdet's ByteTracker drops a new face that is lost in its second frame.
:func:`mmanon.tracking.offline_tracks.link_faces` joins the faces of a whole list by
overlap alone; here frames come one by one, and the ones that matter most are those in
which a face moves fast or is hardly seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmanon.structures.boxes import box_ious
from mmanon.utils.deprecation import renamed_arguments

__all__ = ['FaceLinker']

_BUFFER = 0.5  # of its sides by which a box is enlarged on each side
_OVERLAP = 0.1  # least IoU of two such boxes of one face
_INERTIA = 0.5  # part of a face's old speed in its new one
# What is unsure must lie where the face is expected, and be about as large: least IoU
# of the boxes themselves, and most times by which one's side is longer.
_FIT, _SCALE = 0.25, 1.6


@dataclass
class _Path:
    """A face so far: where it was last seen, and how it moved, in pixels a frame."""

    number: int
    frame: int
    box: np.ndarray
    speed: np.ndarray

    def places(self, frame: int) -> list[np.ndarray]:
        """Where it may be: where it was, or as far on as it has moved before."""
        return [self.box, self.box + self.speed * (frame - self.frame)]

    def expected(self, frame: int) -> np.ndarray:
        """As far on as it has moved before, for a few frames."""
        return self.box + self.speed * min(frame - self.frame, 5)

    def found(self, frame: int, box: np.ndarray) -> None:
        speed = (box - self.box) / (frame - self.frame)
        self.speed = _INERTIA * self.speed + (1 - _INERTIA) * speed
        self.frame, self.box = frame, box


class FaceLinker:
    """Numbers the faces of frames that come one by one.

    Args:
        lost_track_buffer (int): Frames for which a lost face is remembered.
        track_activation_threshold (float): Score from which a face is sure: it is
            matched first, and begins a track where none was expected.
        begin (float, optional): Score from which a less sure face begins a track as
            well. By default no such face does.
    """

    @renamed_arguments(patience='lost_track_buffer', sure='track_activation_threshold')
    def __init__(
        self,
        lost_track_buffer: int,
        track_activation_threshold: float,
        begin: float | None = None,
    ) -> None:
        self.lost_track_buffer = lost_track_buffer
        self.track_activation_threshold = track_activation_threshold
        self.begin = track_activation_threshold if begin is None else begin
        self._count = self._frame = 0
        self._paths: list[_Path] = []

    def reset(self) -> None:
        """Forget all faces; numbers are not given again."""
        self._paths = []

    def update(self, boxes: np.ndarray, scores: np.ndarray) -> list[int]:
        """Number the faces of the next frame.

        Args:
            boxes (np.ndarray): x1, y1, x2, y2 in pixels, (k, 4) float64.
            scores (np.ndarray): (k,).

        Returns:
            list[int]: The number of each face's track; -1 where it has none.
        """
        self._frame += 1
        self._paths = [
            path
            for path in self._paths
            if self._frame - path.frame <= self.lost_track_buffer
        ]
        sure = scores >= self.track_activation_threshold
        numbers = [-1] * len(boxes)
        free = list(self._paths)
        for chosen, pairs in ((sure, _pairs), (~sure, _fitting_pairs)):
            places = np.flatnonzero(chosen).tolist()
            for path, place in pairs(free, boxes, places, self._frame):
                path.found(self._frame, boxes[place])
                numbers[place] = path.number
                free.remove(path)
        for place in np.flatnonzero(scores >= self.begin).tolist():
            if numbers[place] < 0:
                path = _Path(self._count, self._frame, boxes[place], np.zeros(4))
                self._paths.append(path)
                numbers[place] = path.number
                self._count += 1
        return numbers

    def lost(self) -> list[tuple[int, np.ndarray]]:
        """Faces that are remembered and were not among the last frame's.

        Returns:
            list[tuple[int, np.ndarray]]: The number of each, and the box where it is
            expected in that frame, (4,).
        """
        return [
            (path.number, path.expected(self._frame))
            for path in self._paths
            if path.frame < self._frame
        ]

    def found(self, number: int, box: np.ndarray) -> None:
        """Say where a lost face is after all in the last frame.

        Args:
            number (int): Of its track.
            box (np.ndarray): (4,), in pixels.
        """
        for path in self._paths:
            if path.number == number:
                path.found(self._frame, box)


def _pairs(
    paths: list[_Path], boxes: np.ndarray, places: list[int], frame: int
) -> list[tuple[_Path, int]]:
    """Faces that continue tracks; those that overlap most are joined first."""
    if not paths or not places:
        return []
    expected = _enlarged(np.array([path.places(frame) for path in paths]))
    overlap = box_ious(expected[:, :, None], _enlarged(boxes[places])).max(1)
    found = []
    while overlap.max() > _OVERLAP:
        path, place = np.unravel_index(overlap.argmax(), overlap.shape)
        found.append((paths[path], places[place]))
        overlap[path], overlap[:, place] = 0, 0
    return found


def _fitting_pairs(
    paths: list[_Path], boxes: np.ndarray, places: list[int], frame: int
) -> list[tuple[_Path, int]]:
    """Those of :func:`_pairs` that fit a face's place and size."""
    found = []
    for path, place in _pairs(paths, boxes, places, frame):
        old, new = path.box[2:] - path.box[:2], boxes[place, 2:] - boxes[place, :2]
        alike = (np.maximum(old, new) <= _SCALE * np.minimum(old, new)).all()
        overlap = box_ious(np.array([path.box, path.expected(frame)]), boxes[place])
        if alike and overlap.max() >= _FIT:
            found.append((path, place))
    return found


def _enlarged(boxes: np.ndarray) -> np.ndarray:
    """Boxes (..., 4), enlarged for the comparison."""
    grown = _BUFFER * (boxes[..., 2:] - boxes[..., :2])
    return np.concatenate([boxes[..., :2] - grown, boxes[..., 2:] + grown], -1)
