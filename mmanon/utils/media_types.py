"""Which files are images and which are videos, by their suffixes."""

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
"""Suffixes of HEIC photographs, which need the extra ``heic``."""

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
    """Whether a file's suffix is that of an image."""
    return Path(path).suffix.lower() in IMAGES


def is_video(path: str | Path) -> bool:
    """Whether a file's suffix is that of a video."""
    return Path(path).suffix.lower() in VIDEOS


def files_in(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """List the files of one kind in a folder, without its subfolders.

    Args:
        folder: The folder.
        suffixes: :data:`IMAGES` or :data:`VIDEOS`.

    Returns:
        The files sorted by name, without hidden ones.
    """
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in suffixes and not is_hidden(path)
    )


def is_hidden(path: str | Path) -> bool:
    """Whether a name begins with a dot, like that of a killed run's temporary file."""
    return Path(path).name.startswith('.')


def without_video_suffix(name: str) -> str:
    """A name without its video suffix; other names are returned unchanged.

    Example:
        >>> without_video_suffix('day.2/clip.MP4'), without_video_suffix('day.2')
        ('day.2/clip', 'day.2')
    """
    return name[: -len(Path(name).suffix)] if is_video(name) else name
