"""Face tables: the faces of every frame of a video data set, in one Parquet file.

A row is one face; a frame examined without finding any is one row whose box is null; a
frame without a row was never examined. Rows are sorted by (video, frame), so that a
row group is found by its statistics. A column tells what each video was, see
:class:`VideoInfo`: faces of another video of the same name must not be taken for them.

Nothing grows with the number of faces or videos but the file's footer, a few kilobytes
for a row group of 16384 faces: a process that opens a table reads the footer, and maps
the rest of the file into memory, which all processes of a machine share; a process that
asks for a frame decodes its row group and keeps the last eight. What that takes for ten
million faces is measured by ``tools/benchmark_face_table.py``.
"""

from __future__ import annotations

import bisect
import json
import mmap
import os
import sys
from collections import OrderedDict
from collections.abc import Iterable, Set
from dataclasses import astuple, dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa

# Arrow imports it at the first call of some methods otherwise, while a worker waits.
import pyarrow.compute  # noqa: F401
import pyarrow.parquet as pq
from mmengine.logging import MMLogger

from mmanon.utils.atomic_write import WholeFile

from .faces import Faces

__all__ = ['FaceTable', 'FaceTableWriter', 'Faces', 'VideoInfo']

_VERSION = 1
_METADATA_KEY = b'mmanon_face_table'
_BOX = ('x1', 'y1', 'x2', 'y2')
_SCHEMA = pa.schema(
    [
        pa.field('video', pa.string(), nullable=False),
        pa.field('frame', pa.int32(), nullable=False),
        *(pa.field(name, pa.float32()) for name in _BOX),
        pa.field('score', pa.float32()),
        pa.field('track', pa.int32()),
        # Of length 10 or null; Arrow below 26 cannot read nulls of a fixed-size list.
        pa.field('landmarks', pa.list_(pa.float32())),
        # VideoInfo as JSON, the same in all rows of a video; null where it is unknown.
        # A column, not the file's metadata: of those every process reads all.
        pa.field('video_info', pa.string()),
    ]
)
# A table of an earlier release has none.
_OPTIONAL = {'video_info'}
_MAKE = 'python tools/detect_faces.py DATA_ROOT --out {}'
_CACHED_GROUPS = 8
_CACHED_INFOS = 4096


@dataclass(frozen=True)
class VideoInfo:
    """What a video was when its faces were found.

    Attributes:
        kind: ``'file'``, a video file, or ``'folder'``, a folder of numbered images.
        width: Width of its frames in pixels as they are seen, upright; None where
            they differ in size or none could be read.
        height: Their height, or None.
        num_frames: How many it has; None where it could not be read to its end.
        turned: How its pixels are stored: ``'no'``, upright; ``'quarter'``, to be
            turned by 90 degrees to either side; ``'other'``, upside down or mirrored.

    Raises:
        ValueError: If ``kind`` or ``turned`` is something else.
    """

    kind: str
    width: int | None = None
    height: int | None = None
    num_frames: int | None = None
    turned: str = 'no'

    def __post_init__(self) -> None:
        if self.kind not in ('file', 'folder'):
            raise ValueError(f"kind must be 'file' or 'folder', got {self.kind!r}")
        if self.turned not in ('no', 'quarter', 'other'):
            raise ValueError(
                f"turned must be 'no', 'quarter' or 'other', got {self.turned!r}"
            )

    def has_shape(self, height: int, width: int) -> bool:
        """Whether frames of (height, width) pixels are of its shape, at any scale.

        A side may be off by two pixels: scaled videos have even sides.
        """
        if self.width is None or self.height is None:
            return True
        return (
            abs(width - height * self.width / self.height) <= 2
            or abs(height - width * self.height / self.width) <= 2
        )


