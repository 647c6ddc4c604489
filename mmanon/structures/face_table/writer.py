"""Write a face table."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mmanon.structures.boxes import outside_frame
from mmanon.structures.faces import Faces
from mmanon.utils.atomic_write import WholeFile

from .schema import METADATA_KEY, SCHEMA, VERSION, VideoInfo

__all__ = ['FaceTableWriter']


class FaceTableWriter:
    """Writes a face table to a temporary file and renames it when it is complete.

    Use it as a context manager. After an error in the block, or if the writer is never
    closed, there is no table. A killed process leaves ``.<name>.part``, which the next
    writer of the same table replaces.

    Args:
        path: The table's file; its folder is created.
        detector: Name of the face detector.
        interval: n, if every n-th frame is examined.
        rows_per_group: Rows that a reader decodes at once. Smaller groups make reading
            single frames faster and the file larger.

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
        about = {'detector': detector, 'interval': interval, 'version': VERSION}
        schema = SCHEMA.with_metadata({METADATA_KEY: json.dumps(about)})
        self._writer = pq.ParquetWriter(self._file.beside, schema, compression='zstd')
        self._schema = schema
        self._last: tuple[str, int] | None = None
        self._rows: list[tuple] = []
        self._described: tuple[str, str] | None = None

    def describe(self, video: str, info: VideoInfo) -> None:
        """Describe a video before its frames are added.

        Args:
            video: As for :meth:`add`.
            info: Its description, by which a reader rejects another video of that name.

        Raises:
            ValueError: If frames of this video, or of one after it in the order, were
                added already.
        """
        if self._last is not None and str(video) <= self._last[0]:
            raise ValueError(
                f'video {video!r} is described after frame {self._last} was added: '
                'describe each video before its frames'
            )
        self._described = str(video), info.to_json()

    def add(self, video: str, frame: int, faces: Faces) -> None:
        """Add the faces of one examined frame, in the order of (video, frame).

        Args:
            video: Path of the video or frame folder relative to the data set's root,
                without extension.
            frame: The number in the frame's file name, or the index from 0 in a video.
            faces: Its faces; of length 0 if it has none.

        Raises:
            ValueError: If the frame does not come after the previous one in the order,
                or a box is not within the frame.
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
        bad = outside_frame(boxes)
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
        """Complete the table and rename it to its final name."""
        self._flush()
        self._writer.close()
        self._file.finish()

    def abort(self) -> None:
        """Discard the table."""
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
