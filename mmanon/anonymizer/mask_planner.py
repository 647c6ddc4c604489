"""Which boxes of each frame to cover, so that no frame of a tracked face is left out.

Coordinates are pixels of the upright picture.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from mmanon.structures.faces import Faces
from mmanon.tracking.online_tracker import FaceLinker
from mmanon.utils.resampling import area_mean

__all__ = ['CoverPlanner', 'Covered', 'Cover', 'SeenFrame', 'thumbnail', 'tilts']

_THUMBNAIL = (32, 24)
_CUT = 0.25
_BLINK = 2  # frames a flash may last without being taken for a cut


@dataclass
class SeenFrame:
    """A frame after the search for faces.

    Attributes:
        picture: Whatever stands for the frame; it is passed on.
        faces (Faces): What was found.
        size (tuple[int, int]): Width and height.
        thumbnail (np.ndarray): See :func:`thumbnail`.
        likeness (np.ndarray, optional): How much each face is like the people looked
            for, (k,); NaN where that cannot be told.
    """

    picture: Any
    faces: Faces
    size: tuple[int, int]
    thumbnail: np.ndarray
    likeness: np.ndarray | None = None


@dataclass(frozen=True)
class Cover:
    """A box to cover.

    Attributes:
        box (np.ndarray): x1, y1, x2, y2 in pixels; it may leave the frame.
        track (int): The number of the face's track; -1 outside all tracks.
        seen (bool): Whether the detector saw the face in this frame.
        score (float): The detector's confidence; 0 where it saw nothing.
        tilt (float): By how many radians the head leans, clockwise; 0 where that is
            not known.
    """

    box: np.ndarray
    track: int
    seen: bool
    score: float
    tilt: float = 0.0


@dataclass
class Covered:
    """A frame and what of it to cover.

    Attributes:
        picture: As it came in.
        whole (bool): Whether all of it must be covered, since nobody has examined it.
        covers (list[Cover]): The faces.
        spared (int): Faces left visible because of who they are.
    """

    picture: Any
    whole: bool
    covers: list[Cover]
    spared: int = 0


def thumbnail(image: np.ndarray) -> np.ndarray:
    """A small grey picture, (24, 32) float32 of mean 0 and length 1.

    The product of two, summed, is 1 for pictures alike but for brightness and contrast.

    Args:
        image (np.ndarray): uint8 (H, W, 3), or grey (H, W).
    """
    width, height = _THUMBNAIL
    # A few pixels of each part do for its mean, and take a tenth of the time.
    step = max(1, min(image.shape[1] // (4 * width), image.shape[0] // (4 * height)))
    grey = np.rint(area_mean(image[::step, ::step], _THUMBNAIL))
    if grey.ndim == 3:
        grey = grey.mean(2)
    grey -= grey.mean()
    return grey / max(float(np.linalg.norm(grey)), 1.0)


def tilts(landmarks: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """By how much heads lean, by the line through the eyes.

    Args:
        landmarks (np.ndarray): (k, 5, 2) in fractions of the picture, as of ``Faces``.
        size (Sequence[int]): Width and height of the picture.

    Returns:
        np.ndarray: Radians, clockwise, (k,); 0 where landmarks are not known.
    """
    across, down = ((landmarks[:, 1] - landmarks[:, 0]) * np.asarray(size)).T
    return np.nan_to_num(np.arctan2(down, across))


class _Sighting(NamedTuple):
    frame: int
    box: np.ndarray
    score: float
    likeness: float
    tilt: float


@dataclass
class _Track:
    """One face over time."""

    number: int
    scene: int
    sightings: deque[_Sighting] = field(default_factory=deque)
    counts: bool = False  # whether it is taken for a face


@dataclass
class _Waiting:
    frame: SeenFrame
    scene: int
    single: list[_Sighting]  # sure faces that no track took


class CoverPlanner:
    """Decides what to cover, some frames behind the search for faces.

    A face is covered in each frame from ``hold`` before it is first seen to ``hold``
    after it is last seen; where its track is lost for at most ``look_ahead`` frames,
    also in between, on a straight line. Scene cuts end tracks.

    Args:
        look_ahead (int): Frames that are known beyond the one decided on. Memory grows
            with it, and not with the length of the video. Defaults to 30.
        hold (int): Frames a face is covered before and after it is seen. Defaults to
            8.
        enlarge (float): By how much of its side a box is enlarged on each side, once
            for a face that is seen and up to three times for one that is not.
            Defaults to 0.1.
        sure (float): Score above which a face needs no track.
        persist (int, optional): A face that is never so sure is covered all the same
            when a track finds it in so many frames that are known at a time. By
            default a track begins only with a face that is sure.
        visible (callable, optional): Of the likenesses of a track's faces around a
            frame to whether it may be seen there. See :class:`KnownPeople`.

    Raises:
        ValueError: When a number is out of its range.
    """

    def __init__(
        self,
        look_ahead: int = 30,
        hold: int = 8,
        enlarge: float = 0.1,
        sure: float = 0.6,
        persist: int | None = None,
        visible: Callable[[np.ndarray, np.ndarray], bool] | None = None,
    ) -> None:
        if look_ahead < 1 or not 0 <= hold <= look_ahead or enlarge < 0:
            raise ValueError(
                f'1 <= look_ahead, 0 <= hold <= look_ahead and 0 <= enlarge must '
                f'hold, got {look_ahead}, {hold} and {enlarge}'
            )
        self.look_ahead, self.hold, self.enlarge = look_ahead, hold, enlarge
        if persist is not None and not 2 <= persist <= look_ahead:
            raise ValueError(
                f'persist must be in [2, look_ahead={look_ahead}], got {persist}'
            )
        self.sure, self.persist, self.visible = sure, persist, visible

    def plan(self, frames: Iterable[SeenFrame]) -> Iterator[Covered]:
        """Decide for each frame of one video.

        Args:
            frames (Iterable[SeenFrame]): In the order they are shown.

        Yields:
            Covered: As many, in the same order.
        """
        # All that was found may be followed, where what stays is taken for a face.
        self._linker = FaceLinker(
            self.look_ahead, self.sure if self.persist is None else 0.0
        )
        self._tracks: dict[int, _Track] = {}
        waiting: deque[_Waiting] = deque()
        first = count = scene = 0
        for frame, cut in _with_cuts(frames):
            if cut:
                scene += 1
                self._linker.reset()
            single = self._link(count, scene, frame)
            waiting.append(_Waiting(frame, scene, single))
            count += 1
            if len(waiting) > self.look_ahead:
                yield self._decide(first, waiting.popleft())
                first += 1
        while waiting:
            yield self._decide(first, waiting.popleft())
            first += 1

    def _link(self, index: int, scene: int, frame: SeenFrame) -> list[_Sighting]:
        """Give faces to tracks; return the sure ones that none took."""
        faces = frame.faces
        boxes = faces.boxes.astype(np.float64) * np.tile(frame.size, 2)
        scores, leans = faces.scores, tilts(faces.landmarks, frame.size)
        if not faces.examined:
            boxes, scores = boxes[:0], scores[:0]
        single = []
        for place, number in enumerate(self._linker.update(boxes, scores)):
            box, score = boxes[place], float(scores[place])
            alike = np.nan if frame.likeness is None else frame.likeness[place]
            sighting = _Sighting(index, box, score, float(alike), float(leans[place]))
            if number >= 0:
                track = self._tracks.setdefault(number, _Track(number, scene))
                track.sightings.append(sighting)
                track.counts |= self.persist is None or score >= self.sure
            elif score >= self.sure:
                single.append(sighting)
        return single

    def _decide(self, index: int, waiting: _Waiting) -> Covered:
        covers, spared = [], 0
        for track in list(self._tracks.values()):
            sightings = track.sightings
            # What was so long ago says nothing of this frame or a later one.
            while sightings and sightings[0].frame < index - 2 * self.look_ahead:
                sightings.popleft()
            if not sightings:
                del self._tracks[track.number]
            if not sightings or track.scene != waiting.scene:
                continue
            track.counts |= self.persist is not None and len(sightings) >= self.persist
            if not track.counts:
                continue
            cover = self._cover(track, index)
            if cover is None:
                continue
            if self.visible is not None and self.visible(
                np.array([one.frame - index for one in sightings]),
                np.array([one.likeness for one in sightings]),
            ):
                spared += 1
            else:
                covers.append(cover)
        covers.extend(
            Cover(_grow(one.box, self.enlarge), -1, True, one.score, one.tilt)
            for one in waiting.single
        )
        whole = not waiting.frame.faces.examined
        return Covered(waiting.frame.picture, whole, covers, spared)

    def _cover(self, track: _Track, index: int) -> Cover | None:
        frames = np.array([one.frame for one in track.sightings])
        away = np.abs(frames - index)
        nearest = int(away.argmin())
        before, after = (frames < index).any(), (frames > index).any()
        if away[nearest] > self.hold and not (before and after):
            return None
        boxes = np.stack([one.box for one in track.sightings])
        # Between two sightings on a straight line, beyond them where it last was.
        around = np.clip(np.arange(index - 2, index + 3), frames[0], frames[-1])
        path = np.stack(
            [np.interp(around, frames, boxes[:, side]) for side in range(4)], 1
        )
        seen = away[nearest] == 0
        here = path[2]
        # Steady, but never less than where the face is, was and will be.
        calm = path.mean(0)
        hull = np.concatenate([path[1:4, :2].min(0), path[1:4, 2:].max(0)])
        low = np.minimum(np.minimum(calm[:2], here[:2]), hull[:2])
        high = np.maximum(np.maximum(calm[2:], here[2:]), hull[2:])
        unsure = min(float(away[nearest]) / max(self.hold, 1), 1.0)
        box = _grow(np.concatenate([low, high]), self.enlarge * (1 + 2 * unsure))
        score = track.sightings[nearest].score if seen else 0.0
        # Angles have no mean, directions do.
        leans = np.array([one.tilt for one in track.sightings])
        down, across = (
            np.interp(around, frames, one).mean()
            for one in (np.sin(leans), np.cos(leans))
        )
        tilt = float(np.arctan2(down, across))
        return Cover(box, track.number, bool(seen), score, tilt)


def _grow(box: np.ndarray, by: float) -> np.ndarray:
    more = (box[2:] - box[:2]) * by
    return np.concatenate([box[:2] - more, box[2:] + more])


def _with_cuts(frames: Iterable[SeenFrame]) -> Iterator[tuple[SeenFrame, bool]]:
    """Say of each frame whether a new scene begins with it.

    It does where no picture of the last frames is like any of the next ones: a flash
    or a dropped picture, after which all is as before, is no cut.
    """
    known: deque[SeenFrame] = deque(maxlen=_BLINK + 1)
    coming: deque[SeenFrame] = deque()
    frames = iter(frames)
    ended = False
    while True:
        while not ended and len(coming) <= _BLINK:
            one = next(frames, None)
            if one is None:
                ended = True
            else:
                coming.append(one)
        if not coming:
            return
        cut = bool(known) and all(
            float((old.thumbnail * new.thumbnail).sum()) < _CUT
            for old in known
            for new in coming
        )
        if cut:
            known.clear()
        frame = coming.popleft()
        known.append(frame)
        yield frame, cut
