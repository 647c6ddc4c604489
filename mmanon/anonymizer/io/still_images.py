"""The pixels of a still image as they are seen, or why they cannot be told.

Two decoders share the work: Pillow reads all kinds, FFmpeg the colours of 16 bits that
Pillow shortens to 8. Where the two do not see the same picture, FFmpeg is not believed.
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
_ALIKE = 2.0  # of 255, between two ways to shorten 16 bits to 8


def turn_of(image: Image.Image) -> Orientation:
    """How the pixels of an image that is loaded have to be turned.

    Pillow turns TIFF by itself while it loads, and then says so: to be asked after.
    """
    return Orientation.of_exif(image.getexif().get(ExifTags.Base.Orientation, 1))


def refuse_unknown_values(image: Image.Image, path: Path) -> None:
    """Refuse an image of whose values nobody knows which are black and white.

    Args:
        image (Image.Image): It need not be loaded.
        path (Path): Its file.

    Raises:
        InputError: Says what it holds and what to do.
    """
    tags = getattr(image, 'tag_v2', {})
    formats = {1, *_numbers(tags.get(_FORMAT))} - {1, 4}
    # What Pillow makes of a PGM of more than 8 bits goes up to 65535.
    whole = image.mode == 'I' and image.format != 'PPM'
    if image.mode == 'F' or 3 in formats:
        holds = 'fractions, such as temperatures or heights'
    elif whole or formats:
        holds = 'whole numbers of 32 bits, or below zero'
    elif max(_numbers(tags.get(_BITS)), default=8) > 8 and image.mode == 'CMYK':
        holds = 'inks of 16 bits'
    elif max(_numbers(tags.get(_BITS)), default=8) > 8 and tags.get(_PLANES, 1) != 1:
        holds = 'colours of 16 bits in separate planes'
    else:
        return
    raise InputError(
        f'{path} holds {holds}, and what is black and what is white in it is not known '
        'for sure: store it as grey or RGB with 8 or 16 bits a value first'
    )


def read_still(image: Image.Image, path: Path, problems: list[str]) -> np.ndarray:
    """The pixels of an image of one picture, upright.

    Args:
        image (Image.Image): Opened and not loaded; it is closed here, so that its
            pixels are not held twice.
        path (Path): Its file.
        problems (list[str]): Is told what is lost.

    Returns:
        np.ndarray: uint8 or uint16, (H, W), (H, W, 2) with alpha, (H, W, 3) RGB, or
        (H, W, 4) RGBA; to be written to.

    Raises:
        InputError: When it is not known what its values mean.
        OSError, ValueError: When it cannot be decoded.
    """
    refuse_unknown_values(image, path)
    stored_turn = turn_of(image)
    negative = (
        image.mode.startswith('I;16')
        and getattr(image, 'tag_v2', {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO
    )
    image.load()  # raises where the file is damaged
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
            problems.append('its 16 bits a value could not be read, and became 8')
    return seen


def pixels_of(image: Image.Image) -> np.ndarray:
    """A copy of an image's values, strip by strip, so that there is never a second."""
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
    """An image whose values are grey levels or colours.

    Args:
        image (Image.Image): Of any mode that :func:`refuse_unknown_values` passes.
        moving (bool): Whether it is one of several frames, which become RGBA.
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
    """Whether two decoders have read the same picture, but for alpha and depth."""
    if deep.shape[:2] != seen.shape[:2]:
        return False
    deep, seen = (x[..., None] if x.ndim == 2 else x for x in (deep, seen))
    colours = 3 if deep.shape[2] > 2 else 1
    if colours != (3 if seen.shape[2] > 2 else 1):
        return False
    # Row by row: an image may be of hundreds of millions of pixels.
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
