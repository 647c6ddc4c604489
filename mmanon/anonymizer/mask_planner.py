"""Decide which boxes of each frame to cover, so that no frame of a track is missed.

Coordinates are pixels of the upright picture.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from mmanon.tracking.face_track import FaceTrack, Sighting
from mmanon.tracking.online_tracker import FaceLinker
from mmanon.tracking.patch_follower import cut_patch, find_patch
from mmanon.tracking.scene_cuts import thumbnail, with_cuts
from mmanon.utils.deprecation import renamed_arguments, renamed_attributes

from .frame_plan import FaceMask, FramePlan, SearchedFrame, tilts
from .io.sources import InputError
from .track_sheet import Chosen, TrackSheet

__all__ = [
    'FaceMask',
    'FramePlan',
    'MaskPlanner',
    'SearchedFrame',
    'thumbnail',
    'tilts',
]

# Score from which an unsure face begins a track, which is covered if it is sure later.
_BEGIN = 0.45
# Correlation from which a picture still shows a face at a place.
_STILL_THERE = 0.75
# Evidence for a face (see `FaceTrack`) as a function of the score minus the sure score:
# the logarithm of the number of labelled faces divided by the number of false
# detections with that score (tools/covering).
_ABOVE = (-0.3, -0.15, -0.1, -0.05, 0.0, 0.1, 0.2)
_EVIDENCE = (-1.0, -0.8, -0.2, 0.4, 1.5, 3.5, 5.0)
# The minimum for a weak candidate where a face is expected; the evidence if a search
# does not find the face though the picture looks the same; and the sum that confirms a
# track.
_WEAK, _MISSED, _ENOUGH = -0.3, -0.8, 1.5
_RATE = 25.0  # frames per second for which numbers of frames are given
# A box may be wrong by so many pixels on each side, for a shorter side of _LINES
# pixels.
_WRONG, _LINES = 1.5, 400


@dataclass
class _Waiting:
    index: int
    frame: SearchedFrame
    scene: int


@renamed_attributes(
    sure='track_activation_threshold', persist='minimum_consecutive_frames'
)
class MaskPlanner:
    """Decides what to cover, some frames behind the search for faces.

    A track counts as a face when its detections give enough evidence. It is then
    covered in each frame in which a detector saw it, or in which the picture at the
    expected place still looks like the face. Between two such frames that are at most
    ``look_ahead`` apart, the box is interpolated linearly. It is also covered for
    ``hold`` frames before the first and after the last such frame. Scene cuts end
    tracks.

    Args:
        look_ahead (int): Number of frames known beyond the one that is decided. Memory
            grows with it, but not with the length of the video. Defaults to 24.
        hold (int): Number of frames for which a face is covered before and after it is
            found. Defaults to 4.
        enlarge (float): A box is enlarged on each side by this fraction of its side if
            the face was not found for ``hold`` frames, and by proportionally less if it
            was found nearer. Defaults to 0.1.
        track_activation_threshold (float): Score from which a face is sure.
        minimum_consecutive_frames (int, optional): A face that is never sure is also
            covered if its track finds it in this number of the known frames. By default
            it is not.
        visible (callable, optional): Takes the distances of frames and the similarities
            of a track's face in them, and returns whether the face stays visible. See
            :meth:`.known_people.KnownPeople.visible`.
        follow (bool): Whether a face is followed by its appearance in frames that were
            not searched or in which it was not found. Defaults to ``True``.

    Raises:
        ValueError: When a number is out of its range.
    """

    @renamed_arguments(
        sure='track_activation_threshold', persist='minimum_consecutive_frames'
    )
    def __init__(
        self,
        look_ahead: int = 24,
        hold: int = 4,
        enlarge: float = 0.1,
        track_activation_threshold: float = 0.6,
        minimum_consecutive_frames: int | None = None,
        visible: Callable[[np.ndarray, np.ndarray], bool] | None = None,
        follow: bool = True,
    ) -> None:
        if look_ahead < 1 or not 0 <= hold <= look_ahead or enlarge < 0:
            raise ValueError(
                f'look_ahead must be at least 1, hold in [0, look_ahead] and enlarge '
                f'at least 0, got {look_ahead}, {hold} and {enlarge}'
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
        self.follow = follow

    def plan(
        self,
        frames: Iterable[SearchedFrame],
        chosen: Chosen | None = None,
        sheet: TrackSheet | None = None,
        rate: float = 0.0,
    ) -> Iterator[FramePlan]:
        """Decide for each frame of one video.

        Args:
            frames (Iterable[SearchedFrame]): In the order in which they are shown.
            chosen (Chosen, optional): The user's decisions about tracks.
            sheet (TrackSheet, optional): Gets each sighting of a face.
            rate (float): Frames per second; 0 if unknown. Below 25, a lost face is held
                and bridged for proportionally fewer frames, but at least for one.

        Yields:
            FramePlan: The plan of each frame, in the same order.

        Raises:
            InputError: After all frames, when a chosen track does not exist.
        """
        self.begin(chosen, sheet, rate)
        for frame, cut in with_cuts(frames):
            plan = self.put(frame, cut)
            if plan is not None:
                yield plan
        while self._waiting:
            yield self._decide(self._waiting.popleft())
        unknown = (self._chosen.drop | self._chosen.keep) - self._numbers
        if unknown:
            raise InputError(
                f'there is no track {", ".join(map(str, sorted(unknown)))}: use the '
                'numbers of a sheet of --preview with the same settings'
            )

    def begin(
        self,
        chosen: Chosen | None = None,
        sheet: TrackSheet | None = None,
        rate: float = 0.0,
    ) -> None:
        """Begin a video; the arguments are those of :meth:`plan`."""
        pace = min(1.0, rate / _RATE) if rate else 1.0
        self._held = min(self.hold, max(1, round(self.hold * pace)))
        sure = self.track_activation_threshold
        # If persistent candidates count as faces, every candidate may begin a track.
        follows_all = self.minimum_consecutive_frames is not None
        self._tracker = FaceLinker(
            lost_track_buffer=max(2, round(self.look_ahead * pace)),
            track_activation_threshold=sure,
            begin=0.0 if follows_all else min(_BEGIN, sure),
        )
        self._chosen, self._sheet = chosen or Chosen(), sheet
        if sheet is not None:
            sheet.decided = self._chosen
        self._tracks: dict[int, FaceTrack] = {}
        self._numbers: set[int] = set()
        self._waiting: deque[_Waiting] = deque()
        self._count = self._scene = 0

    def put(self, frame: SearchedFrame, cut: bool = False) -> FramePlan | None:
        """Add the next frame; ``cut`` says whether a scene begins with it.

        Returns:
            FramePlan or None: The plan of the frame that came ``look_ahead`` frames
            earlier; None if there is none yet.
        """
        if cut:
            self._scene += 1
            self._tracker.reset()
        here = _Waiting(self._count, frame, self._scene)
        self._waiting.append(here)
        self._track(here)
        self._count += 1
        if len(self._waiting) <= self.look_ahead:
            return None
        return self._decide(self._waiting.popleft())

    def _track(self, here: _Waiting) -> None:
        """Join the faces of a frame to tracks, and follow the tracks without a face."""
        frame = here.frame
        faces = frame.faces
        boxes = faces.boxes.astype(np.float64) * np.tile(frame.size, 2)
        scores, leans = faces.scores, tilts(faces.landmarks, frame.size)
        if not faces.examined:
            boxes, scores = boxes[:0], scores[:0]
        for place, number in enumerate(self._tracker.update(boxes, scores)):
            if number < 0:
                continue
            track = self._tracks.setdefault(number, FaceTrack(number, here.scene))
            self._numbers.add(number)
            alike = np.nan if frame.similarity is None else frame.similarity[place]
            track.add(
                Sighting(
                    here.index,
                    boxes[place],
                    float(scores[place]),
                    float(alike),
                    float(leans[place]),
                )
            )
            if self.follow and frame.luma is not None:
                track.patch = cut_patch(frame.luma, boxes[place])
            self._weigh(track, float(scores[place]))
            if self._sheet is not None and frame.luma is not None:
                self._sheet.saw(
                    track, here.index, boxes[place], float(scores[place]), frame.luma
                )
        for number, expected in self._tracker.lost() if self.follow else ():
            self._follow(self._tracks.get(number), here, expected)

    def _weigh(self, track: FaceTrack, score: float) -> None:
        """Count a sighting as evidence, and confirm the track if there is enough."""
        sure = self.track_activation_threshold
        evidence = float(np.interp(score - sure, _ABOVE, _EVIDENCE))
        track.weigh(max(evidence, _WEAK))
        asked = self.minimum_consecutive_frames
        enough = (
            track.evidence >= _ENOUGH
            or (asked is not None and len(track.sightings) >= asked)
            or track.number in self._chosen.keep
        )
        if enough and not track.confirmed:
            track.confirmed = True
            self._follow_back(track)

    def _follow(
        self, track: FaceTrack | None, here: _Waiting, expected: np.ndarray
    ) -> None:
        """Find a lost face again by its appearance."""
        luma = here.frame.luma
        if track is None or track.patch is None or luma is None:
            return
        if track.evidence <= 0 and not here.frame.looked:
            return  # the result would not count, and this is half of the work
        box, alike = find_patch(luma, track.patch, expected)
        if here.frame.looked and not _at_border(box, luma):
            track.weigh(_MISSED)
        if alike >= _STILL_THERE and track.evidence > 0:
            last = track.sightings[-1]
            track.add(Sighting(here.index, box, 0.0, np.nan, last.tilt, seen=False))
            self._tracker.found(track.number, box)

    def _follow_back(self, track: FaceTrack) -> None:
        """Find a face in the frames before its first sighting."""
        if not self.follow:
            return
        first = track.sightings[0]
        patch, box = None, first.box
        for here in reversed(self._waiting):
            if here.index > first.frame or here.scene != track.scene:
                continue
            if here.frame.luma is None:
                return
            if here.index == first.frame:
                patch = cut_patch(here.frame.luma, box)
                continue
            box, alike = (
                (box, 0.0) if patch is None else find_patch(here.frame.luma, patch, box)
            )
            if alike < _STILL_THERE:
                return
            track.sightings.appendleft(
                Sighting(here.index, box, 0.0, np.nan, first.tilt, seen=False)
            )

    def _decide(self, here: _Waiting) -> FramePlan:
        masks, spared = [], 0
        for track in list(self._tracks.values()):
            # Sightings this old do not matter for this frame or a later one.
            track.forget_before(here.index - 2 * self.look_ahead)
            if not track.sightings:
                del self._tracks[track.number]
            elif track.number in self._chosen.drop:
                continue
            elif track.confirmed and track.scene == here.scene:
                mask = self._mask(track, here)
                if mask is None:
                    continue
                if self._may_be_seen(track, here.index):
                    spared += 1
                else:
                    masks.append(mask)
        whole = not here.frame.faces.examined
        return FramePlan(here.frame.picture, whole, masks, spared, here.index)

    def _may_be_seen(self, track: FaceTrack, index: int) -> bool:
        seen = [one for one in track.sightings if one.seen]
        return self.visible is not None and self.visible(
            np.array([one.frame - index for one in seen]),
            np.array([one.similarity for one in seen]),
        )

    def _mask(self, track: FaceTrack, here: _Waiting) -> FaceMask | None:
        place = track.place(here.index, self._held)
        if place is None:
            return None
        unsure = min(place.away / max(self._held, 1), 1.0)
        wrong = _WRONG * max(1.0, min(here.frame.size) / _LINES)
        more = (place.box[2:] - place.box[:2]) * self.enlarge * unsure + wrong
        box = place.box + np.concatenate([-more, more])
        return FaceMask(
            box, track.number, place.seen, place.score, place.tilt, place.steady
        )


def _at_border(box: np.ndarray, picture: np.ndarray) -> bool:
    return bool((box[:2] < 0).any() or (box[2:] > picture.shape[1::-1]).any())
