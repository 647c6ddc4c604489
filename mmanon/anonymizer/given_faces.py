"""Where the faces of a frame are, as somebody has written down."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmanon.structures.faces import Faces

from .face_finding import Find
from .io.sources import InputError

if TYPE_CHECKING:
    from mmanon.structures.face_table import FaceTable

__all__ = ['GivenFaces']


class GivenFaces:
    """Faces from a face table, or from a JSON file of one's own.

    The JSON file maps names of images and videos (their paths below the folder that is
    anonymized) to boxes in pixels of the upright picture: of an image a list of
    ``[x1, y1, x2, y2]``, of a video such a list for each frame's number from 0 ::

        {"photo.jpg": [[10, 20, 60, 80]],
         "clips/a.mp4": {"0": [[5, 5, 40, 50]], "1": []}}

    A frame without an entry counts as never examined.

    Args:
        path (str or Path): ``*.json``, or a table of ``tools/detect_faces.py``.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it is of another kind.
    """

    parallel = False

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f'boxes {path} do not exist')
        self._table: FaceTable | None = None
        self._given: dict[str, Any] = {}
        if self.path.suffix.lower() != '.json':
            from mmanon.structures.face_table import FaceTable

            self._table = FaceTable(self.path)
            return
        try:
            self._given = json.loads(self.path.read_text(encoding='utf-8'))
        except ValueError as error:
            raise ValueError(f'{path} is not JSON: {error}') from error
        if not isinstance(self._given, dict):
            raise ValueError(f'{path} must map names of files to boxes')

    def open(self, name: str) -> Find:
        """Begin a source; see :class:`.face_finding.FaceFinder`."""
        if self._table is not None:
            return self._open_table(self._table, name)
        if name not in self._given:
            some = ', '.join(list(self._given)[:3])
            raise InputError(f'{self.path} has no boxes of {name!r}; it has {some} …')
        frames = self._given[name]
        if isinstance(frames, list):
            frames = {'0': frames}
        try:
            boxes = {
                int(number): np.asarray(frame_boxes, np.float64).reshape(-1, 4)
                for number, frame_boxes in frames.items()
            }
        except (ValueError, TypeError, AttributeError) as error:
            raise InputError(
                f'{self.path}: boxes of {name!r} must be [x1, y1, x2, y2]: {error}'
            ) from error
        for number, frame_boxes in boxes.items():
            upright = (frame_boxes[:, 2:] > frame_boxes[:, :2]).all()
            if not np.isfinite(frame_boxes).all() or not upright:
                raise InputError(
                    f'{self.path}: frame {number} of {name!r} has a box that is not '
                    'x1 < x2, y1 < y2'
                )

        def find(index: int, image: np.ndarray) -> Faces:
            if index not in boxes:
                return Faces.whole_frame()
            height, width = image.shape[:2]
            inside = np.clip(boxes[index] / [width, height, width, height], 0, 1)
            return _as_faces(inside[(inside[:, 2:] > inside[:, :2]).all(1)])

        return find

    def _open_table(self, table: FaceTable, name: str) -> Find:
        stem = name.rsplit('.', 1)[0]
        if stem not in table:
            raise InputError(
                f'face table {self.path} has no video {stem!r}; a video is named by '
                'its path below the folder of all, without extension'
            )

        def find(index: int, image: np.ndarray) -> Faces:
            faces = table.lookup(stem, index)
            unknown = not faces.examined and (faces.boxes == [[0, 0, 1, 1]]).all(1)
            if np.any(unknown) and not faces.scores.any():
                return faces
            # Written down as faces: none of them is a mere candidate.
            return replace(faces, scores=np.ones_like(faces.scores), examined=True)

        return find


def _as_faces(boxes: np.ndarray) -> Faces:
    count = len(boxes)
    return Faces(
        boxes.astype(np.float32),
        np.ones(count, np.float32),
        np.full((count, 5, 2), np.nan, np.float32),
        np.full(count, -1, np.int32),
    )
