"""Read and write images in their own format, with alpha, 16 bits, or as animations.

Pixels are always turned upright by the EXIF orientation. Metadata that identify people,
places and devices (EXIF with its thumbnail, XMP, comments) are not written again.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError
from PIL.JpegImagePlugin import get_sampling
from PIL.PngImagePlugin import Disposal

from mmanon.utils.images import enable_heif

from .deep_images import encode_deep
from .sources import InputError
from .still_images import plain, read_still, refuse_unknown_values, turn_of

__all__ = ['as_colour', 'ImageFile', 'open_image', 'write_frames', 'write_image']

_MOVING = {'GIF', 'WEBP', 'PNG'}
# In these formats, further pictures belong to the first one, such as a depth map.
_LED_BY_FIRST = {'MPO', 'HEIF', 'AVIF'}
_JPEG_QUALITY = 95
_KEPT_MODES = {'L', 'LA', 'RGB', 'RGBA', 'I;16', 'I;16B'}
_EXTENSIONS = {'PNG': '.png', 'TIFF': '.tif', 'PPM': '.ppm'}

_pillows_limit = Lock()


@dataclass
class ImageFile:
    """An image on disk.

    Attributes:
        path (Path): The file.
        format (str): Pillow's name of its format.
        frames (int): The number of frames of an animation; otherwise 1.
        durations (list[float]): How long each frame of an animation is shown, in
            milliseconds.
        loop (int, optional): How often an animation is repeated; 0 is for ever, None if
            the file does not say it.
        default_image (bool): Whether the first frame is not part of the animation, but
            shown by programs without animation.
        removed (list[str]): Descriptions of the metadata that will not be written
            again.
        problems (list[str]): Descriptions of what could not be kept of the pixels.
        saving (dict): Arguments of Pillow to save an output in the same format.
    """

    path: Path
    format: str
    frames: int = 1
    durations: list[float] = field(default_factory=list)
    loop: int | None = None
    default_image: bool = False
    removed: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    saving: dict = field(default_factory=dict)

    def pixels(self) -> Iterator[np.ndarray]:
        """Read the frames, upright.

        Yields:
            np.ndarray: uint8 or uint16, (H, W), (H, W, 2) with alpha, (H, W, 3) RGB, or
            (H, W, 4) RGBA.

        Raises:
            InputError: When the file cannot be decoded.
        """
        with _decoding(self.path), _opened(self.path, None) as image:
            if self.frames == 1:
                yield read_still(image, self.path, self.problems)
                return
            for number in range(self.frames):
                image.seek(number)
                frame = plain(image, moving=True)
                yield turn_of(image).upright(np.asarray(frame))


def open_image(
    path: Path, keep_metadata: bool = False, largest: float | None = None
) -> ImageFile:
    """Read the properties of an image without decoding it.

    Args:
        path (Path): The file.
        keep_metadata (bool): Whether EXIF is written again, without its thumbnail and
            the camera maker's notes, which may show the original.
        largest (float, optional): Maximum size in megapixels; None for no limit.

    Returns:
        ImageFile: The properties.

    Raises:
        InputError: When it cannot be read as an image, or is too large.
    """
    with _decoding(path), _opened(path, largest) as image:
        found = ImageFile(path, str(image.format), getattr(image, 'n_frames', 1))
        refuse_unknown_values(image, path)
        if found.format in _LED_BY_FIRST and found.frames > 1:
            found.removed.append(f'{found.frames - 1} pictures after the first')
            found.frames = 1
        if found.frames > 1:
            if found.format not in _MOVING:
                raise InputError(
                    f'{path} contains {found.frames} pictures, but only one picture '
                    f'in a {found.format} file is supported: split it first'
                )
            for number in range(found.frames):
                image.seek(number)
                if found.format == 'WEBP':
                    image.load()  # reads the frame's duration
                found.durations.append(float(image.info.get('duration', 100)))
            found.loop = image.info.get('loop')
            found.default_image = bool(image.info.get('default_image'))
            image.seek(0)
        found.saving = _saving(image, found)
        found.removed += _identifying(image)
        if keep_metadata:
            _keep_exif(image, found)
        found.removed = [f'removed: {word}' for word in found.removed]
        return found


@contextmanager
def _decoding(path: Path) -> Iterator[None]:
    """Add the file's path to errors of decoding."""
    try:
        yield
    except (OSError, SyntaxError, ValueError, EOFError, struct.error) as error:
        raise InputError(f'{path} cannot be decoded: {error}') from error


def _opened(path: Path, largest: float | None) -> Image.Image:
    if not path.stat().st_size:
        raise InputError(f'{path} is empty')
    try:
        enable_heif(path)
    except ImportError as error:
        raise InputError(str(error)) from error
    try:
        image = _open_of_any_size(path)
    except UnidentifiedImageError as error:
        with path.open('rb') as file:
            begins = file.read(3)
        if begins in (b'II*', b'MM\0', b'II+'):
            raise InputError(
                f'{path} is a TIFF that is damaged or of a rare kind: save it as grey '
                'or RGB with 8 or 16 bits per value first'
            ) from error
        raise InputError(f'{path} is not an image, despite its name') from error
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f'{path} cannot be read: {error}') from error
    megapixels = image.width * image.height / 1e6
    if largest is not None and megapixels > largest:
        image.close()
        raise InputError(
            f'{path} has {megapixels:.0f} megapixels, more than the limit of '
            f'{largest:g}: if there are 8 MB of memory for each megapixel, allow it '
            f'with --largest-image {megapixels + 1:.0f}'
        )
    return image


