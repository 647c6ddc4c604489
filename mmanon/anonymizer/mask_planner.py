"""Which boxes of each frame to mask, so that no frame of a tracked face is left out.

Coordinates are pixels of the upright picture.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from mmanon.structures.boxes import enclosing_box
from mmanon.structures.faces import Faces
from mmanon.tracking.online_tracker import FaceLinker
from mmanon.utils.deprecation import renamed_arguments, renamed_attributes
from mmanon.utils.resampling import area_mean

__all__ = [
    'FaceMask',
    'FramePlan',
    'MaskPlanner',
    'SearchedFrame',
    'thumbnail',
    'tilts',
]

_THUMBNAIL = (32, 24)
_CUT = 0.25
_BLINK = 2  # frames a flash may last without being taken for a cut


@renamed_attributes(likeness='similarity')
@dataclass
class SearchedFrame:
    """A frame after the search for faces.

    Attributes:
        picture: Whatever stands for the frame; it is passed on.
        faces (Faces): What was found.
        size (tuple[int, int]): Width and height.
        thumbnail (np.ndarray): See :func:`thumbnail`.
        similarity (np.ndarray, optional): Of each face to the people looked for, (k,);
            NaN where that cannot be told.
    """

    picture: Any
    faces: Faces
    size: tuple[int, int]
    thumbnail: np.ndarray
    similarity: np.ndarray | None = None


@dataclass(frozen=True)
class FaceMask:
    """A box to mask.

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


@renamed_attributes(covers='masks')
@dataclass
class FramePlan:
    """A frame and what of it to mask.

    Attributes:
        picture: As it came in.
        whole (bool): Whether all of it must be masked, since nobody has examined it.
        masks (list[FaceMask]): The faces.
        spared (int): Faces left visible because of who they are.
    """

    picture: Any
    whole: bool
    masks: list[FaceMask]
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
    similarity: float
    tilt: float


@dataclass
class _Track:
    """One face over time."""

    number: int
    scene: int
    sightings: deque[_Sighting] = field(default_factory=deque)
    confirmed: bool = False  # whether it is taken for a face


@dataclass
class _Waiting:
    frame: SearchedFrame
    scene: int
    single: list[_Sighting]  # sure faces that no track took


