"""Convert a row group of a face table from Arrow columns to arrays."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

# Otherwise some methods of Arrow import it at their first call, while a worker waits.
import pyarrow.compute  # noqa: F401

from mmanon.structures.boxes import outside_frame
from mmanon.structures.faces import Faces

from .schema import BOX, VideoInfo, unsorted

__all__ = ['RowGroup', 'videos_of']


class RowGroup:
    """The rows of one row group as arrays, with the bounds of each video.

    Args:
        table: The columns of the row group.
        path: The face table's file, for messages.

    Attributes:
        videos (dict[str, slice]): The rows of each video.
        frames: int64 (n,), the frame number of each row.
        found: bool (n,), false in the row of a frame without faces.

    Raises:
        ValueError: If rows are not sorted, or contain an invalid value.
    """

    def __init__(self, table: pa.Table, path: str) -> None:
        column = _encoded(table['video'])
        if table.num_rows and (column.null_count or table['frame'].null_count):
            raise ValueError(f'face table {path} has rows without a video or a frame')
        codes = _array(column.indices)
        names = column.dictionary.to_pylist()
        self.frames = _array(table['frame']).astype(np.int64)
        self._infos: pa.ChunkedArray | None = None
        if 'video_info' in table.column_names:
            self._infos = table['video_info']
        starts = _starts(codes)
        stops = np.append(starts[1:], len(codes))
        self.videos = {
            names[codes[start]]: slice(int(start), int(stop))
            for start, stop in zip(starts, stops, strict=True)
        }
        order = [names[codes[start]] for start in starts]
        for previous, video in zip(order, order[1:], strict=False):
            if previous >= video:
                raise unsorted(path, video)
        for video, rows in self.videos.items():
            if (np.diff(self.frames[rows]) < 0).any():
                raise unsorted(path, video)

        null = np.stack([_flags(table[n].is_null()) for n in BOX], 1)
        boxes = np.stack([_array(table[n]) for n in BOX], 1).astype(np.float32)
        self.boxes = np.where(null, np.float32(0), boxes)
        self.found = np.logical_not(null.all(1))
        bad = self.found & (null.any(1) | outside_frame(self.boxes))
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            video = names[codes[row]]
            raise ValueError(
                f'face table {path}: video {video!r}, frame {self.frames[row]}: '
                f'box {table.select(BOX).slice(row, 1).to_pylist()[0]} is not '
                'x1 < x2, y1 < y2 in fractions of the frame within [0, 1]'
            )
        self.scores = _known(table['score'], 0).astype(np.float32)
        self.tracks = _known(table['track'], -1).astype(np.int32)
        points = _one_chunk(table['landmarks'])
        known = _flags(points.is_valid())
        lengths = _array(points.value_lengths())[known]
        if (lengths != 10).any():
            raise ValueError(
                f'face table {path}: landmarks must be 10 numbers or null, '
                f'but a row has {int(lengths[lengths != 10][0])}'
            )
        self.landmarks = np.full((len(codes), 5, 2), np.nan, np.float32)
        # flatten() leaves the null lists out.
        values = _known(points.flatten(), np.nan)
        self.landmarks[known] = values.reshape(-1, 5, 2)

    def info(self, video: str) -> VideoInfo | None:
        """The description of the video; None if unknown."""
        if self._infos is None:
            return None
        return VideoInfo.from_json(self._infos[self.videos[video].start].as_py())

    def frames_of(self, video: str) -> np.ndarray:
        """The examined frames of a video in this group, ascending."""
        return np.unique(self.frames[self.videos[video]])

    def faces(self, video: str, frame: int) -> Faces | None:
        """The faces of a frame; None if it has no row in this group."""
        rows = self.videos[video]
        frames = self.frames[rows]
        start, stop = np.searchsorted(frames, [frame, frame + 1]).tolist()
        if start == stop:
            return None
        start, stop = start + rows.start, stop + rows.start
        kept = np.flatnonzero(self.found[start:stop]) + start
        return Faces(
            self.boxes[kept], self.scores[kept], self.landmarks[kept], self.tracks[kept]
        )


def videos_of(table: pa.Table) -> Iterator[tuple[str, str | None]]:
    """Iterate over the videos in some rows, with their ``video_info``.

    Args:
        table: The column ``video``, and ``video_info`` if the table has it.
    """
    starts = _starts(_array(_encoded(table['video']).indices))
    infos: Iterable[str | None] = [None] * len(starts)
    if 'video_info' in table.column_names:
        # Many videos share one description: keep one string.
        infos = map(_shared, _texts(table['video_info'], starts))
    for video, info in zip(_texts(table['video'], starts), infos, strict=True):
        if video is not None:
            yield video, info


def _shared(text: str | None) -> str | None:
    return None if text is None else sys.intern(text)


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    column = column.combine_chunks()
    return column.chunk(0) if isinstance(column, pa.ChunkedArray) else column


def _encoded(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """Encode strings as indices into a dictionary."""
    whole = _one_chunk(column)
    return whole if pa.types.is_dictionary(whole.type) else whole.dictionary_encode()


def _starts(codes: np.ndarray) -> np.ndarray:
    """The positions at which the number changes, and 0."""
    return np.flatnonzero(np.diff(codes, prepend=-1))


def _texts(column: pa.ChunkedArray, rows: np.ndarray) -> list[str | None]:
    """The strings in the given rows."""
    encoded = _encoded(column)
    values = encoded.dictionary.to_pylist()
    known, codes = _flags(encoded.is_valid())[rows], _array(encoded.indices)[rows]
    return [
        values[code] if there else None
        for code, there in zip(codes, known, strict=True)
    ]


def _array(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Numbers as an array; its values are undefined where the column is null.

    This function avoids to_numpy(), to_pandas_dtype() and Arrow's scalars: they import
    pandas if it is installed, which takes half a second and 40 MB in each worker.
    """
    if isinstance(column, pa.ChunkedArray):
        column = _one_chunk(column)
    letter = 'f' if pa.types.is_floating(column.type) else 'i'
    if pa.types.is_unsigned_integer(column.type):
        letter = 'u'
    kind = np.dtype(f'{letter}{column.type.bit_width // 8}')
    if not len(column):
        return np.zeros(0, kind)
    values = np.frombuffer(column.buffers()[1], kind)
    return values[column.offset : column.offset + len(column)]


def _known(column: pa.Array | pa.ChunkedArray, instead: float) -> np.ndarray:
    """Numbers, with ``instead`` in the place of nulls."""
    values = _array(column)
    return np.where(_flags(column.is_valid()), values, values.dtype.type(instead))


def _flags(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    return _array(column.cast(pa.uint8())).astype(bool)
