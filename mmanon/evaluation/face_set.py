"""The interface of a face set for metrics, independent of how it reads faces."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np

__all__ = ['FaceSet']


class FaceSet(Protocol):
    """Face crops of people, such as :class:`mmanon.datasets.FaceIdentityDataset`.

    Attributes:
        data_root: Folder of the images.
        crop_size: S, the side of a crop in pixels.
        margin: Enlargement of the face box on each side, as a fraction of its side.
        paths: The images of the B faces.
        labels: The person of each face, (B,) in [0, I).
    """

    data_root: Path
    crop_size: int
    margin: float
    paths: list[Path]
    labels: np.ndarray

    @property
    def metainfo(self) -> dict:
        """``classes``, the names of the I people."""

    def __len__(self) -> int: ...

    def __getitem__(self, draw: int, /) -> dict[str, Any]:
        """``image``, RGB (3, S, S) in [-1, 1], and ``label``."""
