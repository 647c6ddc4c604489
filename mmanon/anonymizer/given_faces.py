"""Read the faces of a frame from a file."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmanon.structures.faces import Faces
from mmanon.utils.log import print_log
from mmanon.utils.media_types import is_image

from .box_files import KnownBoxes, read_csv, read_cvat, read_label_studio
from .face_finding import Find
from .io.sources import InputError

if TYPE_CHECKING:
    from mmanon.structures.face_table import FaceTable, VideoInfo

__all__ = ['GivenFaces']


class GivenFaces:
    """Faces from a face table, an annotation tool, or your own JSON.

    The JSON file maps names of images and videos (their paths relative to the input
    folder) to boxes in pixels of the upright picture. For an image, these are a list of
    ``[x1, y1, x2, y2]``; for a video, such a list for each frame number, from 0::

        {"photo.jpg": [[10, 20, 60, 80]],
         "clips/a.mp4": {"0": [[5, 5, 40, 50]], "1": []}}

    A frame without an entry counts as never examined. Files of annotation tools are
    CVAT's XML, Label Studio's JSON, and CSV of ``frame,x,y,w,h``; see
    :mod:`.box_files`.

    Args:
        path (str or Path): ``*.json``, ``*.xml``, ``*.csv``, or a face table of
            ``mmanon detect-faces``.

    Raises:
        FileNotFoundError: When the file does not exist.
        ValueError: When it has another format.
    """

    parallel = False

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f'boxes {path} do not exist')
        self._table: FaceTable | None = None
        self._given: dict[str, Any] = {}
        self._drawn: dict[str | None, KnownBoxes] | None = None
        kind = self.path.suffix.lower()
        if kind in ('.csv', '.xml'):
            read = read_csv if kind == '.csv' else read_cvat
            self._drawn = read(self.path)
            return
        if kind != '.json':
            from mmanon.structures.face_table import FaceTable

            self._table = FaceTable(self.path)
            return
        try:
            content: Any = json.loads(self.path.read_text(encoding='utf-8-sig'))
        except ValueError as error:
            raise ValueError(
                f'{path} is neither a face table (*.parquet) nor JSON: {error}'
            ) from error
        if isinstance(content, list):
            self._drawn = read_label_studio(self.path, content)
            return
        if not isinstance(content, dict):
            raise ValueError(
                f'{path} must map names of files to boxes, such as '
                '{"photo.jpg": [[10, 20, 60, 80]]}'
            )
        self._given = content

    def open(self, name: str, path: Path | None = None) -> Find:
        """Begin a source; see :class:`.face_finding.FaceFinder`."""
        if self._table is not None:
            return self._open_table(self._table, name, path)
        if self._drawn is not None:
            return self._open_drawn(self._of(self._drawn, name))
        if name not in self._given:
            some = ', '.join(map(repr, list(self._given)[:3])) or 'none'
            raise InputError(
                f'{self.path} has no boxes of {name!r}: it has those of {some} …; the '
                'name of a file is its path relative to the input folder'
            )
        frames = self._given[name]
        if isinstance(frames, list):
            frames = {'0': frames}
        where = f'{self.path}, {name!r}'
        if not isinstance(frames, dict):
            raise InputError(
                f'{where}: must be a list of boxes, or map frame numbers to such '
                f'lists; it is {frames!r}'
            )
        boxes = {
            _frame_number(number, where): _boxes(given, f'{where}, frame {number}')
            for number, given in frames.items()
        }

        def find(index: int, image: np.ndarray) -> Faces:
            if index not in boxes:
                return Faces.whole_frame()
            height, width = image.shape[:2]
            inside = np.clip(boxes[index], 0, [width, height, width, height])
            for box, part in zip(boxes[index], inside, strict=True):
                if (part[2:] <= part[:2]).any():
                    raise InputError(
                        f'{where}, frame {index}: box {box.tolist()} is outside the '
                        f'picture, which has {width}x{height} pixels'
                    )
            return _as_faces(inside / [width, height, width, height])

        return find

    def beyond(self, name: str, frames: int) -> list[str]:
        """The message about boxes after the last frame of a source, or none.

        Args:
            name (str): As for :meth:`open`.
            frames (int): The number of its frames.

        Returns:
            list[str]: The message, or an empty list.
        """
        given: Any = self._given
        if self._drawn is not None:
            last = self._of(self._drawn, name).last
            given = {name: {str(last): True}} if last >= 0 else {}
        given = given.get(name)
        if not isinstance(given, dict):
            return []
        over = [number for number in given if int(number) >= frames and given[number]]
        if not over:
            return []
        return [
            f'it has no frame {", ".join(over[:3])}{" …" if len(over) > 3 else ""}, '
            f'for which {self.path} has boxes: frames are counted from 0'
        ]

    def _of(self, drawn: dict[str | None, KnownBoxes], name: str) -> KnownBoxes:
        """The boxes of a source, by its path or file name, or the only ones."""
        bare = name.rsplit('/', 1)[-1]
        # An upload to Label Studio has a number before its name.
        ends = [one for one in drawn if one and one.endswith(f'-{bare}')]
        for key in (name, bare, *ends, None):
            if key in drawn:
                return drawn[key]
        some = ', '.join(map(repr, list(drawn)[:3]))
        raise InputError(
            f'{self.path} has no boxes of {name!r}: it has those of {some}'
        )

    def _open_drawn(self, known: KnownBoxes) -> Find:
        def find(index: int, image: np.ndarray) -> Faces:
            size = image.shape[1], image.shape[0]
            boxes = known.boxes(index, size)
            if boxes is None:
                return Faces.whole_frame()
            inside = boxes.clip(0, [*size, *size])
            empty = (inside[:, 2:] <= inside[:, :2]).any(1)
            if empty.any():
                box = boxes[empty][0].round().tolist()
                raise InputError(
                    f'{self.path}, frame {index}: box {box} '
                    f'is outside the picture, which has {size[0]}x{size[1]} pixels'
                )
            return _as_faces(inside / [*size, *size])

        return find

    def _open_table(self, table: FaceTable, name: str, path: Path | None) -> Find:
        stem = name.rsplit('.', 1)[0]
        if is_image(name):
            raise InputError(
                f'face table {self.path} has only faces of videos, but {name!r} is an '
                'image: anonymize it without boxes'
            )
        if stem not in table:
            raise InputError(
                f'face table {self.path} has no video {stem!r}; the name of a video is '
                'its path relative to the input folder, without extension'
            )

        info = table.info(stem)
        _check_same_file(self.path, info, name, path)

        def find(index: int, image: np.ndarray) -> Faces:
            if info is not None and not info.has_shape(*image.shape[:2]):
                raise InputError(
                    f'face table {self.path} has the faces of a video {stem!r} of '
                    f'{info.width}x{info.height} pixels, but {name!r} has '
                    f'{image.shape[1]}x{image.shape[0]}: make a table of this file'
                )
            faces = table.lookup(stem, index)
            unknown = not faces.examined and (faces.boxes == [[0, 0, 1, 1]]).all(1)
            if np.any(unknown) and not faces.scores.any():
                return faces
            # A face in a table counts as sure, whatever its score.
            return replace(faces, scores=np.ones_like(faces.scores), examined=True)

        return find


def _check_same_file(
    table: Path, info: VideoInfo | None, name: str, path: Path | None
) -> None:
    """Reject a file whose faces in the table are those of another file."""
    if info is not None and info.kind == 'folder':
        other = 'a folder of images'
    elif info is None or info.file is None:
        print_log(
            f'face table {table} was made by an earlier release and does not say which '
            f'file it has for {name!r}: make it again, to be sure that it is this one',
            level=logging.WARNING,
        )
        return
    elif info.file != name.rsplit('/', 1)[-1]:
        other = f'the file {info.file!r}'
    elif path is not None and info.size not in (None, path.stat().st_size):
        other = f'another file {info.file!r}, of {info.size} bytes'
    else:
        return
    raise InputError(
        f'face table {table} has for {name!r} the faces of {other}: make a table of '
        'this file, or anonymize it without boxes'
    )


def _frame_number(number: str, where: str) -> int:
    if not (number.isdecimal() and number.isascii()):
        raise InputError(
            f'{where}: {number!r} is no frame number; frames are counted from "0"'
        )
    return int(number)


def _boxes(given: Any, where: str) -> np.ndarray:
    """Boxes of one frame, float64 (K, 4)."""
    if not isinstance(given, list):
        raise InputError(f'{where}: must be a list of boxes, got {given!r}')
    for box in given:
        numbers = isinstance(box, list) and len(box) == 4
        if not numbers or any(
            isinstance(side, bool) or not isinstance(side, (int, float)) for side in box
        ):
            raise InputError(
                f'{where}: a box must be four numbers [x1, y1, x2, y2] in pixels, got '
                f'{box!r}'
            )
    boxes = np.asarray(given, np.float64).reshape(-1, 4)
    for box in boxes:
        if not np.isfinite(box).all() or (box[2:] <= box[:2]).any():
            raise InputError(
                f'{where}: in box {box.tolist()} x1 must be less than x2, and y1 less '
                'than y2'
            )
        if (box[2:] - box[:2] < 1).any():
            raise InputError(
                f'{where}: box {box.tolist()} is smaller than a pixel; boxes are in '
                'pixels of the upright picture, not in fractions of it'
            )
    return boxes


def _as_faces(boxes: np.ndarray) -> Faces:
    count = len(boxes)
    return Faces(
        boxes.astype(np.float32),
        np.ones(count, np.float32),
        np.full((count, 5, 2), np.nan, np.float32),
        np.full(count, -1, np.int32),
    )
