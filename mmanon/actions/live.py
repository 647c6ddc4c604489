"""Detect actions in the covered frames of a camera."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from threading import Lock, Thread
from typing import NamedTuple

import numpy as np
from PIL import Image

from mmanon.anonymizer.frame_plan import FaceMask

from .detector import ActionDetector
from .people import body_boxes

__all__ = ['LiveActions', 'SeenAction']

_LONGEST = 340  # longer side in pixels of a kept frame


class SeenAction(NamedTuple):
    """An action of a person, and the number of the track of the person's face."""

    track: int
    action: str
    score: float


class _Kept(NamedTuple):
    image: np.ndarray
    boxes: np.ndarray
    tracks: list[int]


class LiveActions:
    """Runs a detector on the latest frames of one camera.

    The detector runs in a separate thread, always on the newest frames, and frames do
    not wait for it. The boxes of people are estimated from the covered faces.

    Args:
        detector (ActionDetector): A detector of clips; several cameras may share it.
        lock (Lock): Held while the detector runs; all cameras that share it use the
            same.
        score_thr (float): Actions below this score, in [0, 1], are dropped.
        top (int): Maximum number of actions of a person.

    Raises:
        ValueError: When it is a detector of single frames.
    """

    def __init__(
        self,
        detector: ActionDetector,
        lock: Lock,
        score_thr: float = 0.3,
        top: int = 2,
    ) -> None:
        if not detector.takes_people:
            raise ValueError(
                'a camera needs a detector of clips, such as SlowOnly; this is a '
                'detector of single frames'
            )
        self.detector, self.score_thr, self.top = detector, score_thr, top
        self._lock = lock
        most, least = max(0, *detector.offsets), min(0, *detector.offsets)
        self._places = [offset - most - 1 for offset in detector.offsets]
        self._middle = -most - 1
        self._frames: deque[_Kept] = deque(maxlen=most - least + 1)
        self._thread: Thread | None = None
        self._seen: list[SeenAction] = []

    @property
    def seen(self) -> list[SeenAction]:
        """The latest result."""
        return self._seen

    def put(self, image: np.ndarray, masks: Sequence[FaceMask]) -> None:
        """Add the next covered frame.

        Args:
            image (np.ndarray): uint8 (H, W, 3) RGB.
            masks (Sequence[FaceMask]): The masks in it.
        """
        height, width = image.shape[:2]
        faces = np.array([mask.box for mask in masks], np.float64).reshape(-1, 4)
        boxes = body_boxes(faces, (width, height))
        scale = min(1.0, _LONGEST / max(height, width))
        if scale < 1:
            size = round(width * scale), round(height * scale)
            small = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)
            image, boxes = np.asarray(small), boxes * scale
        if self._frames and self._frames[-1].image.shape != image.shape:
            self._frames.clear()
        self._frames.append(_Kept(image, boxes, [mask.track for mask in masks]))
        full = len(self._frames) == self._frames.maxlen
        if full and (self._thread is None or not self._thread.is_alive()):
            frames = list(self._frames)
            self._thread = Thread(target=self._look, args=(frames,), daemon=True)
            self._thread.start()

    def _look(self, frames: list[_Kept]) -> None:
        middle = frames[self._middle]
        kept = np.all(middle.boxes[:, 2:] > middle.boxes[:, :2], axis=1)
        with self._lock:
            scores = self.detector.look(
                [frames[place].image for place in self._places], middle.boxes[kept]
            ).scores
        seen = []
        tracks = [
            one
            for one, there in zip(middle.tracks, kept.tolist(), strict=True)
            if there
        ]
        for track, row in zip(tracks, scores, strict=True):
            for k in np.argsort(-row, kind='stable')[: self.top]:
                if row[k] >= self.score_thr:
                    name = self.detector.names[k]
                    seen.append(SeenAction(track, name, float(row[k])))
        self._seen = seen