class FaceTableWriter:
    """Writes a face table beside its place and moves it there when it is complete.

    Used as a context manager; where its block is left by an error, or the writer is
    never closed, no table appears. What a killed process leaves, ``.<name>.part``, is
    replaced by the next writer of the same table.

    Args:
        path: The table's file; its folder is made.
        detector: Name of what found the faces.
        interval: 1 where every frame is examined, n where every n-th is.
        rows_per_group: Rows read at once later; smaller groups make reading single
            frames faster and the file larger.

    Raises:
        ValueError: If ``interval`` is below 1.
        OSError: If the file cannot be written.
    """

    def __init__(
        self,
        path: str | Path,
        detector: str,
        interval: int = 1,
        rows_per_group: int = 16384,
    ) -> None:
        if interval < 1:
            raise ValueError(f'interval must be at least 1, got {interval}')
        self._file = WholeFile(Path(path), alone=True)
        self._rows_per_group = rows_per_group
        about = {'detector': detector, 'interval': interval, 'version': _VERSION}
        schema = _SCHEMA.with_metadata({_METADATA_KEY: json.dumps(about)})
        self._writer = pq.ParquetWriter(self._file.beside, schema, compression='zstd')
        self._schema = schema
        self._last: tuple[str, int] | None = None
        self._rows: list[tuple] = []
        self._described: tuple[str, str] | None = None

    def describe(self, video: str, info: VideoInfo) -> None:
        """Say what a video is, before its frames are added.

        Args:
            video: As for :meth:`add`.
            info: Lets a reader of the table refuse another video of that name.

        Raises:
            ValueError: If frames of the video, or of one behind it, were added already.
        """
        if self._last is not None and str(video) <= self._last[0]:
            raise ValueError(
                f'video {video!r} is described after frame {self._last} was added: '
                'describe each video before its frames'
            )
        about = json.dumps(astuple(info), separators=(',', ':'))
        self._described = str(video), about

    def add(self, video: str, frame: int, faces: Faces) -> None:
        """Add the faces of one examined frame; frames come sorted by (video, frame).

        Args:
            video: Path of the video or frame folder relative to the data set's root,
                without extension.
            frame: The number in the frame's file name, or the index from 0 in a video.
            faces: Its faces; of length 0 where it has none.

        Raises:
            ValueError: If the frame is not behind the one added before, or a box is not
                within the frame.
        """
        key = (str(video), int(frame))
        if self._last is not None and key <= self._last:
            raise ValueError(
                f'frame {key} is added after {self._last}: add each frame once, sorted '
                'by (video, frame)'
            )
        self._last = key
        about = None
        if self._described is not None and self._described[0] == key[0]:
            about = self._described[1]
        boxes = np.asarray(faces.boxes, np.float32).reshape(-1, 4)
        bad = _outside(boxes)
        if bad.any():
            raise ValueError(
                f'video {video!r}, frame {frame}: box {boxes[bad][0].tolist()} is not '
                'x1 < x2, y1 < y2 in fractions of the frame within [0, 1]'
            )
        if not len(boxes):
            self._rows.append((*key, *[None] * 7, about))
        for box, score, points, track in zip(
            boxes, faces.scores, faces.landmarks, faces.tracks, strict=True
        ):
            points = np.asarray(points, np.float32).reshape(10)
            self._rows.append(
                (
                    *key,
                    *box.tolist(),
                    float(score),
                    int(track),
                    None if np.isnan(points).any() else points.tolist(),
                    about,
                )
            )
        if len(self._rows) >= self._rows_per_group:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            columns = [
                pa.array(column, field.type)
                for column, field in zip(
                    zip(*self._rows, strict=True), self._schema, strict=True
                )
            ]
            self._writer.write_table(
                pa.Table.from_arrays(columns, schema=self._schema),
                row_group_size=len(self._rows),
            )
            self._rows = []

    def close(self) -> None:
        """Complete the table and move it to its place."""
        self._flush()
        self._writer.close()
        self._file.finish()

    def abort(self) -> None:
        """Leave no table."""
        self._writer.close()
        self._file.discard()

    def __enter__(self) -> FaceTableWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()


