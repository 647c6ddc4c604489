"""Join faces to tracks, frame by frame.

The tracker follows ByteTrack (Zhang et al., "Multi-Object Tracking by Associating Every
Detection Box", ECCV 2022): tracks are first matched with the faces of high scores, then
the remaining tracks with the faces of low scores. The overlap is that of enlarged
boxes, since a small face may move by its own width (as in C-BIoU, Yang et al., WACV
2023).

We tried packages that do this and removed them again. `trackers` 2.6 (Apache-2.0) takes
0.6 s and 80 MB to import, as long as anonymizing 50 frames; norfair 2.3 needs NumPy
below 2; boxmot 25 is AGPL and installs PyTorch and a second OpenCV; motpy depends on
filterpy of 2018; mmdet's ByteTracker drops a new face that is lost in its second frame.
:func:`mmanon.tracking.offline_tracks.link_faces` joins the faces of a whole video by
overlap alone. Here frames come one by one, and the difficult ones matter most: those in
which a face moves fast or is hardly visible.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmanon.structures.boxes import box_ious
from mmanon.utils.deprecation import renamed_arguments

__all__ = ['FaceLinker']

_BUFFER = 0.5  # a box is enlarged on each side by this fraction of its sides
_OVERLAP = 0.1  # minimum IoU of two enlarged boxes of one face
_INERTIA = 0.5  # weight of a face's old speed in its new one
# A face of a low score must lie where the track is expected, and have about its size:
# minimum IoU of the boxes without enlargement, and maximum ratio of their sides.
_FIT, _SCALE = 0.25, 1.6


@dataclass
class _Path:
    """The last position of a face, and its speed in pixels per frame."""

    number: int
    frame: int
    box: np.ndarray
    speed: np.ndarray

    def places(self, frame: int) -> list[np.ndarray]:
        """Two possible boxes: the last one, and the last one moved on by the speed."""
        return [self.box, self.box + self.speed * (frame - self.frame)]

    def expected(self, frame: int) -> np.ndarray:
        """The last box, moved on by the speed for at most five frames."""
        return self.box + self.speed * min(frame - self.frame, 5)

    def found(self, frame: int, box: np.ndarray) -> None:
        speed = (box - self.box) / (frame - self.frame)
        self.speed = _INERTIA * self.speed + (1 - _INERTIA) * speed
        self.frame, self.box = frame, box


class FaceLinker:
    """Joins the faces of successive frames to numbered tracks.

    Args:
        lost_track_buffer (int): Number of frames for which a lost face is remembered.
        track_activation_threshold (float): Faces with at least this score are matched
            first, and a face without a match begins a track.
        begin (float, optional): Minimum score with which a face without a match begins
            a track. Defaults to ``track_activation_threshold``.
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
        """Forget all faces; their numbers are not used again."""
        self._paths = []

    def update(self, boxes: np.ndarray, scores: np.ndarray) -> list[int]:
        """Number the faces of the next frame.

        Args:
            boxes (np.ndarray): x1, y1, x2, y2 in pixels, (k, 4) float64.
            scores (np.ndarray): The detector's scores, (k,).

        Returns:
            list[int]: The number of each face's track; -1 if it has none.
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
        """The remembered faces that were not found in the last frame.

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
        """Report the position of a lost face in the last frame.

        Args:
            number (int): The number of its track.
            box (np.ndarray): x1, y1, x2, y2 in pixels, (4,).
        """
        for path in self._paths:
            if path.number == number:
                path.found(self._frame, box)


def _pairs(
    paths: list[_Path], boxes: np.ndarray, places: list[int], frame: int
) -> list[tuple[_Path, int]]:
    """Match tracks and faces, in the order of their overlap."""
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
    """The matches of :func:`_pairs` that fit the track's position and size."""
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
