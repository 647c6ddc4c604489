"""Shared by all kinds of pictures: find faces, plan masks, draw them."""

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
        planner (MaskPlanner): Decides what to mask in moving pictures.
        compositor (FaceCompositor): Draws the masks.
        people (KnownPeople, optional): Decides whose faces stay visible.
        score_thr (float): Score from which a face of a still picture is masked.
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
        """Look for what is to be masked in moving pictures, and decide.

        Args:
            pictures (Iterable[Picture]): In the order they are shown.
            find (Find): Finds the faces of their source, as the finder has begun it.
            name (str): The path of their source below the folder of all.
            rate (float): Frames a second; 0 where it is not known.
            chosen, sheet: As of :meth:`.MaskPlanner.plan`, of faces.

        Yields:
            FramePlan: As many, in the same order.
        """
        # Each kind looks where it has to; a frame is held until the last has decided.
        streams = tee(pictures, 1 + len(self.others))
        with ExitStack() as stack:
            searched = [self.search(streams[0], find, rate)]
            for stream, other in zip(streams[1:], self.others, strict=True):
                searched.append(other.search(stream, name, rate))
            # Closed before the threads that feed them end.
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
        """Look for faces in moving pictures.

        Args:
            pictures (Iterable[Picture]): In the order they are shown.
            find (Find): Of their source, as the finder has begun it.
            rate (float): Frames a second; 0 where it is not known.

        Returns:
            Generator: A :class:`SearchedFrame` for each, in the same order.
        """

        def look(index: int, image: np.ndarray) -> tuple[Faces, np.ndarray | None]:
            faces = find(index, image)
            if self.people is None:
                return faces, None
            return faces, self.people.similarity(image, faces)

        # PyTorch is not for several threads: it shares its work out by itself.
        parallel = self.finder.parallel and self.people is None
        policy = KeyframePolicy(looks_at_least(self.every, rate), self.scales)
        return search(pictures, look, policy, parallel)

    def draw(self, image: np.ndarray, plan: FramePlan) -> None:
        """Mask in an RGB picture what has to be, in place."""
        plan = plan.filled()
        if plan.whole:
            mask_whole(image)
        else:
            self.compositor.apply(image, plan.masks, plan.index)
            fill_polygons(image, plan.polygons)