class FaceTable:
    """Reads a face table frame by frame, holding only a few row groups in memory.

    Opening it reads the file's footer. A copy sent to another process carries the path
    alone. One inherited by a forked process is read there as it is: the file is mapped
    into memory and never written, so that there is no file position to share.

    Args:
        path: The Parquet file written by ``tools/detect_faces.py``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not Parquet, lacks columns, or is not sorted; and later,
            when rows are read, if a box is not within its frame.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self._open()

    def _open(self) -> None:
        if not Path(self.path).is_file():
            raise FileNotFoundError(
                f'face table {self.path} does not exist; make it by '
                f'`{_MAKE.format(self.path)}`'
            )
        try:
            # Mapped, not read: many loader workers then share one copy of the file.
            with open(self.path, 'rb') as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            source = pa.BufferReader(pa.py_buffer(self._map))
            metadata = pq.read_metadata(source)
            self._file = pq.ParquetFile(
                source,
                metadata=metadata,
                read_dictionary=[
                    name
                    for name in ('video', 'video_info')
                    if name in metadata.schema.names
                ],
            )
        except (pa.ArrowInvalid, ValueError) as error:
            raise ValueError(
                f'{self.path} is not a Parquet file ({error}); make a face table by '
                f'`{_MAKE.format(self.path)}`'
            ) from error
        self._check_schema()
        about = (self._file.schema_arrow.metadata or {}).get(_METADATA_KEY, b'{}')
        about = json.loads(about)
        self.detector: str = about.get('detector', 'unknown')
        self.interval: int = int(about.get('interval', 1))
        if about.get('version', _VERSION) != _VERSION:
            raise ValueError(
                f'face table {self.path} has version {about["version"]}, this release '
                f'reads version {_VERSION}; make it again by '
                f'`{_MAKE.format(self.path)}`'
            )
        self._index_groups()
        self._groups: OrderedDict[int, _Group] = OrderedDict()
        self._abouts: dict[str, str | None] | None = None
        self._infos: dict[str, VideoInfo | None] = {}
        self._guessed: set[str] = set()
        self._said_interval = False

    def __getstate__(self) -> dict:
        return {'path': self.path}

    def __setstate__(self, state: dict) -> None:
        self.path = state['path']
        self._open()

    def _check_schema(self) -> None:
        have = self._file.schema_arrow
        missing = [name for name in _SCHEMA.names if name not in have.names]
        if set(missing) - _OPTIONAL:
            raise ValueError(
                f'face table {self.path} lacks the columns {missing}; it has '
                f'{have.names}'
            )
        self._columns = [name for name in _SCHEMA.names if name not in missing]
        for field in _SCHEMA:
            if field.name in missing:
                continue
            got = have.field(field.name).type
            if pa.types.is_dictionary(got):
                got = got.value_type
            if got != field.type and not (
                pa.types.is_integer(field.type) and pa.types.is_integer(got)
            ):
                raise ValueError(
                    f'face table {self.path}: column {field.name!r} holds {got}, it '
                    f'must hold {field.type}'
                )

    def _index_groups(self) -> None:
        meta = self._file.metadata
        names = self._file.schema_arrow
        columns = [names.get_field_index(name) for name in ('video', 'frame')]
        self._first: list[str] = []
        self._last: list[str] = []
        self._frames: list[tuple[int, int]] = []
        for i in range(meta.num_row_groups):
            group = meta.row_group(i)
            video, frame = (group.column(column).statistics for column in columns)
            if not all(stats and stats.has_min_max for stats in (video, frame)):
                raise ValueError(
                    f'face table {self.path} has no statistics of its columns video '
                    'and frame; write it with FaceTableWriter'
                )
            if self._last and video.min < self._last[-1]:
                raise self._unsorted(video.min)
            self._first.append(video.min)
            self._last.append(video.max)
            self._frames.append((frame.min, frame.max))

    def _unsorted(self, video: str) -> ValueError:
        return ValueError(
            f'face table {self.path} is not sorted by (video, frame): see video '
            f'{video!r}; write it with FaceTableWriter'
        )

    def _group(self, i: int) -> _Group:
        if i in self._groups:
            self._groups.move_to_end(i)
        else:
            table = self._file.read_row_group(
                i, columns=self._columns, use_threads=False
            )
            self._groups[i] = _Group(table, self)
            self._let_go()
            if len(self._groups) > _CACHED_GROUPS:
                self._groups.popitem(last=False)
        return self._groups[i]

    def _let_go(self) -> None:
        """Take what was read off this process's account; it stays in the page cache."""
        if hasattr(mmap, 'MADV_DONTNEED'):
            self._map.madvise(mmap.MADV_DONTNEED)

    def _span(self, video: str) -> range:
        """The row groups that may hold frames of ``video``."""
        start = bisect.bisect_left(self._last, video)
        return range(start, bisect.bisect_right(self._first, video))

    def _groups_near(self, video: str, frame: int) -> list[_Group]:
        """The row groups with frames of ``video`` within an interval of ``frame``."""
        groups = []
        for i in self._span(video):
            if self._first[i] == self._last[i]:
                first, last = self._frames[i]
                if not first - self.interval <= frame <= last + self.interval:
                    continue
            group = self._group(i)
            if video in group.videos:
                groups.append(group)
        return groups

    def is_same_file(self, path: str | Path) -> bool:
        """Whether ``path`` names this table's file."""
        return os.path.realpath(self.path) == os.path.realpath(path)

    def __contains__(self, video: str) -> bool:
        """Whether any frame of ``video`` was examined."""
        if self._abouts is not None:
            return video in self._abouts
        return any(
            video == self._first[i]
            or video == self._last[i]
            or video in self._group(i).videos
            for i in self._span(video)
        )

    def videos(self) -> Set[str]:
        """All videos of the table.

        Reads two columns of it, once; questions whether it has a video and what that
        was take no reading from then on, in processes forked later neither.
        """
        if self._abouts is None:
            columns = [one for one in ('video', 'video_info') if one in self._columns]
            abouts: dict[str, str | None] = {}
            for i in range(self._file.num_row_groups):
                group = self._file.read_row_group(i, columns=columns, use_threads=False)
                starts = _starts(_array(_encoded(group['video']).indices))
                found = [None] * len(starts)
                if 'video_info' in columns:
                    # One string for the many videos of one shape.
                    found = map(_shared, _texts(group['video_info'], starts))
                abouts.update(zip(_texts(group['video'], starts), found, strict=True))
            self._let_go()
            self._abouts = abouts
        return self._abouts.keys()

    def info(self, video: str) -> VideoInfo | None:
        """What a video was when its faces were found; None where that is unknown.

        It is unknown in a table of an earlier release, and of a video that the table
        does not have.
        """
        if self._abouts is not None:
            return _info(self._abouts.get(video))
        if video not in self._infos:
            # A long video's first row group may not be the one of the frame wanted: its
            # info is kept. Many short ones are in the very group that is read for them.
            if len(self._infos) >= _CACHED_INFOS:
                self._infos.clear()
            groups = (self._group(i) for i in self._span(video))
            found = (group.info(video) for group in groups if video in group.videos)
            self._infos[video] = next(found, None)
        return self._infos[video]

    def frames(self, video: str) -> np.ndarray:
        """The examined frames of a video, int64 and ascending.

        Raises:
            KeyError: If the table has no frame of ``video``.
        """
        if video not in self:
            raise KeyError(self._missing_message([video]))
        groups = [self._group(i) for i in self._span(video)]
        parts = [group.frames_of(video) for group in groups if video in group.videos]
        return np.unique(np.concatenate(parts))

    def check(self, videos: Iterable[str]) -> None:
        """Make sure that all ``videos`` are in the table.

        Raises:
            KeyError: If some are not; names the first few and their number.
        """
        missing = sorted(set(videos) - self.videos())
        if missing:
            raise KeyError(self._missing_message(missing))

    def _missing_message(self, missing: list[str]) -> str:
        there = sorted(self.videos())
        return (
            f'face table {self.path} lacks {len(missing)} video(s): '
            f'{", ".join(missing[:5])}{" …" if len(missing) > 5 else ""}; it has '
            f'{len(there)}: {", ".join(there[:3])}{" …" if len(there) > 3 else ""}. '
            'A video is named by its path relative to the folder given as DATA_ROOT, '
            f'without extension. Make the table by `{_MAKE.format(self.path)}`'
        )

    def lookup(self, video: str, frame: int) -> Faces:
        """Return the faces of one frame.

        A frame that was never examined is covered whole, with a warning for the first
        one of a video. In a table of interval n > 1 it may lie between two examined
        ones at most n apart: where both have faces, and the same tracks, it gets one
        box for each that encloses both. Where a track begins or ends, or none is seen
        on either side, somebody may have been there in between, for a glance into the
        camera or in passing: it is covered whole as well, which is said once.

        Args:
            video: Path of the video or frame folder relative to the data set's root,
                without extension.
            frame: The number in the frame's file name, or the index from 0 in a video.

        Returns:
            The faces; of length 0 where the frame was examined and has none.

        Raises:
            KeyError: If the table has no frame of ``video``.
            ValueError: If the table holds a box that is not within its frame.
        """
        if video not in self:
            raise KeyError(self._missing_message([video]))
        groups = self._groups_near(video, frame)
        found = [group.faces(video, frame) for group in groups]
        found = [faces for faces in found if faces is not None]
        if found:
            return _concatenate(found)
        if self.interval > 1 and groups:
            frames = np.concatenate([group.frames_of(video) for group in groups])
            before, after = frames[frames < frame], frames[frames > frame]
            if len(before) and len(after) and after[0] - before[-1] <= self.interval:
                faces = _between(
                    self.lookup(video, int(before[-1])),
                    self.lookup(video, int(after[0])),
                )
                if faces.is_cover and not self._said_interval:
                    self._said_interval = True
                    _warn(
                        f'face table {self.path}: only one frame in {self.interval} '
                        'was examined; those between are covered whole, but where the '
                        'same faces are tracked from one examined frame to the next. '
                        'Make the table with --interval 1 to show them'
                    )
                return faces
        if video not in self._guessed:
            self._guessed.add(video)
            _warn(
                f'face table {self.path}: frame {frame} of video {video!r} was never '
                'examined; it is covered as a whole, like every other such frame of '
                'this video'
            )
        return Faces.whole_frame()


