"""Cover objects other than faces: each kind has its own detector and tracks."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmanon.face_detectors.kinds import FACES, build_kind
from mmanon.structures.faces import Faces

from .face_finding import DetectedFaces, FaceFinder, Find
from .face_search import Picture, search
from .frame_plan import FaceMask, FramePlan, SearchedFrame
from .given_faces import GivenFaces
from .keyframes import KeyframePolicy
from .mask_planner import MaskPlanner

if TYPE_CHECKING:
    from .options import DetectionOptions

__all__ = ['NoFaces', 'OtherKind', 'build_others', 'joined_plan', 'looks_at_least']

_LOOKS = 5  # searches per second of video: an object may appear for less than a second
_OF_BOXES = ('.csv', '.json', '.parquet', '.xml')


class NoFaces:
    """Finds no face; for an anonymizer that covers only other kinds of objects."""

    parallel = True

    def open(self, name: str, path: Path | None = None) -> Find:
        """Begin a source; see :class:`.face_finding.FaceFinder`."""
        return lambda index, image: Faces.none()


@dataclass(frozen=True)
class OtherKind:
    """A kind of objects that is covered in addition to faces.

    Attributes:
        name (str): The name of the kind.
        finder (FaceFinder): Finds the objects.
        planner (MaskPlanner): Follows them, and decides which to cover.
        every (int): Maximum number of frames from one search to the next.
        score_thr (float): Score from which an object in an image is covered.
    """

    name: str
    finder: FaceFinder
    planner: MaskPlanner
    every: int
    score_thr: float

    def search(
        self, pictures: Iterable[Picture], name: str, rate: float
    ) -> Generator[SearchedFrame, None, None]:
        """Search moving pictures for objects; see :meth:`.FacePipeline.search`."""
        find = self.finder.open(name)
        policy = KeyframePolicy(looks_at_least(self.every, rate))
        parallel = self.finder.parallel
        return search(pictures, lambda k, one: (find(k, one), None), policy, parallel)

    def in_picture(self, image: np.ndarray, name: str) -> FramePlan:
        """The masks of objects in one picture, uint8 (H, W, 3) RGB."""
        found = self.finder.open(name)(0, image)
        if not found.examined:
            return FramePlan(None, True, [])
        boxes = found.boxes.astype(np.float64) * np.tile(image.shape[1::-1], 2)
        return FramePlan(
            None,
            False,
            [
                FaceMask(box, -1, True, float(score))
                for box, score in zip(boxes, found.scores, strict=True)
                if score >= self.score_thr
            ],
        )


def build_others(
    kinds: Mapping[str, Any], options: DetectionOptions, device: str = 'cpu'
) -> tuple[OtherKind, ...]:
    """Build the search for kinds of objects other than faces.

    Args:
        kinds (Mapping): For each kind its detector, as for :func:`.kinds.build_kind`,
            or a file of boxes, as for :class:`.GivenFaces`. Faces are ignored here.
        options (DetectionOptions): How long objects are followed, and their minimum
            score.
        device (str): Where networks run.

    Raises:
        FileNotFoundError, ImportError, ValueError: As for both.
    """
    others = []
    for name, by in kinds.items():
        if name == FACES:
            continue
        given = isinstance(by, str | Path) and str(by).lower().endswith(_OF_BOXES)
        finder: FaceFinder
        if given:
            finder = GivenFaces(by)
        else:
            finder = DetectedFaces(build_kind(name, by, device), options.scale)
        least = 0.0 if given else options.score_thr
        planner = MaskPlanner(
            options.look_ahead,
            options.hold,
            track_activation_threshold=least,
            minimum_consecutive_frames=options.minimum_consecutive_frames,
            follow=not given,
        )
        # Nothing is known about the reliability of such a detector.
        every = 1 if given else options.every or 1
        others.append(OtherKind(name, finder, planner, every, least))
    return tuple(others)


def joined_plan(
    faces: FramePlan, others: Sequence[FramePlan], kinds: Sequence[OtherKind]
) -> FramePlan:
    """Join the masks of faces and of other kinds of objects in a frame.

    Args:
        faces (FramePlan): The plan of the faces.
        others (Sequence[FramePlan]): The plan of each other kind.
        kinds (Sequence[OtherKind]): The other kinds, in the same order.
    """
    if not others:
        return faces
    masks = list(faces.masks)
    for plan, kind in zip(others, kinds, strict=True):
        masks += [replace(mask, kind=kind.name) for mask in plan.masks]
    whole = faces.whole or any(plan.whole for plan in others)
    return replace(faces, whole=whole, masks=[] if whole else masks)


def looks_at_least(every: int, rate: float) -> int:
    """Number of frames from one search to the next, at least five per second."""
    return min(every, max(1, round(rate / _LOOKS))) if rate else every