@renamed_attributes(
    sure='track_activation_threshold', persist='minimum_consecutive_frames'
)
class MaskPlanner:
    """Decides what to mask, some frames behind the search for faces.

    A face is masked in each frame from ``hold`` before it is first seen to ``hold``
    after it is last seen; where its track is lost for at most ``look_ahead`` frames,
    also in between, on a straight line. Scene cuts end tracks.

    Args:
        look_ahead (int): Frames that are known beyond the one decided on. Memory grows
            with it, and not with the length of the video. Defaults to 30.
        hold (int): Frames a face is masked before and after it is seen. Defaults to 8.
        enlarge (float): By how much of its side a box is enlarged on each side, once
            for a face that is seen and up to three times for one that is not.
            Defaults to 0.1.
        track_activation_threshold (float): Score above which a face needs no track.
        minimum_consecutive_frames (int, optional): A face that is never so sure is
            masked all the same when a track finds it in so many frames that are known
            at a time. By default a track begins only with a face that is sure.
        visible (callable, optional): Of how far the frames around are away and the
            similarities of a track's face in them to whether it may be seen. See
            :class:`.known_people.KnownPeople`.

    Raises:
        ValueError: When a number is out of its range.
    """

    @renamed_arguments(
        sure='track_activation_threshold', persist='minimum_consecutive_frames'
    )
    def __init__(
        self,
        look_ahead: int = 30,
        hold: int = 8,
        enlarge: float = 0.1,
        track_activation_threshold: float = 0.6,
        minimum_consecutive_frames: int | None = None,
        visible: Callable[[np.ndarray, np.ndarray], bool] | None = None,
    ) -> None:
        if look_ahead < 1 or not 0 <= hold <= look_ahead or enlarge < 0:
            raise ValueError(
                f'1 <= look_ahead, 0 <= hold <= look_ahead and 0 <= enlarge must '
                f'hold, got {look_ahead}, {hold} and {enlarge}'
            )
        asked = minimum_consecutive_frames
        if asked is not None and not 2 <= asked <= look_ahead:
            raise ValueError(
                'minimum_consecutive_frames must be in [2, look_ahead='
                f'{look_ahead}], got {asked}'
            )
        self.look_ahead, self.hold, self.enlarge = look_ahead, hold, enlarge
        self.track_activation_threshold = track_activation_threshold
        self.minimum_consecutive_frames = minimum_consecutive_frames
        self.visible = visible

    def plan(self, frames: Iterable[SearchedFrame]) -> Iterator[FramePlan]:
        """Decide for each frame of one video.

        Args:
            frames (Iterable[SearchedFrame]): In the order they are shown.

        Yields:
            FramePlan: As many, in the same order.
        """
        # All that was found may be followed, where what stays is taken for a face.
        follows_all = self.minimum_consecutive_frames is not None
        self._tracker = FaceLinker(
            lost_track_buffer=self.look_ahead,
            track_activation_threshold=0.0
            if follows_all
            else self.track_activation_threshold,
        )
        self._tracks: dict[int, _Track] = {}
        waiting: deque[_Waiting] = deque()
        first = count = scene = 0
        for frame, cut in _with_cuts(frames):
            if cut:
                scene += 1
                self._tracker.reset()
            single = self._track(count, scene, frame)
            waiting.append(_Waiting(frame, scene, single))
            count += 1
            if len(waiting) > self.look_ahead:
                yield self._decide(first, waiting.popleft())
                first += 1
        while waiting:
            yield self._decide(first, waiting.popleft())
            first += 1

    def _track(self, index: int, scene: int, frame: SearchedFrame) -> list[_Sighting]:
        """Give faces to tracks; return the sure ones that none took."""
        faces = frame.faces
        boxes = faces.boxes.astype(np.float64) * np.tile(frame.size, 2)
        scores, leans = faces.scores, tilts(faces.landmarks, frame.size)
        if not faces.examined:
            boxes, scores = boxes[:0], scores[:0]
        single = []
        for place, number in enumerate(self._tracker.update(boxes, scores)):
            box, score = boxes[place], float(scores[place])
            alike = np.nan if frame.similarity is None else frame.similarity[place]
            sighting = _Sighting(index, box, score, float(alike), float(leans[place]))
            sure = score >= self.track_activation_threshold
            if number >= 0:
                track = self._tracks.setdefault(number, _Track(number, scene))
                track.sightings.append(sighting)
                track.confirmed |= self.minimum_consecutive_frames is None or sure
            elif sure:
                single.append(sighting)
        return single

    def _decide(self, index: int, waiting: _Waiting) -> FramePlan:
        masks, spared = [], 0
        for track in list(self._tracks.values()):
            sightings = track.sightings
            # What was so long ago says nothing of this frame or a later one.
            while sightings and sightings[0].frame < index - 2 * self.look_ahead:
                sightings.popleft()
            if not sightings:
                del self._tracks[track.number]
            if not sightings or track.scene != waiting.scene:
                continue
            if self.minimum_consecutive_frames is not None:
                track.confirmed |= len(sightings) >= self.minimum_consecutive_frames
            if not track.confirmed:
                continue
            mask = self._mask(track, index)
            if mask is None:
                continue
            if self.visible is not None and self.visible(
                np.array([sighting.frame - index for sighting in sightings]),
                np.array([sighting.similarity for sighting in sightings]),
            ):
                spared += 1
            else:
                masks.append(mask)
        masks.extend(
            FaceMask(_enlarged(face.box, self.enlarge), -1, True, face.score, face.tilt)
            for face in waiting.single
        )
        whole = not waiting.frame.faces.examined
        return FramePlan(waiting.frame.picture, whole, masks, spared)

    def _mask(self, track: _Track, index: int) -> FaceMask | None:
        frames = np.array([sighting.frame for sighting in track.sightings])
        away = np.abs(frames - index)
        nearest = int(away.argmin())
        before, after = (frames < index).any(), (frames > index).any()
        if away[nearest] > self.hold and not (before and after):
            return None
        boxes = np.stack([sighting.box for sighting in track.sightings])
        # Between two sightings on a straight line, beyond them where it last was.
        around = np.clip(np.arange(index - 2, index + 3), frames[0], frames[-1])
        path = np.stack(
            [np.interp(around, frames, boxes[:, side]) for side in range(4)], 1
        )
        seen = away[nearest] == 0
        # Steady, but never less than where the face is, was and will be.
        box = enclosing_box(np.concatenate([path[1:4], path.mean(0)[None]]))
        unsure = min(float(away[nearest]) / max(self.hold, 1), 1.0)
        box = _enlarged(box, self.enlarge * (1 + 2 * unsure))
        score = track.sightings[nearest].score if seen else 0.0
        # Angles have no mean, directions do.
        leans = np.array([sighting.tilt for sighting in track.sightings])
        down, across = (
            np.interp(around, frames, part).mean()
            for part in (np.sin(leans), np.cos(leans))
        )
        tilt = float(np.arctan2(down, across))
        return FaceMask(box, track.number, bool(seen), score, tilt)


def _enlarged(box: np.ndarray, by: float) -> np.ndarray:
    more = (box[2:] - box[:2]) * by
    return np.concatenate([box[:2] - more, box[2:] + more])


def _with_cuts(
    frames: Iterable[SearchedFrame],
) -> Iterator[tuple[SearchedFrame, bool]]:
    """Say of each frame whether a new scene begins with it.

    It does where no picture of the last frames is like any of the next ones: a flash
    or a dropped picture, after which all is as before, is no cut.
    """
    known: deque[SearchedFrame] = deque(maxlen=_BLINK + 1)
    coming: deque[SearchedFrame] = deque()
    source = iter(frames)
    ended = False
    while True:
        while not ended and len(coming) <= _BLINK:
            following = next(source, None)
            if following is None:
                ended = True
            else:
                coming.append(following)
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
