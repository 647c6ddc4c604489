"""Things of any kind, by an ONNX file that answers with boxes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmanon.utils.onnx_runtime import open_session

from .base import BaseFaceDetector, check_thresholds
from .suppression import suppress

__all__ = ['OnnxBoxDetector']

_GREY = 114  # of what is beside a picture that does not fill the input
_LARGEST, _CELL = 1280, 32  # pixels, of an input of any size


class OnnxBoxDetector(BaseFaceDetector):
    """Finds what a detector in an ONNX file was trained for, such as licence plates.

    The file takes float32 (1, 3, H, W), RGB in [0, 1]. It answers, in pixels of that
    input, either with rows (1, n, 5 or more) or (n, 5 or more) of x1, y1, x2, y2, score
    and perhaps a class, as exports of YOLO with their own suppression do; or with
    ``boxes`` (n, 4) and ``scores`` (n,), and perhaps ``labels`` (n,), as those of
    torchvision do. A picture is made as large as the input, keeping its shape, with
    grey at its right and below. Where the file takes any size, the longer side is 1280
    pixels at most, and sides are multiples of 32.

    Args:
        weights (str or Path): The file.
        score_threshold (float): What is less sure is left out, in [0, 1].
        classes (Sequence[int], optional): Numbers of the classes to take; all by
            default.
        nms_threshold (float): Overlap (IoU), in [0, 1], above which the weaker of two
            boxes is left out.
        device (str): Where it runs, such as ``'cuda'``.

    Raises:
        FileNotFoundError: When there is no such file.
        ImportError: When ONNX Runtime is not installed.
        ValueError: When it is no such file.
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
                f'{weights} is no ONNX file that can be read: {said}'
            ) from (error)
        self.places = (place,)
        inputs = self._session.get_inputs()
        shape = inputs[0].shape
        if len(inputs) != 1 or len(shape) != 4 or shape[1] != 3:
            given = ', '.join(f'{one.name} {one.shape}' for one in inputs)
            raise ValueError(
                f'{weights} must take one picture, (1, 3, height, width); it takes '
                f'{given}'
            )
        self._input = inputs[0].name
        sides = shape[2:]
        self._size: tuple[int, int] | None = None
        if all(isinstance(side, int) for side in sides):
            self._size = sides[0], sides[1]
        self._names = [one.name for one in self._session.get_outputs()]
        self._score_threshold, self._nms_threshold = score_threshold, nms_threshold
        self._classes = None if classes is None else list(classes)
        # What the file answers with is told before a video is begun.
        self._detect(np.full((64, 64, 3), _GREY, np.uint8))

    @property
    def first_class(self) -> int:
        """The number of its first class: 0 in rows; 1 in labels, 0 being none."""
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
        """What the network is shown, and how much larger it is than the picture."""
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
        """Boxes, scores and, where there are any, classes."""
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
            f'{self.weights} must answer with rows (n, 5) of x1, y1, x2, y2 and score, '
            f'or with boxes (n, 4) and scores (n,); it answers with {given}'
        )
