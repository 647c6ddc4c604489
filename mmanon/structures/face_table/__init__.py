"""Face tables: the faces of every frame of a video data set, in one Parquet file.

A row is one face; a frame examined without finding any is one row whose box is null; a
frame without a row was never examined. Rows are sorted by (video, frame), so that a row
group is found by its statistics. A column describes each video, see :class:`VideoInfo`,
so that a table is rejected for a different video with the same name.

Nothing grows with the number of faces or videos but the file's footer, a few kilobytes
for a row group of 16384 faces: a process that opens a table reads the footer, and maps
the rest of the file into memory, which all processes of a machine share; a process that
asks for a frame decodes its row group and keeps the last eight. What that takes for ten
million faces is measured by ``tools/benchmark_face_table.py``.
"""

from mmanon.structures.faces import Faces

from .reader import FaceTable
from .schema import VideoInfo
from .writer import FaceTableWriter

__all__ = ['FaceTable', 'FaceTableWriter', 'Faces', 'VideoInfo']
