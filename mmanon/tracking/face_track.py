"""One face over time: where it was found, and where it is in the frames between."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from mmanon.structures.boxes import enclosing_box

from .patch_follower import Patch

__all__ = ['FaceTrack', 'Place', 'Sighting']

_MOST_EVIDENCE = 6.0
# `Place.steady` is the mean box over this many frames before and after, at most so far
# from the face's own box, as a fraction of its longer side. With four frames, the drawn
# face changes 0.7 to 0.9 times as much from frame to frame as with two; with more, a
# nodding head is no longer in the middle of its box.
_CALM, _NEAR = 4, 0.1


class Sighting(NamedTuple):
    """A face in one frame.

    Attributes:
        frame (int): The frame's number.
        box (np.ndarray): x1, y1, x2, y2 in pixels.
        score (float): The detector's confidence; 0 if it did not see the face.
        similarity (float): Cosine similarity to the known people; NaN if unknown.
        tilt (float): Angle of the head in radians, clockwise.
        seen (bool): Whether a detector saw it; otherwise it was followed by its
            appearance.
    """

    frame: int
    box: np.ndarray
    score: float
    similarity: float
    tilt: float
    seen: bool = True


class Place(NamedTuple):
    """Where a face is in a frame.

    Attributes:
        box (np.ndarray): x1, y1, x2, y2 in pixels. It encloses the face's boxes in this
            frame, the one before and the one after.
        seen (bool): Whether a detector saw it in this frame.
        score (float): The detector's confidence; 0 if it did not see the face.
        tilt (float): Angle of the head in radians, clockwise.
        away (int): Frames to the nearest one in which it was found.
        steady (np.ndarray): The box without jitter: the mean over this frame and four
            before and after, but at most a tenth of the longer side away from the
            face's own box.
    """

    box: np.ndarray
    seen: bool
    score: float
    tilt: float
    away: int
    steady: np.ndarray


@dataclass
class FaceTrack:
    """The track of one face.

    Attributes:
        number (int): The number of the track.
        scene (int): The number of its scene.
        sightings (deque[Sighting]): Its sightings that are still needed, by frame.
        confirmed (bool): Whether it counts as a face.
        evidence (float): The log-likelihood ratio of a face against no face, at most 6.
        last_seen (int): The last frame in which a detector saw it.
        patch (Patch, optional): Its appearance in that frame.
    """

    number: int
    scene: int
    sightings: deque[Sighting] = field(default_factory=deque)
    confirmed: bool = False
    evidence: float = 0.0
    last_seen: int = -1
    patch: Patch | None = None

    def add(self, sighting: Sighting) -> None:
        """Add a sighting in a frame after all earlier ones."""
        self.sightings.append(sighting)
        if sighting.seen:
            self.last_seen = sighting.frame

    def weigh(self, evidence: float) -> None:
        """Add evidence for a face (above 0) or against one (below 0)."""
        self.evidence = min(self.evidence + evidence, _MOST_EVIDENCE)

    def forget_before(self, frame: int) -> None:
        """Drop the sightings before a frame."""
        while self.sightings and self.sightings[0].frame < frame:
            self.sightings.popleft()

    def place(self, frame: int, hold: int) -> Place | None:
        """Where the face is in a frame.

        Between two sightings, its box is interpolated linearly. Before the first and
        after the last sighting, it keeps that sighting's box.

        Args:
            frame (int): The frame's number.
            hold (int): Number of frames before the first and after the last sighting in
                which it still counts as present.

        Returns:
            Place or None: None if it is not yet present, or no longer.
        """
        frames = np.array([sighting.frame for sighting in self.sightings])
        away = np.abs(frames - frame)
        nearest = int(away.argmin())
        between = frames[0] < frame < frames[-1]
        if away[nearest] > hold and not between:
            return None
        boxes = np.stack([sighting.box for sighting in self.sightings])
        around = np.clip(np.arange(frame - 2, frame + 3), frames[0], frames[-1])
        path = _along(around, frames, boxes)
        # The mean makes it steady; the boxes make sure that it covers the face.
        box = enclosing_box(np.concatenate([path[1:4], path.mean(0)[None]]))
        found = self.sightings[nearest]
        seen = away[nearest] == 0 and found.seen
        # The mean of angles fails at 180 degrees; the mean of directions does not.
        leans = np.array([sighting.tilt for sighting in self.sightings])
        down, across = (
            np.interp(around, frames, part).mean()
            for part in (np.sin(leans), np.cos(leans))
        )
        return Place(
            box,
            bool(seen),
            found.score if seen else 0.0,
            float(np.arctan2(down, across)),
            int(away[nearest]),
            self._steady(frame, frames, boxes),
        )

    @staticmethod
    def _steady(frame: int, frames: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        around = np.arange(frame - _CALM, frame + _CALM + 1)
        path = _along(around.clip(frames[0], frames[-1]), frames, boxes)
        here, most = path[_CALM], _NEAR * (path[_CALM, 2:] - path[_CALM, :2]).max()
        return here + (path.mean(0) - here).clip(-most, most)


def _along(at: np.ndarray, frames: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Boxes at frames ``at``, interpolated linearly, (len(at), 4)."""
    return np.stack([np.interp(at, frames, boxes[:, side]) for side in range(4)], 1)
