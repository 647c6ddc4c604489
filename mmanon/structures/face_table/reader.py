"""Reads a face table frame by frame."""

from __future__ import annotations

import bisect
import json
import logging
import mmap
import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Set
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mmanon.structures.boxes import enclosing_box
from mmanon.structures.faces import Faces
from mmanon.utils.log import print_log

from .row_group import RowGroup, videos_of
from .schema import MAKE, METADATA_KEY, OPTIONAL, SCHEMA, VERSION, VideoInfo, unsorted

__all__ = ['FaceTable']

_CACHED_GROUPS = 8
_CACHED_INFOS = 4096


class FaceTable:
    """Reads a face table frame by frame, holding only a few row groups in memory.

    Opening it reads the file's footer. A pickled copy for another process contains only
    ``path`` and ``warn``. A forked process uses the inherited table directly: the file
    is mapped into memory and never written, so there is no shared file position.

    Args:
        path: The Parquet file that ``mmanon detect-faces`` has written.
        warn: Called with a message when frames are covered whole: once for frames
            between examined frames, and once for each video with frames never examined.
            It must be a module's function, so that copies can find it. Defaults to
            mmanon's log.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it is not Parquet, lacks columns, or is not sorted; and later,
            when rows are read, if a box is not within its frame.
    """

    def __init__(
        self, path: str | Path, warn: Callable[[str], object] | None = None
    ) -> None:
        self.path = str(path)
        self.warn = _warn if warn is None else warn
        self._open()

    def _open(self) -> None:
        if not Path(self.path).is_file():
            raise FileNotFoundError(
                f'face table {self.path} does not exist; make it with '
                f'`{MAKE.format(self.path)}`'
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
                f'{self.path} is not a Parquet file ({error}); make a face table with '
                f'`{MAKE.format(self.path)}`'
            ) from error
        self._check_schema()
        about = (self._file.schema_arrow.metadata or {}).get(METADATA_KEY, b'{}')
        about = json.loads(about)
        self.detector: str = about.get('detector', 'unknown')
        self.interval: int = int(about.get('interval', 1))
        if about.get('version', VERSION) != VERSION:
            raise ValueError(
                f'face table {self.path} has version {about["version"]}, this release '
                f'reads version {VERSION}; make it again with '
                f'`{MAKE.format(self.path)}`'
            )
        self._index_groups()
        self._groups: OrderedDict[int, RowGroup] = OrderedDict()
        self._abouts: dict[str, str | None] | None = None
        self._infos: dict[str, VideoInfo | None] = {}
        self._guessed: set[str] = set()
        self._said_interval = False

    def __getstate__(self) -> dict:
        return {'path': self.path, 'warn': self.warn}

    def __setstate__(self, state: dict) -> None:
        self.path, self.warn = state['path'], state['warn']
        self._open()

    def _check_schema(self) -> None:
        have = self._file.schema_arrow
        missing = [name for name in SCHEMA.names if name not in have.names]
        if set(missing) - OPTIONAL:
            raise ValueError(
                f'face table {self.path} lacks the columns {missing}; it has '
                f'{have.names}'
            )
        self._columns = [name for name in SCHEMA.names if name not in missing]
        for field in SCHEMA:
            if field.name in missing:
                continue
            got = have.field(field.name).type
            if pa.types.is_dictionary(got):
                got = got.value_type
            if got != field.type and not (
                pa.types.is_integer(field.type) and pa.types.is_integer(got)
            ):
                raise ValueError(
                    f'face table {self.path}: column {field.name!r} is {got}, but it '
                    f'must be {field.type}'
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
                    f'face table {self.path} has no statistics for its columns video '
                    'and frame; write it with FaceTableWriter'
                )
            if self._last and video.min < self._last[-1]:
                raise unsorted(self.path, video.min)
            self._first.append(video.min)
            self._last.append(video.max)
            self._frames.append((frame.min, frame.max))

    def _group(self, i: int) -> RowGroup:
        if i in self._groups:
            self._groups.move_to_end(i)
        else:
            table = self._file.read_row_group(
                i, columns=self._columns, use_threads=False
            )
            self._groups[i] = RowGroup(table, self.path)
            self._let_go()
            if len(self._groups) > _CACHED_GROUPS:
                self._groups.popitem(last=False)
        return self._groups[i]

    def _let_go(self) -> None:
        """Release the pages that were read; they stay in the system's page cache."""
        if hasattr(mmap, 'MADV_DONTNEED'):
            self._map.madvise(mmap.MADV_DONTNEED)

    def _span(self, video: str) -> range:
        """The row groups that may hold frames of ``video``."""
        start = bisect.bisect_left(self._last, video)
        return range(start, bisect.bisect_right(self._first, video))

    def _groups_near(self, video: str, frame: int) -> list[RowGroup]:
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

        The first call reads two columns. From then on, ``in`` and :meth:`info` read
        nothing more, also in processes that are forked later.
        """
        if self._abouts is None:
            columns = [
                name for name in ('video', 'video_info') if name in self._columns
            ]
            abouts: dict[str, str | None] = {}
            for i in range(self._file.num_row_groups):
                group = self._file.read_row_group(i, columns=columns, use_threads=False)
                abouts.update(videos_of(group))
            self._let_go()
            self._abouts = abouts
        return self._abouts.keys()

    def info(self, video: str) -> VideoInfo | None:
        """The description of a video when its faces were found; None if unknown.

        It is unknown in a table of an earlier release, and for a video that the table
        does not contain.
        """
        if self._abouts is not None:
            return VideoInfo.from_json(self._abouts.get(video))
        if video not in self._infos:
            # A long video spans several row groups, and the first may not be the one of
            # the wanted frame: its info is cached. Short videos share one group.
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
            raise self.missing([video])
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
            raise self.missing(missing)

    def missing(self, missing: list[str]) -> KeyError:
        """Make the error about at least one video that the table lacks."""
        there = sorted(self.videos())
        return KeyError(
            f'face table {self.path} lacks {len(missing)} video(s): '
            f'{", ".join(missing[:5])}{" …" if len(missing) > 5 else ""}; it has '
            f'{len(there)}: {", ".join(there[:3])}{" …" if len(there) > 3 else ""}. '
            'The name of a video is its path relative to the folder DATA_ROOT, '
            f'without extension. Make the table with `{MAKE.format(self.path)}`'
        )

    def lookup(self, video: str, frame: int) -> Faces:
        """Return the faces of one frame.

        A frame that was never examined is covered whole, with a warning for the first
        such frame of a video. An exception are tables with an interval n > 1, if the
        frame lies between two examined frames at most n apart. If both have the same
        tracks, it gets one box for each track, which encloses the track's two boxes. If
        a track begins or ends, or neither frame has a track, a face may have been
        visible in between: the frame is covered whole, with one warning for the table.

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
            raise self.missing([video])
        groups = self._groups_near(video, frame)
        parts = (group.faces(video, frame) for group in groups)
        found = [faces for faces in parts if faces is not None]
        if found:
            return Faces.concatenate(found)
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
                    self.warn(
                        f'face table {self.path}: only one frame in {self.interval} '
                        'was examined; the frames between are covered whole, except '
                        'where both examined frames have the same tracks. '
                        'Make the table with --interval 1 to show them'
                    )
                return faces
        if video not in self._guessed:
            self._guessed.add(video)
            self.warn(
                f'face table {self.path}: frame {frame} of video {video!r} was never '
                'examined; it is covered as a whole, like every other such frame of '
                'this video'
            )
        return Faces.whole_frame()


def _warn(text: str) -> None:
    print_log(text, logging.WARNING)


def _between(before: Faces, after: Faces) -> Faces:
    """One box around both boxes of each track, or the whole frame if tracks differ."""
    tracks = np.unique(before.tracks)
    if not len(tracks) or tracks[0] < 0:
        return Faces.whole_frame()
    if not np.array_equal(tracks, np.unique(after.tracks)):
        return Faces.whole_frame()
    both = Faces.concatenate([before, after])
    places = [np.flatnonzero(both.tracks == track) for track in tracks]
    return Faces(
        np.stack([enclosing_box(both.boxes[own]) for own in places]),
        np.array([both.scores[own[0]] for own in places], np.float32),
        np.full((len(tracks), 5, 2), np.nan, np.float32),
        tracks.astype(np.int32),
        examined=False,
    )
