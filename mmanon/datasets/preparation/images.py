"""Checks whether images can be read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from mmanon.utils.images import read_image

from .problems import Problems

__all__ = ['check_images', 'image_size']


def image_size(path: Path) -> tuple[int, int] | None:
    """Return width and height of an image in pixels; None if it cannot be read."""
    try:
        image = read_image(path)
    except OSError:
        return None
    return None if image is None else (image.shape[1], image.shape[0])


def check_images(
    paths: Sequence[Path], problems: Problems
) -> list[tuple[int, int] | None]:
    """Decode images on all cores, and report those that cannot be read.

    Returns:
        Width and height of each image; None if it cannot be read.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        progress = tqdm(paths, unit='image', leave=False)
        sizes = list(pool.map(image_size, progress))
    for path, size in zip(paths, sizes, strict=True):
        if size is None and not path.exists():
            problems.missing(path)
        elif size is None:
            problems.unreadable(path)
    return sizes
