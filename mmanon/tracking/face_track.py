"""One face over time: where it was found, where it must have been, and for how long."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from mmanon.structures.boxes import enclosing_box

from .patch_follower import Patch

__all__ = ['FaceTrack', 'Place', 'Sighting']

_MOST_EVIDENCE = 6.0
# Frames before and after over which a box is steadied, and how far from where it is, in
# parts of its side. Over four the change from frame to frame of what is drawn is 0.7 to
# 0.9 times that over two; over more, a head that nods is no longer in the middle.
_CALM, _NEAR = 4, 0.1


class Sighting(NamedTuple):
    """A face in one frame.

    Attributes:
        frame (int): The frame's number.
        box (np.ndarray): x1, y1, x2, y2 in pixels.
        score (float): The detector's confidence; 0 where it did not see the face.
        similarity (float): To the people searched for; NaN if unknown.
        tilt (float): Radians by which the head leans, clockwise.
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
        box (np.ndarray): x1, y1, x2, y2 in pixels, around where it is, was a frame
            before and will be a frame later.
        seen (bool): Whether a detector saw it in this frame.
        score (float): The detector's confidence; 0 where it saw nothing.
        tilt (float): Radians by which the head leans, clockwise.
        away (int): Frames to the nearest one in which it was found.
        steady (np.ndarray): Where it is, without what trembles: the mean box of this
            frame and four before and after, as far as that is near where it is.
    """

    box: np.ndarray
    seen: bool
    score: float
    tilt: float
    away: int
    steady: np.ndarray


@dataclass
class FaceTrack:
    """One face.

    Attributes:
        number (int): Its own.
        scene (int): The number of the scene it is in.
        sightings (deque[Sighting]): By frame, those still needed.
        confirmed (bool): Whether it is taken for a face.
        evidence (float): That it is a face: logarithm of how many times likelier what
            was seen is of a face, at most 6.
        last_seen (int): The last frame in which a detector saw it.
        patch (Patch, optional): What it looked like then.
    """

    number: int
    scene: int
    sightings: deque[Sighting] = field(default_factory=deque)
    confirmed: bool = False
    evidence: float = 0.0
    last_seen: int = -1
    patch: Patch | None = None

    def add(self, sighting: Sighting) -> None:
        """Add a frame in which it was found, later than all before."""
        self.sightings.append(sighting)
        if sighting.seen:
            self.last_seen = sighting.frame

    def weigh(self, evidence: float) -> None:
        """Count evidence for a face (above 0), or against one."""
        self.evidence = min(self.evidence + evidence, _MOST_EVIDENCE)

    def forget_before(self, frame: int) -> None:
        """Drop what was found before a frame."""
        while self.sightings and self.sightings[0].frame < frame:
            self.sightings.popleft()

    def place(self, frame: int, hold: int) -> Place | None:
        """Where it is in a frame.

        On a straight line between two frames in which it was found, and beyond them
        where it last was.

        Args:
            frame (int): The frame's number.
            hold (int): Frames it stays where it was before and after it is found.

        Returns:
            Place or None: None where it is not yet there, or no longer.
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
        # Steady, but never less than where the face is, was and will be.
        box = enclosing_box(np.concatenate([path[1:4], path.mean(0)[None]]))
        found = self.sightings[nearest]
        seen = away[nearest] == 0 and found.seen
        # Angles have no mean, directions do.
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
    """Boxes on straight lines between those of frames, (len(at), 4)."""
    return np.stack([np.interp(at, frames, boxes[:, side]) for side in range(4)], 1)
