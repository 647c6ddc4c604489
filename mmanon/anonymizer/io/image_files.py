"""Reads and writes images in their own kind: grey, colour, alpha, 8 or 16 bits, moving.

Pixels are always turned upright, as the EXIF orientation says. What identifies people,
places and devices (EXIF with its thumbnail, XMP, comments) is not written again.
"""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError
from PIL.JpegImagePlugin import get_sampling

from mmanon.utils.orientation import Orientation

from .deep_images import encode_deep, read_deep
from .sources import InputError

__all__ = ['as_colour', 'ImageFile', 'open_image', 'write_frames', 'write_image']

_MOVING = {'GIF', 'WEBP', 'PNG'}
_JPEG_QUALITY = 95


@dataclass
class ImageFile:
    """An image on disk.

    Attributes:
        path (Path): Where it is.
        format (str): Pillow's name of its kind.
        frames (int): 1, or the number of frames of a moving one.
        durations (list[float]): Milliseconds each frame of a moving one is shown.
        loop (int): How often a moving one is played; 0 is for ever.
        removed (list[str]): What will not be written again, in words.
        saving (dict): What Pillow is told so that the output is of the same kind.
    """

    path: Path
    format: str
    frames: int = 1
    durations: list[float] = field(default_factory=list)
    loop: int = 0
    removed: list[str] = field(default_factory=list)
    saving: dict = field(default_factory=dict)

    def pixels(self) -> Iterator[np.ndarray]:
        """Read the frames, upright.

        Yields:
            np.ndarray: uint8 or uint16, (H, W), (H, W, 2) with alpha, (H, W, 3) RGB, or
            (H, W, 4) RGBA.

        Raises:
            InputError: When the file cannot be decoded.
        """
        deep = read_deep(self.path) if self.frames == 1 else None
        with _decoding(self.path), _opened(self.path) as image:
            held = image.getexif().get(ExifTags.Base.Orientation, 1)
            turn = Orientation.of_exif(held)
            if deep is not None:
                image.load()  # raises where the file is damaged
                yield turn.upright(deep)
                return
            for number in range(self.frames):
                image.seek(number)
                yield turn.upright(np.asarray(_plain(image, self.frames > 1)))


def open_image(path: Path, keep_metadata: bool = False) -> ImageFile:
    """Look at an image without decoding it.

    Args:
        path (Path): The file.
        keep_metadata (bool): Whether EXIF is written again, without its thumbnail and
            the camera maker's notes, which may show the original.

    Returns:
        ImageFile: What it is.

    Raises:
        InputError: When it is no image that can be read.
    """
    with _decoding(path), _opened(path) as image:
        found = ImageFile(path, str(image.format), getattr(image, 'n_frames', 1))
        if found.frames > 1:
            if found.format not in _MOVING:
                raise InputError(
                    f'{path} holds {found.frames} pictures; of {found.format} only '
                    'files with one are anonymized: take it apart first'
                )
            for number in range(found.frames):
                image.seek(number)
                if found.format == 'WEBP':
                    image.load()  # tells how long the frame is shown
                found.durations.append(float(image.info.get('duration', 100)))
            found.loop = image.info.get('loop', 1 if found.format == 'GIF' else 0)
            image.seek(0)
        found.saving = _saving(image, found)
        found.removed = _identifying(image)
        if keep_metadata:
            _keep_exif(image, found)
        return found


@contextmanager
def _decoding(path: Path) -> Iterator[None]:
    """Say of which file it is that something cannot be decoded."""
    try:
        yield
    except (OSError, SyntaxError, ValueError, EOFError, struct.error) as error:
        raise InputError(f'{path} cannot be decoded: {error}') from error


def _opened(path: Path) -> Image.Image:
    if not path.stat().st_size:
        raise InputError(f'{path} is empty')
    try:
        with warnings.catch_warnings():
            # From 89 million pixels on Pillow warns, from 179 million on it refuses.
            warnings.simplefilter('ignore', Image.DecompressionBombWarning)
            return Image.open(path)
    except UnidentifiedImageError as error:
        raise InputError(f'{path} is not an image, whatever its name says') from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f'{path} cannot be read: {error}') from error


def _plain(image: Image.Image, moving: bool) -> Image.Image:
    """An image whose values are grey levels or colours."""
    if moving:
        return image.convert('RGBA')
    if image.mode in ('L', 'LA', 'RGB', 'RGBA'):
        return image
    if image.mode in ('1', 'I', 'F'):
        return image.convert('L')
    if image.mode.startswith('I;16'):
        return image
    if image.mode == 'P' and 'transparency' not in image.info:
        return image.convert('RGB')
    return image.convert('RGBA' if image.mode in ('P', 'PA') else 'RGB')


