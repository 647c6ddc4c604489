"""The steps that images and videos share: find faces, plan masks, draw covers."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import tee
from typing import TYPE_CHECKING

import numpy as np

from mmanon.structures.faces import Faces

from .compositor import FaceCompositor, mask_whole
from .face_finding import FaceFinder, Find
from .face_search import Picture, search
from .keyframes import KeyframePolicy
from .mask_planner import FramePlan, MaskPlanner, SearchedFrame
from .options import SURE
from .other_kinds import OtherKind, joined_plan, looks_at_least
from .regions import Regions, fill_polygons
from .track_sheet import Chosen, TrackSheet

if TYPE_CHECKING:
    from .known_people import KnownPeople

__all__ = ['FacePipeline']


@dataclass(frozen=True)
class FacePipeline:
    """The parts that all inputs share.

    Attributes:
        finder (FaceFinder): Finds faces.
        planner (MaskPlanner): Decides what to cover in moving pictures.
        compositor (FaceCompositor): Draws the covers.
        people (KnownPeople, optional): Decides whose faces stay visible.
        score_thr (float): Score from which a face in an image is covered.
        every (int): Maximum number of frames of a video between two searches; at least
            five searches a second.
        scales (bool): Whether pictures may be searched in other sizes.
        regions (Regions): Areas that are always covered, or whose faces stay visible.
        others (tuple[OtherKind, ...]): Other kinds of objects to cover.
    """

    finder: FaceFinder
    planner: MaskPlanner
    compositor: FaceCompositor
    people: KnownPeople | None = None
    score_thr: float = SURE
    every: int = 1
    scales: bool = False
    regions: Regions = field(default_factory=Regions)
    others: tuple[OtherKind, ...] = ()

    def plan(
        self,
        pictures: Iterable[Picture],
        find: Find,
        name: str,
        rate: float,
        chosen: Chosen | None = None,
        sheet: TrackSheet | None = None,
    ) -> Generator[FramePlan, None, None]:
        """Search moving pictures, and plan what to cover.

        Args:
            pictures (Iterable[Picture]): In the order in which they are shown.
            find (Find): Finds the faces of their source, from ``finder.open``.
            name (str): The path of their source relative to the input folder.
            rate (float): Frames per second; 0 if unknown.
            chosen, sheet: As for :meth:`.MaskPlanner.plan`; they concern faces only.

        Yields:
            FramePlan: The plan of each picture, in the same order.
        """
        # Each kind has its own search; a frame is kept until all have decided.
        streams = tee(pictures, 1 + len(self.others))
        with ExitStack() as stack:
            searched = [self.search(streams[0], find, rate)]
            for stream, other in zip(streams[1:], self.others, strict=True):
                searched.append(other.search(stream, name, rate))
            # They must be closed before the threads that feed them end.
            for one in searched:
                stack.enter_context(closing(one))
            plans = [self.planner.plan(searched[0], chosen, sheet, rate)]
            for frames, other in zip(searched[1:], self.others, strict=True):
                plans.append(other.planner.plan(frames, rate=rate))
            for first, *others in zip(*plans, strict=True):
                yield joined_plan(first, others, self.others)

    def search(
        self, pictures: Iterable[Picture], find: Find, rate: float
    ) -> Generator[SearchedFrame, None, None]:
        """Search moving pictures for faces.

        Args:
            pictures (Iterable[Picture]): In the order in which they are shown.
            find (Find): Finds the faces of their source, from ``finder.open``.
            rate (float): Frames per second; 0 if unknown.

        Returns:
            Generator: A :class:`SearchedFrame` for each, in the same order.
        """

        def look(index: int, image: np.ndarray) -> tuple[Faces, np.ndarray | None]:
            faces = find(index, image)
            if self.people is None:
                return faces, None
            return faces, self.people.similarity(image, faces)

        # The recognizer runs in PyTorch, which uses several threads by itself.
        parallel = self.finder.parallel and self.people is None
        policy = KeyframePolicy(looks_at_least(self.every, rate), self.scales)
        return search(pictures, look, policy, parallel)

    def draw(self, image: np.ndarray, plan: FramePlan) -> None:
        """Draw the covers of a plan into an RGB picture, in place."""
        plan = plan.filled()
        if plan.whole:
            mask_whole(image)
        else:
            self.compositor.apply(image, plan.masks, plan.index)
            fill_polygons(image, plan.polygons)
