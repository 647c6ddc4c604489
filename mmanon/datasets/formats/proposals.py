"""Lets mmaction2's data sets read person proposals in NumPy's ``.npz`` format.

mmaction2 loads a ``proposal_file`` with ``mmengine.fileio.load``, which takes the
format from the file's extension and supports only pickle for arrays. Unpickling a file
can run code in it. Importing this module registers ``.npz`` in mmengine, a format that
contains only arrays.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from io import BytesIO
from typing import BinaryIO

import numpy as np
from mmengine.fileio import BaseFileHandler, register_handler

__all__ = ['NpzHandler']


@register_handler('npz')
class NpzHandler(BaseFileHandler):
    """Loads and dumps a dict of arrays in the format of ``numpy.savez``.

    For proposals the keys are ``'{video_id},{timestamp:04d}'`` and the arrays float32
    (k, 5): x1, y1, x2, y2 as fractions of the frame, and the score, all in [0, 1].
    """

    str_like = False

    def load_from_fileobj(self, file: BinaryIO) -> dict[str, np.ndarray]:
        """Read all arrays of a file.

        Raises:
            ValueError: If the file is not an ``.npz`` file, or an array in it contains
                pickled objects.
        """
        try:
            with np.load(file, allow_pickle=False) as arrays:
                return {key: arrays[key] for key in arrays.files}
        except (AttributeError, TypeError, ValueError, zipfile.BadZipFile) as error:
            raise ValueError(
                'not an .npz file of plain arrays; write one with '
                'numpy.savez(file, **{"video,0005": boxes, ...})'
            ) from error

    def dump_to_fileobj(self, obj: Mapping[str, np.ndarray], file: BinaryIO) -> None:
        """Write a mapping of names to arrays; equal arrays give equal bytes.

        Raises:
            TypeError: If a value is an array of objects.
        """
        arrays = {key: np.asarray(value) for key, value in obj.items()}
        for key, value in arrays.items():
            if value.dtype.hasobject:
                raise TypeError(f'array {key!r} holds objects; .npz takes numbers only')
        np.savez(file, **arrays)  # type: ignore[arg-type]  # of allow_pickle

    def dump_to_str(self, obj: Mapping[str, np.ndarray]) -> bytes:
        """Return the bytes that :meth:`dump_to_fileobj` writes."""
        with BytesIO() as file:
            self.dump_to_fileobj(obj, file)
            return file.getvalue()

    def load_from_path(self, filepath: str) -> dict[str, np.ndarray]:
        """Read all arrays of the file at ``filepath``."""
        return super().load_from_path(filepath, mode='rb')

    def dump_to_path(self, obj: Mapping[str, np.ndarray], filepath: str) -> None:
        """Write a mapping of names to arrays to ``filepath``."""
        super().dump_to_path(obj, filepath, mode='wb')