def _open_of_any_size(path: Path) -> Image.Image:
    """Open an image without Pillow's limit of its size."""
    with _pillows_limit:
        before = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = None
        try:
            image = Image.open(path)
        finally:
            Image.MAX_IMAGE_PIXELS = before
    # With a file name, Pillow maps some formats into memory, and scrambles those that
    # are stored rotated.
    image.filename = ''
    return image


def _saving(image: Image.Image, found: ImageFile) -> dict[str, Any]:
    saving: dict[str, Any] = {}
    # The colour profile does not fit pixels that are converted to another mode.
    if image.info.get('icc_profile') and image.mode in _KEPT_MODES:
        saving['icc_profile'] = image.info['icc_profile']
    if found.format in ('JPEG', 'MPO'):
        saving['quality'] = _JPEG_QUALITY
        tables = getattr(image, 'quantization', None)
        if image.mode in ('L', 'RGB') and tables:
            # The same quality as the source: its quantization tables and subsampling.
            saving['qtables'] = tables
            del saving['quality']
            if image.mode == 'RGB' and get_sampling(image) >= 0:
                saving['subsampling'] = get_sampling(image)
    if found.format in ('WEBP', 'AVIF', 'HEIF'):
        saving['quality'] = _JPEG_QUALITY
    if image.info.get('dpi'):
        saving['dpi'] = image.info['dpi']
    return saving


# Tags of TIFF and EXIF about the storage of pixels, which say nothing about people.
_STRUCTURE = {
    *range(254, 269),
    *(273, 274, *range(277, 285), *range(288, 294), 296, 297, 301, *range(317, 326)),
    *range(332, 348),
    *range(512, 533),
    *(700, 33723, 34377, 34665, 34675, 34853),  # these are listed elsewhere
}


def _identifying(image: Image.Image) -> list[str]:
    """Descriptions of the identifying metadata of a file."""
    words = []
    exif = image.getexif()
    for tag, value in exif.items():
        name = ExifTags.TAGS.get(tag, f'tag {tag}')
        if tag not in _STRUCTURE and name not in ('ExifOffset', 'GPSInfo'):
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
        *('mp', 'mpoffset', 'primary', 'bit_depth', 'chroma', 'nclx_profile'),
        *('icc_profile_type', 'photoshop'),
    }
    words.extend(
        f'{key} ({len(value)} bytes)' if isinstance(value, bytes) else f'{key}'
        for key, value in image.info.items()
        if str(key) not in harmless
    )
    return words


def _keep_exif(image: Image.Image, found: ImageFile) -> None:
    packed = image.info.get('exif')
    if not packed:
        return
    # A new object: the thumbnail is dropped, because its directory is not read.
    exif = Image.Exif()
    try:
        exif.load(packed)
        exif.pop(ExifTags.Base.Orientation, None)  # the pixels are upright
        exif.get_ifd(ExifTags.IFD.Exif).pop(ExifTags.Base.MakerNote, None)
        found.saving['exif'] = exif.tobytes()
    except (struct.error, SyntaxError, ValueError, TypeError):
        return  # it violates the standard, and stays listed as removed
    found.removed = [
        word
        for word in found.removed
        if word == 'EXIF thumbnail' or not word.startswith('EXIF')
    ]


def as_colour(pixels: np.ndarray) -> np.ndarray:
    """Copy a picture of any kind as RGB, (H, W, 3)."""
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.shape[2] <= 2:
        return np.repeat(pixels[..., :1], 3, axis=2)
    return pixels[..., :3].copy()


def write_image(pixels: np.ndarray, like: ImageFile, beside: Path) -> None:
    """Write one picture in the format of its source.

    Args:
        pixels (np.ndarray): As from :meth:`ImageFile.pixels`.
        like (ImageFile): The source.
        beside (Path): The file to write, with any name.
    """
    if pixels.dtype == np.uint16 and pixels.ndim == 3:
        beside.write_bytes(encode_deep(pixels, _EXTENSIONS[like.format]))
        return
    kind = 'JPEG' if like.format == 'MPO' else like.format
    _save(Image.fromarray(pixels), beside, format=kind, **like.saving)


def write_frames(frames: Iterable[np.ndarray], like: ImageFile, beside: Path) -> None:
    """Write an animation in the format of its source, frame by frame.

    Args:
        frames (Iterable[np.ndarray]): All frames, (H, W, 4) RGBA uint8.
        like (ImageFile): The source.
        beside (Path): The file to write, with any name.
    """
    pictures: Iterator[Image.Image] = (Image.fromarray(frame) for frame in frames)
    first = next(pictures)
    durations = [round(duration) for duration in like.durations]
    extra: dict[str, Any] = {}
    if like.format in ('GIF', 'PNG'):
        # Each frame is complete, so that a PNG with two equal frames keeps both.
        extra['disposal'] = 2 if like.format == 'GIF' else Disposal.OP_BACKGROUND
    if like.loop is not None:
        extra['loop'] = like.loop
    if like.default_image:
        extra['default_image'] = True
        del durations[0]
    _save(
        first,
        beside,
        format=like.format,
        save_all=True,
        # For a PNG, Pillow iterates twice.
        append_images=list(pictures) if like.format == 'PNG' else pictures,
        duration=durations,
        **extra,
        **like.saving,
    )


def _save(image: Image.Image, beside: Path, **options: Any) -> None:
    # Via memory: if the disk is full, Pillow reports no error for a partly written
    # JPEG.
    packed = io.BytesIO()
    image.save(packed, **options)
    beside.write_bytes(packed.getbuffer())
