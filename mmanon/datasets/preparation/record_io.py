"""Reads MXNet's record files of images, in plain Python.

The format, as dmlc-core and MXNet document it (all numbers are little-endian):

- A record is ``magic, lrec, data, pad``: the uint32 ``0xced7230a``; a uint32 whose
  upper 3 bits tell which part of a record it is and whose lower 29 bits are the length
  of the data; the data; zeros up to a multiple of 4 bytes. Part 0 is a whole record. If
  the data contains the magic number at a multiple of 4, it is cut there into parts 1,
  2 … and 3, and the number is left out.
- The data of an image record is a header and the encoded image. The header is uint32
  ``flag``, float32 ``label``, uint64 ``id``, uint64 ``id2``. If ``flag`` is not 0, that
  many float32 labels follow and ``label`` is not used.

The face sets of InsightFace also have records without an image: the first record
contains the range of those that follow the images, one for each identity.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

__all__ = ['ImageRecord', 'read_image_records', 'read_index']

MAGIC = 0xCED7230A
_MAGIC_BYTES = struct.pack('<I', MAGIC)
_HEADER = struct.Struct('<IfQQ')


class ImageRecord(NamedTuple):
    """One record of an image.

    Attributes:
        offset: Its position in the file in bytes.
        label: The first of its labels.
        id: Its number.
        image: The encoded image (JPEG, PNG …); empty if it has none.
    """

    offset: int
    label: float
    id: int
    image: bytes


def read_image_records(path: str | Path) -> Iterator[ImageRecord]:
    """Yield all records of a ``.rec`` file.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it is not a record file or is incomplete; the message says where.
    """
    with Path(path).open('rb') as file:
        if not file.seek(0, 2):
            raise ValueError(f'{path} is empty')
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            offset = 0
            while offset < len(data):
                content, end = _record(data, offset, path)
                yield _image(content, offset, path)
                offset = end


def _record(data: mmap.mmap, offset: int, path: str | Path) -> tuple[bytes, int]:
    """Return the data of the record at ``offset``, and the offset of the next one."""
    parts: list[bytes] = []
    place, last = offset, False
    while not last:
        if place + 8 > len(data):
            raise ValueError(f'{path} is cut off in the record at byte {offset}')
        magic, lrec = struct.unpack_from('<II', data, place)
        part, length = lrec >> 29, lrec & (1 << 29) - 1
        if magic != MAGIC or part not in ((2, 3) if parts else (0, 1)):
            raise ValueError(f'{path} has no record at byte {place}')
        if place + 8 + length > len(data):
            raise ValueError(f'{path} is cut off in the record at byte {offset}')
        parts.append(data[place + 8 : place + 8 + length])
        place += 8 + (length + 3) // 4 * 4
        last = part in (0, 3)
    return _MAGIC_BYTES.join(parts), place


def _image(content: bytes, offset: int, path: str | Path) -> ImageRecord:
    try:
        flag, label, number, _ = _HEADER.unpack_from(content)
        start = _HEADER.size + 4 * flag
        if flag:
            label = struct.unpack_from(f'<{flag}f', content, _HEADER.size)[0]
    except struct.error as error:
        raise ValueError(
            f'{path}: the record at byte {offset} is not one of an image'
        ) from error
    return ImageRecord(offset, label, number, content[start:])


def read_index(path: str | Path) -> np.ndarray:
    """Read an ``.idx`` file, with number and offset of a record on each line.

    Returns:
        The offsets, ascending, (n,) int64.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If a line does not consist of two numbers.
    """
    offsets = []
    for number, line in enumerate(Path(path).read_text().splitlines(), 1):
        words = line.split()
        if len(words) != 2 or not all(word.isdecimal() for word in words):
            raise ValueError(
                f'{path}, line {number}: {line!r} is not number and offset'
            )
        offsets.append(int(words[1]))
    return np.sort(np.array(offsets, np.int64))