def _warn(text: str) -> None:
    MMLogger.get_current_instance().warning(text)


class _Group:
    """The rows of one row group as arrays, with the bounds of each video."""

    def __init__(self, table: pa.Table, owner: FaceTable) -> None:
        column = _encoded(table['video'])
        if table.num_rows and (column.null_count or table['frame'].null_count):
            raise ValueError(f'face table {owner.path} has rows without video or frame')
        codes = _array(column.indices)
        names = column.dictionary.to_pylist()
        self.frames = _array(table['frame']).astype(np.int64)
        self._infos = None
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
                raise owner._unsorted(video)
        for video, rows in self.videos.items():
            if (np.diff(self.frames[rows]) < 0).any():
                raise owner._unsorted(video)

        null = np.stack([_flags(table[n].is_null()) for n in _BOX], 1)
        boxes = np.stack([_array(table[n]) for n in _BOX], 1).astype(np.float32)
        self.boxes = np.where(null, np.float32(0), boxes)
        self.found = ~null.all(1)
        bad = self.found & (null.any(1) | _outside(self.boxes))
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            video = names[codes[row]]
            raise ValueError(
                f'face table {owner.path}: video {video!r}, frame {self.frames[row]}: '
                f'box {table.select(_BOX).slice(row, 1).to_pylist()[0]} is not '
                'x1 < x2, y1 < y2 in fractions of the frame within [0, 1]'
            )
        self.scores = _known(table['score'], 0).astype(np.float32)
        self.tracks = _known(table['track'], -1).astype(np.int32)
        points = _one_chunk(table['landmarks'])
        known = _flags(points.is_valid())
        lengths = _array(points.value_lengths())[known]
        if (lengths != 10).any():
            raise ValueError(
                f'face table {owner.path}: landmarks must be 10 numbers or null, '
                f'some are {int(lengths[lengths != 10][0])}'
            )
        self.landmarks = np.full((len(codes), 5, 2), np.nan, np.float32)
        # flatten() leaves the null lists out.
        values = _known(points.flatten(), np.nan)
        self.landmarks[known] = values.reshape(-1, 5, 2)

    def info(self, video: str) -> VideoInfo | None:
        """What a video was; None where that is unknown."""
        if self._infos is None:
            return None
        return _info(self._infos[self.videos[video].start].as_py())

    def frames_of(self, video: str) -> np.ndarray:
        """The examined frames of a video in this group, ascending."""
        return np.unique(self.frames[self.videos[video]])

    def faces(self, video: str, frame: int) -> Faces | None:
        """The faces of a frame; None where it has no row in this group."""
        rows = self.videos[video]
        frames = self.frames[rows]
        start, stop = np.searchsorted(frames, [frame, frame + 1]) + rows.start
        if start == stop:
            return None
        kept = np.flatnonzero(self.found[start:stop]) + start
        return Faces(
            self.boxes[kept], self.scores[kept], self.landmarks[kept], self.tracks[kept]
        )


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    column = column.combine_chunks()
    return column.chunk(0) if isinstance(column, pa.ChunkedArray) else column


