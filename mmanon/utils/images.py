"""Read images as arrays."""

from __future__ import annotations

import io
import struct
import warnings
from pathlib import Path

import numpy as np

from .extras import require
from .media_types import HEIFS

__all__ = ['enable_heif', 'read_image']


def enable_heif(path: str | Path) -> None:
    """Let Pillow read and write HEIC if a file's suffix is one of HEIC.

    Args:
        path: The file.

    Raises:
        ExtraNotInstalled: When the suffix is one of HEIC and pillow-heif is not
            installed.
    """
    if Path(path).suffix.lower() in HEIFS:
        require(f'reading {path}', 'pillow_heif', 'heic')
        from pillow_heif import register_heif_opener

        register_heif_opener()


def read_image(path: str | Path) -> np.ndarray | None:
    """Read an image in 8-bit colours and turn it upright by its EXIF data.

    For an animation, this is the first picture. Transparency is dropped.

    Args:
        path: The file.

    Returns:
        uint8 (H, W, 3) RGB; None when it cannot be decoded.

    Raises:
        ExtraNotInstalled: When the file is HEIC and pillow-heif is not installed.
        OSError: When the file does not exist or cannot be read.
    """
    from PIL import Image, ImageOps

    enable_heif(path)

    # Read first: a file that cannot be read is an error, one that cannot be decoded is
    # None.
    packed = io.BytesIO(Path(path).read_bytes())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', Image.DecompressionBombWarning)
            image = ImageOps.exif_transpose(Image.open(packed))
            if image.mode.startswith('I'):  # 16 bits of grey, which Pillow would clip
                grey = np.asarray(image).astype(np.int64).clip(0, 65535) >> 8
                return np.repeat(grey.astype(np.uint8)[..., None], 3, 2)
            return np.array(image.convert('RGB'))
    except (
        *(OSError, SyntaxError, ValueError, EOFError, struct.error),
        Image.DecompressionBombError,
    ):
        return None
