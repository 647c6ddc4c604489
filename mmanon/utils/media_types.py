"""Which files are images and which are videos, by the ends of their names."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

__all__ = [
    'HEIFS',
    'IMAGES',
    'VIDEOS',
    'files_in',
    'is_hidden',
    'is_image',
    'is_video',
    'without_video_suffix',
]

HEIFS = frozenset(('.heic', '.heif', '.hif'))
"""Photographs of phones, which the extra ``heic`` reads."""

IMAGES = frozenset(
    (
        *('.jpg', '.jpeg', '.jpe', '.jfif', '.mpo', '.png', '.apng', '.bmp', '.webp'),
        *('.tif', '.tiff', '.gif', '.pgm', '.ppm', '.pnm', '.avif', *HEIFS),
    )
)
VIDEOS = frozenset(
    (
        *('.mp4', '.m4v', '.mov', '.qt', '.mkv', '.webm', '.avi', '.divx', '.ogv'),
        *('.ts', '.mts', '.m2ts', '.m2t', '.trp', '.mpg', '.mpeg', '.mpe', '.m2v'),
        *('.vob', '.mod', '.tod', '.wmv', '.asf', '.flv', '.f4v', '.3gp', '.3g2'),
        *('.mxf', '.dv', '.wtv', '.nut', '.y4m', '.mjpeg', '.mjpg', '.ivf', '.lrv'),
        *('.rm', '.rmvb', '.h264', '.h265', '.hevc'),
    )
)


def is_image(path: str | Path) -> bool:
    """Whether a file is to be taken for an image."""
    return Path(path).suffix.lower() in IMAGES


def is_video(path: str | Path) -> bool:
    """Whether a file is to be taken for a video."""
    return Path(path).suffix.lower() in VIDEOS


def files_in(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """The files of a folder, not of those below it, that are of a kind.

    Args:
        folder: It is read.
        suffixes: :data:`IMAGES` or :data:`VIDEOS`.

    Returns:
        In the order of their names, without hidden ones.
    """
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in suffixes and not is_hidden(path)
    )


def is_hidden(path: str | Path) -> bool:
    """Whether a file or folder is no data, such as the remains of a killed run."""
    return Path(path).name.startswith('.')


def without_video_suffix(name: str) -> str:
    """A name without its video suffix; other names are returned unchanged.

    Example:
        >>> without_video_suffix('day.2/clip.MP4'), without_video_suffix('day.2')
        ('day.2/clip', 'day.2')
    """
    return name[: -len(Path(name).suffix)] if is_video(name) else name
