"""Detect objects of any kind with an ONNX file that returns boxes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmanon.utils.onnx_runtime import open_session

from .base import BaseFaceDetector, check_thresholds
from .suppression import suppress

__all__ = ['OnnxBoxDetector']

_GREY = 114  # fills the part of the input that the picture does not cover
_LARGEST, _CELL = 1280, 32  # pixels, for an input of variable size


class OnnxBoxDetector(BaseFaceDetector):
    """Runs a detector in an ONNX file, for example one of licence plates.

    The input of the network is float32 (1, 3, H, W), RGB in [0, 1]. Its output is in
    pixels of that input and has one of two forms. Either it is one array, (1, n, 5 or
    more) or (n, 5 or more), with rows of x1, y1, x2, y2, score and optionally a class;
    YOLO exports with non-maximum suppression have this form. Or it is ``boxes`` (n, 4),
    ``scores`` (n,) and optionally ``labels`` (n,), as in exports of torchvision. A
    picture is scaled to fit the input without changing its aspect ratio; grey fills the
    rest at the right and at the bottom. If the input has a variable size, a picture is
    only shrunk, to a longer side of at most 1280 pixels, and filled to sides that are
    multiples of 32.

    Args:
        weights (str or Path): The ONNX file.
        score_threshold (float): Detections below this score, in [0, 1], are dropped.
        classes (Sequence[int], optional): The numbers of the classes to keep. Defaults
            to all.
        nms_threshold (float): If two boxes overlap by more than this IoU, in [0, 1],
            the one with the lower score is dropped.
        device (str): Where it runs, such as ``'cuda'``.

    Raises:
        FileNotFoundError: When the file does not exist.
        ImportError: When ONNX Runtime is not installed.
        ValueError: When the file cannot be read, or has another input or output.
    """

    parallel = True

    def __init__(
        self,
        weights: str | Path,
        score_threshold: float = 0.3,
        classes: Sequence[int] | None = None,
        nms_threshold: float = 0.5,
        device: str = 'cpu',
    ) -> None:
        check_thresholds(score_threshold=score_threshold, nms_threshold=nms_threshold)
        self.weights = Path(weights).expanduser()
        if not self.weights.is_file():
            raise FileNotFoundError(f'detector {weights} does not exist')
        try:
            self._session, place = open_session(self.weights, device)
        except ImportError:
            raise
        # ONNX Runtime's errors have no common class.
        except Exception as error:
            said = (str(error).splitlines() or [type(error).__name__])[0]
            raise ValueError(
                f'{weights} cannot be read as an ONNX file: {said}'
            ) from error
        self.places = (place,)
        inputs = self._session.get_inputs()
        shape = inputs[0].shape
        if len(inputs) != 1 or len(shape) != 4 or shape[1] != 3:
            given = ', '.join(f'{one.name} {one.shape}' for one in inputs)
            raise ValueError(
                f'{weights} must have one input, (1, 3, height, width), but its inputs '
                f'are: {given}'
            )
        self._input = inputs[0].name
        sides = shape[2:]
        self._size: tuple[int, int] | None = None
        if all(isinstance(side, int) for side in sides):
            self._size = sides[0], sides[1]
        self._names = [one.name for one in self._session.get_outputs()]
        self._score_threshold, self._nms_threshold = score_threshold, nms_threshold
        self._classes = None if classes is None else list(classes)
        # A trial run: a wrong output is an error before any video is begun.
        self._detect(np.full((64, 64, 3), _GREY, np.uint8))

    @property
    def first_class(self) -> int:
        """The number of the first class: 0 in rows, 1 in labels (0 is background)."""
        return int('labels' in self._names)

    def _detect(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        given, factors = self._fitted(image)
        answers = self._session.run(None, {self._input: given})
        boxes, scores, classes = self._rows(answers)
        kept = scores >= self._score_threshold
        if self._classes is not None and classes is not None:
            kept &= np.isin(classes, self._classes)
        boxes, scores = boxes[kept] / np.tile(factors, 2), scores[kept]
        places = suppress(boxes, scores, self._nms_threshold)
        marks = np.full((len(places), 5, 2), np.nan)
        return boxes[places], scores[places], marks

    def _fitted(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The network's input, and the factors of scaling, (x, y)."""
        from PIL import Image

        height, width = image.shape[:2]
        if self._size is not None:
            factor = min(self._size[0] / height, self._size[1] / width)
        else:
            factor = min(1.0, _LARGEST / max(height, width))
        inner = max(1, round(width * factor)), max(1, round(height * factor))
        if inner != (width, height):
            shrunk = Image.fromarray(image).resize(inner, Image.Resampling.BILINEAR)
            image = np.asarray(shrunk)
        size = self._size or tuple(-(-side // _CELL) * _CELL for side in inner[::-1])
        filled = np.full((*size, 3), _GREY, np.uint8)
        filled[: inner[1], : inner[0]] = image
        shown = filled.transpose(2, 0, 1)[None].astype(np.float32) / 255
        return shown, np.array([inner[0] / width, inner[1] / height])

    def _rows(
        self, answers: Sequence[Any]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Boxes, scores and, if the network returns them, classes."""
        arrays = [np.asarray(one) for one in answers]
        if len(arrays) == 1 and arrays[0].ndim in (2, 3) and arrays[0].shape[-1] >= 5:
            rows = arrays[0].reshape(-1, arrays[0].shape[-1]).astype(np.float64)
            classes = rows[:, 5].astype(int) if rows.shape[1] > 5 else None
            return rows[:, :4], rows[:, 4], classes
        named = dict(zip(self._names, arrays, strict=True))
        if {'boxes', 'scores'} <= named.keys():
            boxes = named['boxes'].reshape(-1, 4).astype(np.float64)
            scores = named['scores'].reshape(-1).astype(np.float64)
            if len(boxes) == len(scores):
                labels = named.get('labels')
                return boxes, scores, None if labels is None else labels.reshape(-1)
        given = ', '.join(f'{name} {one.shape}' for name, one in named.items())
        raise ValueError(
            f'{self.weights} must return rows (n, 5) of x1, y1, x2, y2 and score, '
            f'or boxes (n, 4) and scores (n,); it returns {given}'
        )
