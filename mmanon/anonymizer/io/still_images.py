"""Read the pixels of a still image, or reject it if their meaning is unknown.

Two decoders share the work. Pillow reads all formats; FFmpeg reads colours of 16 bits,
which Pillow reduces to 8. If the two pictures differ, Pillow's is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from mmanon.utils.orientation import Orientation

from .deep_images import read_deep
from .sources import InputError

__all__ = ['pixels_of', 'plain', 'read_still', 'refuse_unknown_values', 'turn_of']

_BITS, _PLANES, _FORMAT, _PHOTOMETRIC = 258, 284, 339, 262
_WHITE_IS_ZERO = 0
_STRIP = 256
_ALIKE = 2.0  # largest mean difference, of 255, between two reductions to 8 bits


def turn_of(image: Image.Image) -> Orientation:
    """The orientation of an image's pixels.

    Pillow turns a TIFF upright while it loads the pixels, and then reports no rotation.
    """
    return Orientation.of_exif(image.getexif().get(ExifTags.Base.Orientation, 1))


def refuse_unknown_values(image: Image.Image, path: Path) -> None:
    """Reject an image if it is unknown which of its values are black and white.

    Args:
        image (Image.Image): The image; it need not be loaded.
        path (Path): Its file.

    Raises:
        InputError: The message says what the image contains and what to do.
    """
    tags = getattr(image, 'tag_v2', {})
    formats = {1, *_numbers(tags.get(_FORMAT))} - {1, 4}
    # Pillow scales a PGM of more than 8 bits to 65535.
    whole = image.mode == 'I' and image.format != 'PPM'
    if image.mode == 'F' or 3 in formats:
        holds = 'fractions, such as temperatures or heights'
    elif whole or formats:
        holds = 'whole numbers of 32 bits, or negative ones'
    elif max(_numbers(tags.get(_BITS)), default=8) > 8 and image.mode == 'CMYK':
        holds = 'inks of 16 bits'
    elif max(_numbers(tags.get(_BITS)), default=8) > 8 and tags.get(_PLANES, 1) != 1:
        holds = 'colours of 16 bits in separate planes'
    else:
        return
    raise InputError(
        f'{path} contains {holds}, and it is unknown which values are black and white: '
        'save it as grey or RGB with 8 or 16 bits per value first'
    )


def read_still(image: Image.Image, path: Path, problems: list[str]) -> np.ndarray:
    """Read the upright pixels of an image with one picture.

    Args:
        image (Image.Image): The image, opened but not loaded. It is closed here, so
            that its pixels are not in memory twice.
        path (Path): Its file.
        problems (list[str]): Gets a description of what is lost.

    Returns:
        np.ndarray: uint8 or uint16, (H, W), (H, W, 2) with alpha, (H, W, 3) RGB, or
        (H, W, 4) RGBA; it is writable.

    Raises:
        InputError: When the meaning of its values is unknown.
        OSError, ValueError: When it cannot be decoded.
    """
    refuse_unknown_values(image, path)
    stored_turn = turn_of(image)
    negative = (
        image.mode.startswith('I;16')
        and getattr(image, 'tag_v2', {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO
    )
    image.load()  # raises an error if the file is damaged
    turn = turn_of(image)
    deep = read_deep(path)
    seen = pixels_of(plain(image))
    image.close()
    if seen.dtype == np.int32:
        seen = seen.clip(0, 65535)
    if seen.dtype != np.uint8:
        seen = seen.astype(np.uint16)
    if negative:
        seen = 65535 - seen
    seen = turn.upright(seen)
    if deep is not None:
        deep = stored_turn.upright(deep)
        if _alike(deep, seen):
            return deep
        if seen.dtype == np.uint8:
            problems.append('its 16 bits per value could not be read and became 8')
    return seen


def pixels_of(image: Image.Image) -> np.ndarray:
    """Copy an image's values in strips, so that there is never a second copy."""
    width, height = image.size
    pixels: np.ndarray | None = None
    for top in range(0, height, _STRIP):
        below = min(top + _STRIP, height)
        strip = np.asarray(image.crop((0, top, width, below)))
        if pixels is None:
            pixels = np.empty((height, *strip.shape[1:]), strip.dtype)
        pixels[top:below] = strip
    assert pixels is not None  # an image without rows cannot be opened
    return pixels


def plain(image: Image.Image, moving: bool = False) -> Image.Image:
    """Convert an image so that its values are grey levels or colours.

    Args:
        image (Image.Image): In any mode that :func:`refuse_unknown_values` accepts.
        moving (bool): Whether it is a frame of an animation, which becomes RGBA.
    """
    if moving:
        return image.convert('RGBA')
    if image.mode in ('L', 'LA', 'RGB', 'RGBA', 'I'):
        return image
    if image.mode == '1':
        return image.convert('L')
    if image.mode.startswith('I;16'):
        return image
    if image.mode == 'P' and 'transparency' not in image.info:
        return image.convert('RGB')
    return image.convert('RGBA' if image.mode in ('P', 'PA') else 'RGB')


def _alike(deep: np.ndarray, seen: np.ndarray) -> bool:
    """Whether two decoders have read the same picture, apart from alpha and depth."""
    if deep.shape[:2] != seen.shape[:2]:
        return False
    deep, seen = (x[..., None] if x.ndim == 2 else x for x in (deep, seen))
    colours = 3 if deep.shape[2] > 2 else 1
    if colours != (3 if seen.shape[2] > 2 else 1):
        return False
    # Row by row, because an image may have hundreds of millions of pixels.
    shift = 8 if seen.dtype == np.uint16 else 0
    return all(
        np.abs(
            (old[:, :colours] >> 8).astype(np.int16)
            - (new[:, :colours] >> shift).astype(np.int16)
        ).mean()
        <= _ALIKE
        for old, new in zip(deep, seen, strict=True)
    )


def _numbers(value: object) -> Sequence[int]:
    if value is None:
        return ()
    return value if isinstance(value, Sequence) else (value,)  # type: ignore[return-value]
