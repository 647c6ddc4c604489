from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .base import BaseFaceDetector
from .suppression import suppress

_CHANNELS = {'red': 0, 'green': 1, 'blue': 2}
_VIEWS = ('plain', 'mirrored', 'enlarged', *_CHANNELS)
# Pictures are enlarged to this longer side, but at most to twice their size.
_ENLARGED_SIDE, _MOST_ENLARGED = 960, 2
# In a mirrored picture, the eyes and the corners of the mouth are swapped.
_MIRRORED_MARKS = [1, 0, 2, 4, 3]


class CombinedFaceDetector(BaseFaceDetector):
    """Joins the faces that any of several detectors finds in any of several views.

    Detectors fail on different faces, and coloured light spoils some channels of a
    picture more than others: under red light the red channel is white all over, but the
    green one still shows a face.

    Args:
        detectors: A mapping for each detector, with two keys. ``detector`` is the
            config of a face detector, or the detector itself. ``views`` are the
            pictures that it
            gets: ``'plain'``, ``'mirrored'``, ``'enlarged'`` (to a longer side of 960
            pixels, but at most to twice the size; skipped if the picture is as large
            already), or one channel as grey, ``'red'``, ``'green'`` or ``'blue'``.
            Defaults to ``'plain'``.
        nms_threshold: If two boxes overlap by more than this IoU, in [0, 1], the one
            with the lower score is dropped.

    Raises:
        ValueError: If there is no detector, a view is unknown, or the threshold is out
            of its range.
    """

    def __init__(
        self, detectors: Sequence[Mapping], nms_threshold: float = 0.5
    ) -> None:
        from .build import build_face_detector  # it imports this module

        if not detectors:
            raise ValueError('detectors must contain at least one face detector')
        if not 0 <= nms_threshold <= 1:
            raise ValueError(f'nms_threshold must be in [0, 1], got {nms_threshold}')
        self.nms_threshold = nms_threshold
        self._passes: list[tuple[BaseFaceDetector, str]] = []
        for one in detectors:
            built = build_face_detector(one['detector'])
            for view in one.get('views', ('plain',)):
                if view not in _VIEWS:
                    raise ValueError(
                        f'views must be from {", ".join(_VIEWS)}, got {view!r}'
                    )
                self._passes.append((built, view))
        self.parallel = all(detector.parallel for detector, _ in self._passes)
        places = (place for one, _ in self._passes for place in one.places)
        self.places = tuple(dict.fromkeys(places))

    def _detect(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        found = [_look(detector, image, view) for detector, view in self._passes]
        boxes, scores, marks = (np.concatenate(one) for one in zip(*found, strict=True))
        kept = suppress(boxes, scores, self.nms_threshold)
        return boxes[kept], scores[kept], marks[kept]


def _look(
    detector: BaseFaceDetector, image: np.ndarray, view: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Detect faces in a view of an image: boxes, scores, landmarks in its pixels."""
    if view in _CHANNELS:
        channel = image[..., _CHANNELS[view]]
        found = detector.detect(np.repeat(channel[..., None], 3, 2))
    elif view == 'mirrored':
        found = detector.detect(np.ascontiguousarray(image[:, ::-1]))
        width = image.shape[1]
        boxes, marks = found.boxes.copy(), found.landmarks[:, _MIRRORED_MARKS].copy()
        boxes[:, [0, 2]] = width - boxes[:, [2, 0]]
        marks[..., 0] = width - marks[..., 0]
        return boxes, found.scores, marks
    elif view == 'enlarged':
        return _look_closer(detector, image)
    else:
        found = detector.detect(image)
    return found.boxes, found.scores, found.landmarks


def _look_closer(
    detector: BaseFaceDetector, image: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Detect faces in an enlarged copy of a small picture."""
    from PIL import Image

    height, width = image.shape[:2]
    factor = min(_ENLARGED_SIDE / max(height, width), _MOST_ENLARGED)
    size = round(width * factor), round(height * factor)
    if factor <= 1 or size == (width, height):
        return np.zeros((0, 4)), np.zeros(0), np.zeros((0, 5, 2))
    larger = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)
    found = detector.detect(np.asarray(larger))
    back = np.array([width, height]) / size
    return found.boxes * np.tile(back, 2), found.scores, found.landmarks * back
