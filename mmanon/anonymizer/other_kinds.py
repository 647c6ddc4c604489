"""Covers objects other than faces: each kind has its own detector and tracks."""

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

_LOOKS = 5  # a second: what is covered comes and goes in less than one
_OF_BOXES = ('.csv', '.json', '.parquet', '.xml')


class NoFaces:
    """Finds no face: of an anonymizer that covers other kinds alone."""

    parallel = True

    def open(self, name: str, path: Path | None = None) -> Find:
        """Begin a source; see :class:`.face_finding.FaceFinder`."""
        return lambda index, image: Faces.none()


@dataclass(frozen=True)
class OtherKind:
    """A kind of objects that is covered in addition to faces.

    Attributes:
        name (str): What it is called.
        finder (FaceFinder): Finds them.
        planner (MaskPlanner): Follows them, and decides which to mask.
        every (int): Frames of a video from one look to the next, at most.
        score_thr (float): Score from which one is masked in a still picture.
    """

    name: str
    finder: FaceFinder
    planner: MaskPlanner
    every: int
    score_thr: float

    def search(
        self, pictures: Iterable[Picture], name: str, rate: float
    ) -> Generator[SearchedFrame, None, None]:
        """Look for them in moving pictures; as of :meth:`.FacePipeline.search`."""
        find = self.finder.open(name)
        policy = KeyframePolicy(looks_at_least(self.every, rate))
        parallel = self.finder.parallel
        return search(pictures, lambda k, one: (find(k, one), None), policy, parallel)

    def in_picture(self, image: np.ndarray, name: str) -> FramePlan:
        """Their masks in one picture, uint8 (H, W, 3) RGB."""
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
    """Build the covers of kinds other than faces.

    Args:
        kinds (Mapping): By kind what finds it, as of :func:`.kinds.build_kind`, or a
            file of boxes, as of :class:`.GivenFaces`. Faces are left out.
        options (DetectionOptions): How long one is followed, and how sure it has to be.
        device (str): Where networks run.

    Raises:
        FileNotFoundError, ImportError, ValueError: As both.
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
        # Whether what it finds twice was there between, nobody knows of it.
        every = 1 if given else options.every or 1
        others.append(OtherKind(name, finder, planner, every, least))
    return tuple(others)


def joined_plan(
    faces: FramePlan, others: Sequence[FramePlan], kinds: Sequence[OtherKind]
) -> FramePlan:
    """The masks of a frame: its faces, and objects of other kinds.

    Args:
        faces (FramePlan): By its faces.
        others (Sequence[FramePlan]): By things of each other kind.
        kinds (Sequence[OtherKind]): Which these are.
    """
    if not others:
        return faces
    masks = list(faces.masks)
    for plan, kind in zip(others, kinds, strict=True):
        masks += [replace(mask, kind=kind.name) for mask in plan.masks]
    whole = faces.whole or any(plan.whole for plan in others)
    return replace(faces, whole=whole, masks=[] if whole else masks)


def looks_at_least(every: int, rate: float) -> int:
    """Frames from one look to the next: at least five looks a second are taken."""
    return min(every, max(1, round(rate / _LOOKS))) if rate else every
