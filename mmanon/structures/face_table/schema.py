"""The columns of a face table, and the description of a video."""

from __future__ import annotations

import json
from dataclasses import astuple, dataclass, field

import pyarrow as pa

__all__ = [
    'BOX',
    'MAKE',
    'METADATA_KEY',
    'OPTIONAL',
    'SCHEMA',
    'VERSION',
    'VideoInfo',
    'unsorted',
]

VERSION = 1
METADATA_KEY = b'mmanon_face_table'
BOX = ('x1', 'y1', 'x2', 'y2')
SCHEMA = pa.schema(
    [
        pa.field('video', pa.string(), nullable=False),
        pa.field('frame', pa.int32(), nullable=False),
        *(pa.field(name, pa.float32()) for name in BOX),
        pa.field('score', pa.float32()),
        pa.field('track', pa.int32()),
        # 10 numbers or null; Arrow below 26 cannot read nulls of a fixed-size list.
        pa.field('landmarks', pa.list_(pa.float32())),
        # VideoInfo as JSON, the same in all rows of a video; null if unknown. It is not
        # in the file's metadata, because every process reads all of them.
        pa.field('video_info', pa.string()),
    ]
)
# Tables of earlier releases lack this column.
OPTIONAL = {'video_info'}
MAKE = 'mmanon detect-faces DATA_ROOT --out {}'


@dataclass(frozen=True)
class VideoInfo:
    """The description of a video at the time when its faces were found.

    Attributes:
        kind: ``'file'``, a video file, or ``'folder'``, a folder of numbered images.
        width: Width of its upright frames in pixels; None if sizes differ or no frame
            could be read.
        height: Their height, or None.
        num_frames: Number of frames; None if the video could not be read to its end.
        turned: How its pixels are stored: ``'no'``, upright; ``'quarter'``, turned by
            90 degrees to either side; ``'other'``, upside down or mirrored.
        file: Name of the video file, with its extension; None for a folder, and in a
            table of an earlier release.
        size: Size of that file in bytes, or None.

    Raises:
        ValueError: If ``kind`` or ``turned`` has another value.
    """

    kind: str
    width: int | None = None
    height: int | None = None
    num_frames: int | None = None
    turned: str = 'no'
    file: str | None = field(default=None, compare=False)
    size: int | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.kind not in ('file', 'folder'):
            raise ValueError(f"kind must be 'file' or 'folder', got {self.kind!r}")
        if self.turned not in ('no', 'quarter', 'other'):
            raise ValueError(
                f"turned must be 'no', 'quarter' or 'other', got {self.turned!r}"
            )

    def has_shape(self, height: int, width: int) -> bool:
        """Whether frames of (height, width) pixels have its aspect ratio.

        A side may differ by two pixels, since scaled videos have even sides. An unknown
        size fits every frame.
        """
        if self.width is None or self.height is None:
            return True
        return (
            abs(width - height * self.width / self.height) <= 2
            or abs(height - width * self.height / self.width) <= 2
        )

    def to_json(self) -> str:
        """The value of the column ``video_info``."""
        return json.dumps(astuple(self), separators=(',', ':'))

    @classmethod
    def from_json(cls, text: str | None) -> VideoInfo | None:
        """Read what :meth:`to_json` wrote; None for null."""
        return None if text is None else cls(*json.loads(text))


def unsorted(path: str, video: str) -> ValueError:
    """Make the error about a table whose rows are not sorted."""
    return ValueError(
        f'face table {path} is not sorted by (video, frame): see video {video!r}; '
        'write it with FaceTableWriter'
    )