def _saving(image: Image.Image, found: ImageFile) -> dict[str, Any]:
    saving: dict[str, Any] = {}
    if image.info.get('icc_profile') and image.mode not in ('CMYK', 'P'):
        saving['icc_profile'] = image.info['icc_profile']
    if found.format in ('JPEG', 'MPO'):
        saving['quality'] = _JPEG_QUALITY
        tables = getattr(image, 'quantization', None)
        if image.mode in ('L', 'RGB') and tables:
            # As fine as the source: its own tables, and colour as densely stored.
            saving['qtables'] = tables
            del saving['quality']
            if image.mode == 'RGB' and get_sampling(image) >= 0:
                saving['subsampling'] = get_sampling(image)
    if found.format == 'WEBP':
        saving['quality'] = _JPEG_QUALITY
    if image.info.get('dpi'):
        saving['dpi'] = image.info['dpi']
    return saving


def _identifying(image: Image.Image) -> list[str]:
    """What the file says beside its pixels, in words."""
    words = []
    exif = image.getexif()
    for tag, value in exif.items():
        name = ExifTags.TAGS.get(tag, f'tag {tag}')
        if name not in ('Orientation', 'ExifOffset', 'GPSInfo'):
            words.append(f'EXIF {name} = {str(value)[:60]}')
    if exif.get_ifd(ExifTags.IFD.GPSInfo):
        words.append('EXIF position (GPS)')
    if exif.get_ifd(ExifTags.IFD.Exif):
        words.append('EXIF details of the shot')
    if exif.get_ifd(ExifTags.IFD.IFD1):
        words.append('EXIF thumbnail')
    harmless = {
        *('exif', 'icc_profile', 'dpi', 'jfif', 'jfif_version', 'jfif_unit'),
        *('jfif_density', 'progressive', 'progression', 'adobe', 'adobe_transform'),
        *('duration', 'loop', 'background', 'transparency', 'version', 'extension'),
        *('gamma', 'interlace', 'compression', 'resolution', 'srgb', 'chromaticity'),
        *('timestamp', 'disposal', 'blend', 'bbox', 'default_image', 'aspect'),
    }
    words.extend(
        f'{key} ({len(value)} bytes)' if isinstance(value, bytes) else f'{key}'
        for key, value in image.info.items()
        if str(key) not in harmless
    )
    if image.format == 'MPO':
        words.append('further pictures behind the first')
    return words


def _keep_exif(image: Image.Image, found: ImageFile) -> None:
    packed = image.info.get('exif')
    if not packed:
        return
    # Read anew: the thumbnail's part is left out by not being looked at.
    exif = Image.Exif()
    try:
        exif.load(packed)
        exif.pop(ExifTags.Base.Orientation, None)  # the pixels are upright
        exif.get_ifd(ExifTags.IFD.Exif).pop(ExifTags.Base.MakerNote, None)
        found.saving['exif'] = exif.tobytes()
    except (struct.error, SyntaxError, ValueError, TypeError):
        return  # against the standard; it is listed as removed
    gone = ('EXIF thumbnail', 'further pictures')
    found.removed = [
        word
        for word in found.removed
        if word.startswith(gone) or not word.startswith('EXIF')
    ]


def as_colour(pixels: np.ndarray) -> np.ndarray:
    """An RGB copy, (H, W, 3), of a picture of any kind."""
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.shape[2] <= 2:
        return np.repeat(pixels[..., :1], 3, axis=2)
    return pixels[..., :3].copy()


def write_image(pixels: np.ndarray, like: ImageFile, beside: Path) -> None:
    """Write one picture in the kind of another.

    Args:
        pixels (np.ndarray): As :meth:`ImageFile.pixels` gives them.
        like (ImageFile): The source.
        beside (Path): The file to write, of any name.
    """
    if pixels.dtype == np.uint16 and pixels.ndim == 3:
        beside.write_bytes(encode_deep(pixels, like.path.suffix.lower()))
        return
    kind = 'JPEG' if like.format == 'MPO' else like.format
    _save(Image.fromarray(pixels), beside, format=kind, **like.saving)


def write_frames(frames: Iterable[np.ndarray], like: ImageFile, beside: Path) -> None:
    """Write a moving picture in the kind of another, frame by frame.

    Args:
        frames (Iterable[np.ndarray]): (H, W, 4) RGBA uint8, as many as the source has.
        like (ImageFile): The source.
        beside (Path): The file to write, of any name.
    """
    pictures: Iterator[Image.Image] = (Image.fromarray(frame) for frame in frames)
    first = next(pictures)
    extra = {'disposal': 2} if like.format == 'GIF' else {}
    if like.loop or like.format != 'GIF':
        extra['loop'] = like.loop
    if like.format == 'GIF' and like.loop == 0:
        extra['loop'] = 0
    _save(
        first,
        beside,
        format=like.format,
        save_all=True,
        # Of a PNG Pillow goes through them twice.
        append_images=list(pictures) if like.format == 'PNG' else pictures,
        duration=[round(duration) for duration in like.durations],
        **extra,
        **like.saving,
    )


def _save(image: Image.Image, beside: Path, **options: Any) -> None:
    # By way of memory: on a disk that gets full Pillow takes the part of a JPEG that
    # was written for all of it.
    packed = io.BytesIO()
    image.save(packed, **options)
    beside.write_bytes(packed.getbuffer())