def _encoded(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """Strings as numbers into a dictionary of them."""
    one = _one_chunk(column)
    return one if pa.types.is_dictionary(one.type) else one.dictionary_encode()


def _starts(codes: np.ndarray) -> np.ndarray:
    """Where another number begins."""
    return np.flatnonzero(np.diff(codes, prepend=-1))


def _texts(column: pa.ChunkedArray, rows: np.ndarray) -> list[str | None]:
    """The strings in some rows."""
    encoded = _encoded(column)
    values = encoded.dictionary.to_pylist()
    known, codes = _flags(encoded.is_valid())[rows], _array(encoded.indices)[rows]
    return [
        values[code] if one else None for code, one in zip(codes, known, strict=True)
    ]


def _shared(text: str | None) -> str | None:
    return None if text is None else sys.intern(text)


def _info(about: str | None) -> VideoInfo | None:
    return None if about is None else VideoInfo(*json.loads(about))


def _array(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Numbers as an array; where they are null, it holds whatever lies there.

    Not by to_numpy() or to_pandas_dtype(), and no scalar of Arrow's is made here: where
    pandas is installed, they import it, half a second and 40 MB in each worker.
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
    """Numbers, with another one where they are null."""
    values = _array(column)
    return np.where(_flags(column.is_valid()), values, values.dtype.type(instead))


def _flags(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    return _array(column.cast(pa.uint8())).astype(bool)


def _outside(boxes: np.ndarray) -> np.ndarray:
    """Which boxes (k, 4) are not x1 < x2, y1 < y2 within [0, 1]; NaN counts as such."""
    inside = ((boxes >= 0) & (boxes <= 1)).all(1)
    return ~(inside & (boxes[:, 2:] > boxes[:, :2]).all(1))


def _concatenate(parts: list[Faces]) -> Faces:
    return Faces(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.landmarks for part in parts]),
        np.concatenate([part.tracks for part in parts]),
    )


def _between(before: Faces, after: Faces) -> Faces:
    """One box around both for each track, or the whole frame where a track is open."""
    numbers = np.unique(before.tracks)
    if not len(numbers) or numbers[0] < 0:
        return Faces.whole_frame()
    if not np.array_equal(numbers, np.unique(after.tracks)):
        return Faces.whole_frame()
    boxes = np.concatenate([before.boxes, after.boxes])
    scores = np.concatenate([before.scores, after.scores])
    tracks = np.concatenate([before.tracks, after.tracks])
    own = [tracks == number for number in numbers]
    hulls = [np.r_[boxes[one, :2].min(0), boxes[one, 2:].max(0)] for one in own]
    return Faces(
        np.stack(hulls),
        np.array([scores[one][0] for one in own], np.float32),
        np.full((len(numbers), 5, 2), np.nan, np.float32),
        numbers.astype(np.int32),
        examined=False,
    )
