"""Face tables: the faces of every frame of a video data set, in one Parquet file.

A row is one face. An examined frame without a face has one row whose box is null. A
frame without a row was never examined. Rows are sorted by (video, frame), so that the
statistics of the row groups lead to a frame. A column describes each video
(:class:`VideoInfo`), so that a table is rejected for a different video with the same
name.

A process that opens a table reads the file's footer, a few kilobytes for each row group
of 16384 faces, and maps the rest of the file into memory, which all processes of a
machine share. To look up a frame, it decodes the frame's row group, and it keeps the
last eight decoded groups. The footer is therefore the only part of the memory that
grows with the number of faces. ``tools/benchmark_face_table.py`` measures time and
memory for ten million faces.
"""

from mmanon.structures.faces import Faces

from .reader import FaceTable
from .schema import VideoInfo
from .writer import FaceTableWriter

__all__ = ['FaceTable', 'FaceTableWriter', 'Faces', 'VideoInfo']
