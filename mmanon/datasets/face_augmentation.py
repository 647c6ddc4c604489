"""Augmentation of face images: light, colour, tilt, shift, blur, JPEG."""

import math
import zlib

import cv2
import numpy as np

from mmanon.registry import TRANSFORMS

__all__ = ['FaceAugmentation']

# The most changed images to keep in memory if `versions` is set.
_MOST_KEPT = 4096


@TRANSFORMS.register_module()
class FaceAugmentation:
    """Changes a face image as another camera and another day would.

    So a person with one image gets several. The same random numbers give the same
    change.

    Args:
        light (float): Largest relative change of brightness and of contrast. Defaults
            to 0.25.
        colour (float): Largest relative change of each colour channel. Defaults to 0.1.
        tilt (float): Largest rotation in degrees, in both directions. Defaults to 6.
        shift (float): Largest shift and change of scale, as a fraction of the side.
            Defaults to 0.04.
        blur (float): Probability of a slight blur, with a standard deviation of up to
            2 % of the side. Defaults to 0.3.
        compression (float): Probability of JPEG compression, with quality 30 to 90.
            Defaults to 0.3.
        versions (int, optional): Number of different images that each image can become;
            they are always the same, so that results for them can be cached. Defaults
            to no limit.

    Raises:
        ValueError: If a number is out of its range.
    """

    def __init__(
        self,
        light: float = 0.25,
        colour: float = 0.1,
        tilt: float = 6.0,
        shift: float = 0.04,
        blur: float = 0.3,
        compression: float = 0.3,
        versions: int | None = None,
    ) -> None:
        shares = dict(
            light=light, colour=colour, shift=shift, blur=blur, compression=compression
        )
        for name, value in shares.items():
            if not 0 <= value <= 1:
                raise ValueError(f'{name} must be in [0, 1], got {value!r}')
        if not 0 <= tilt < math.inf:
            raise ValueError(f'tilt must be at least 0 degrees, got {tilt!r}')
        if versions is not None and versions < 1:
            raise ValueError(f'versions must be at least 1, got {versions!r}')
        self.versions = versions
        self._made: dict[tuple[int, int], np.ndarray] = {}
        self.light = light
        self.colour = colour
        self.tilt = tilt
        self.shift = shift
        self.blur = blur
        self.compression = compression

    def __call__(self, image: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Change an image.

        Args:
            image (np.ndarray): uint8 (S, S, 3) RGB.
            random (np.random.Generator): Source of random numbers.

        Returns:
            np.ndarray: uint8 (S, S, 3).
        """
        if self.versions is not None:
            return self.version(image, int(random.integers(self.versions)))
        return self._change(image, random)

    def version(self, image: np.ndarray, number: int) -> np.ndarray:
        """Return a version of an image by its number from 0; uint8 (S, S, 3)."""
        about = zlib.crc32(np.ascontiguousarray(image).tobytes())
        key = about, number
        if key not in self._made:
            if len(self._made) >= _MOST_KEPT:
                self._made.clear()
            random = np.random.default_rng([about, number])
            self._made[key] = self._change(image, random)
        return self._made[key]

    def _change(self, image: np.ndarray, random: np.random.Generator) -> np.ndarray:
        side = len(image)
        centre = (side - 1) / 2
        scale = 1 + self.shift * random.uniform(-1, 1)
        turn = cv2.getRotationMatrix2D(
            (centre, centre), self.tilt * random.uniform(-1, 1), scale
        )
        moved = np.zeros((2, 3))
        moved[:, 2] = self.shift * side * random.uniform(-1, 1, 2)
        turn = np.asarray(turn) + moved
        image = cv2.warpAffine(image, turn, (side, side), borderMode=cv2.BORDER_REFLECT)
        if random.random() < self.blur:
            image = cv2.GaussianBlur(
                image, (0, 0), 0.02 * side * random.uniform(0.3, 1)
            )
        contrast, brightness = 1 + self.light * random.uniform(-1, 1, 2)
        colours = 1 + self.colour * random.uniform(-1, 1, 3)
        mean = image.mean()
        lit = ((image - mean) * contrast + mean) * (brightness * colours)
        image = lit.round().clip(0, 255).astype(np.uint8)
        if random.random() < self.compression:
            quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(30, 91))]
            # RGB instead of BGR changes only how colours lose detail; the order stays.
            _, content = cv2.imencode('.jpg', image, quality)
            image = cv2.imdecode(content, cv2.IMREAD_COLOR)
        return image
