"""Cover the faces of a camera's frames while they arrive, for a live display."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, replace

import numpy as np

from mmanon.tracking.scene_cuts import thumbnail

from .frame_plan import FaceMask, SearchedFrame
from .inferencer import AnonymizerInferencer
from .mask_planner import MaskPlanner
from .other_kinds import OtherKind, joined_plan
from .pipeline import FacePipeline

__all__ = ['LiveAnonymizer', 'LiveFrame']

_REMEMBERED = 20  # number of recent frames for the frame rate


@dataclass(frozen=True)
class LiveFrame:
    """The output for one input frame.

    Attributes:
        image (np.ndarray, optional): The covered frame that came ``delay`` frames
            earlier, uint8 (H, W, 3) RGB; None if there is none yet.
        masks (list[FaceMask]): The faces that are covered in it.
        seconds (float): The processing time of this call.
        rate (float): Recent frames per second; 0 if unknown.
    """

    image: np.ndarray | None
    masks: list[FaceMask]
    seconds: float
    rate: float


class LiveAnonymizer:
    """Covers frame after frame of one camera.

    Every frame that is put in is searched for faces before it is shown. If the machine
    is too slow, skip frames and do not put them in. A face is tracked. It stays covered
    for ``delay`` frames after it is lost, and is covered for ``delay`` frames before it
    is found. A frame that fails is covered whole.

    Args:
        inferencer (AnonymizerInferencer): Its detector, modifier and regions are used.
            It must have a face detector, and must not distinguish people.
        delay (int): Number of frames by which the output lags behind, at least 1.
        name (str): The camera's name for regions and keys.

    Raises:
        ValueError: When the delay is below 1.
    """

    def __init__(
        self, inferencer: AnonymizerInferencer, delay: int = 2, name: str = 'camera'
    ) -> None:
        if delay < 1:
            raise ValueError(f'delay must be at least 1 frame, got {delay}')
        self.faces, self.name = inferencer.faces, name
        finders: list[FacePipeline | OtherKind] = [self.faces, *self.faces.others]
        self._find = [one.finder.open(name) for one in finders]
        self._planners = [
            MaskPlanner(
                delay,
                delay,
                one.planner.enlarge,
                one.planner.track_activation_threshold,
                follow=one.planner.follow,
            )
            for one in finders
        ]
        self._size: tuple[int, ...] | None = None
        self._count = 0
        self._begun = time.monotonic()
        self._came: deque[float] = deque(maxlen=_REMEMBERED)

    def put(self, image: np.ndarray) -> LiveFrame:
        """Take the next frame.

        Args:
            image (np.ndarray): uint8 (H, W, 3) RGB; it is not changed.

        Returns:
            LiveFrame: What to show.
        """
        start = time.monotonic()
        self._came.append(start)
        if image.shape != self._size:
            # The camera was rotated or changed: waiting frames have another size.
            self._size = image.shape
            for planner in self._planners:
                planner.begin()
            self.faces.compositor.begin(self.name)
        image = np.ascontiguousarray(image)
        found = [find(self._count, image) for find in self._find]
        self._count += 1
        grey = (image @ np.array([0.299, 0.587, 0.114], np.float32)).astype(np.uint8)
        height, width = image.shape[:2]
        small = thumbnail(grey)
        plans = [
            planner.put(SearchedFrame(image, faces, (width, height), small, luma=grey))
            for planner, faces in zip(self._planners, found, strict=True)
        ]
        shown, masks = None, []
        if plans[0] is not None:
            plan = joined_plan(
                plans[0], [one for one in plans[1:] if one], self.faces.others
            )
            plan = self.faces.regions.apply(plan, self.name, start - self._begun)
            shown, masks = plan.picture.copy(), plan.masks
            try:
                self.faces.draw(shown, plan)
            # Whatever error a modifier raises: the frame must not pass uncovered.
            except Exception:
                self.faces.draw(shown, replace(plan, whole=True))
        return LiveFrame(shown, masks, time.monotonic() - start, self._rate())

    def _rate(self) -> float:
        if len(self._came) < 2:
            return 0.0
        return (len(self._came) - 1) / max(self._came[-1] - self._came[0], 1e-6)
