"""Pictures inside the text of a web page, as data URLs."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ['decode_image_url', 'face_to_pixels', 'file_url', 'image_url']

_TYPES = {'.jpg': 'image/jpeg', '.png': 'image/png', '.svg': 'image/svg+xml'}
_URL = re.compile(r'data:image/(?:jpeg|png);base64,([A-Za-z0-9+/=]+)')


def face_to_pixels(face: Tensor) -> np.ndarray:
    """Convert a face crop to 8-bit pixels.

    Args:
        face (Tensor): RGB, (3, S, S) in [-1, 1]; other values are clipped.

    Returns:
        np.ndarray: RGB, uint8 (S, S, 3).

    Raises:
        ValueError: When a value is not finite.
    """
    if not bool(face.isfinite().all()):
        raise ValueError('a face crop contains values that are not finite')
    pixels = ((face.float().clamp(-1, 1) + 1) * 127.5).round().byte()
    return pixels.permute(1, 2, 0).cpu().numpy()


def image_url(pixels: np.ndarray, quality: int | None = None) -> str:
    """Encode a picture as a data URL without metadata.

    Args:
        pixels (np.ndarray): RGB, uint8 (H, W, 3).
        quality (int, optional): Quality of a JPEG, 1 to 100. Defaults to a lossless
            PNG.

    Raises:
        ValueError: When the picture cannot be encoded.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(
            f'a picture must be uint8 (H, W, 3), got {pixels.dtype} {pixels.shape}'
        )
    packed = io.BytesIO()
    try:
        if quality is None:
            Image.fromarray(pixels).save(packed, 'PNG')
        else:
            Image.fromarray(pixels).save(packed, 'JPEG', quality=quality)
    except (OSError, ValueError, SystemError) as error:
        raise ValueError(
            f'a picture of {pixels.shape} cannot be encoded: {error}'
        ) from error
    return _url(packed.getvalue(), '.png' if quality is None else '.jpg')


def file_url(path: Path) -> str:
    """A JPEG, PNG or SVG file as a data URL.

    If an ``img`` element shows the SVG, the browser runs no script of it and loads no
    file for it.

    Raises:
        FileNotFoundError: When the file does not exist.
        ValueError: When it is of another kind.
    """
    if path.suffix not in _TYPES:
        raise ValueError(f'{path} must end in one of {", ".join(sorted(_TYPES))}')
    return _url(path.read_bytes(), path.suffix)


def decode_image_url(url: str) -> np.ndarray:
    """Decode the picture that :func:`image_url` encoded.

    Returns:
        np.ndarray: RGB, uint8 (H, W, 3).

    Raises:
        ValueError: When the text is no such data URL, or the picture cannot be decoded.
    """
    match = _URL.fullmatch(url)
    if match is None:
        raise ValueError(f'{url[:40]!r} is no data URL of a PNG or JPEG')
    try:
        with Image.open(io.BytesIO(base64.b64decode(match[1]))) as image:
            return np.array(image.convert('RGB'))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError('the picture of a data URL cannot be decoded') from error


def _url(content: bytes, suffix: str) -> str:
    return f'data:{_TYPES[suffix]};base64,{base64.b64encode(content).decode()}'
