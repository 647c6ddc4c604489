"""Shrink, turn and blur pictures and make them grey in NumPy, as OpenCV does.

The anonymizer therefore needs no OpenCV, which comes in four packages that overwrite
each other, and whose usual package needs libGL.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

__all__ = ['area_mean', 'block_mean', 'gaussian_blur', 'sample_affine', 'to_grey']

# Weights of R, G and B in the brightness (ITU-R BT.601), times 2 ** 15.
_LUMA = (9798, 19235, 3735)
_LUMA_BITS = 15


def area_mean(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Shrink a picture: each new pixel is the mean of the area that it covers.

    A pixel on the border of two areas counts in each in proportion to its part there.
    Use this for small pictures: the cost grows with the product of the old and new
    heights, and of the old and new widths.

    Args:
        image (np.ndarray): (H, W) or (H, W, C).
        size (tuple[int, int]): Width and height of the smaller picture.

    Returns:
        np.ndarray: float32, (height, width) or (height, width, C).
    """
    height, width = image.shape[:2]
    flat = image.reshape(height, -1).astype(np.float32)
    down = (_area_weights(height, size[1]) @ flat).reshape(
        size[1], width, *image.shape[2:]
    )
    columns = _area_weights(width, size[0])
    if image.ndim == 2:
        return down @ columns.T
    return np.matmul(columns, down)


@lru_cache(maxsize=64)
def _area_weights(count: int, size: int) -> np.ndarray:
    """Weights (size, count) of a side's old pixels in each new pixel."""
    edges = np.arange(size + 1) * (count / size)
    places = np.arange(count)
    shared = np.minimum(edges[1:, None], places + 1) - np.maximum(
        edges[:-1, None], places
    )
    weights = (shared.clip(0) * (size / count)).astype(np.float32)
    weights.flags.writeable = False
    return weights


def block_mean(image: np.ndarray, factor: int) -> np.ndarray:
    """Average squares of pixels.

    Args:
        image (np.ndarray): (H, W, C); both sides are multiples of the factor.
        factor (int): Side of a square in pixels.

    Returns:
        np.ndarray: float32 (H / factor, W / factor, C).
    """
    height, width = image.shape[0] // factor, image.shape[1] // factor
    total = np.zeros((height, width, *image.shape[2:]), np.float32)
    for row in range(factor):
        for column in range(factor):
            total += image[row::factor, column::factor]
    return total / factor**2


def gaussian_blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Blur a picture; beyond the border, the nearest pixel is repeated.

    Args:
        image (np.ndarray): float32 (H, W, C).
        sigma (float): Standard deviation in pixels, above 0.

    Returns:
        np.ndarray: float32 (H, W, C).
    """
    reach = math.ceil(4 * sigma)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel = (kernel / kernel.sum()).astype(np.float32)
    for axis in (0, 1):
        around = [(reach, reach) if one == axis else (0, 0) for one in range(3)]
        padded = np.pad(image, around, mode='edge')
        count = image.shape[axis]
        image = np.zeros_like(image)
        for start, weight in enumerate(kernel):
            window = slice(start, start + count)
            image += weight * (padded[window] if axis == 0 else padded[:, window])
    return image


def sample_affine(
    image: np.ndarray, matrix: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    """Rotate, scale and shift a picture with bilinear interpolation.

    Beyond the border, the nearest pixel is repeated.

    Args:
        image (np.ndarray): float32 (H, W, C).
        matrix (np.ndarray): (2, 3), maps positions (x, y) in the new picture to
            positions in the old one; the centre of the first pixel is (0, 0) in both.
        size (tuple[int, int]): Width and height of the new picture.

    Returns:
        np.ndarray: float32 (height, width, C).
    """
    height, width = image.shape[:2]
    across = np.arange(size[0])
    down = np.arange(size[1])[:, None]
    first = np.zeros((size[1], size[0]), np.intp)
    parts, steps = [], []
    for (a, b, c), count, stride in zip(
        matrix, (width, height), (1, width), strict=True
    ):
        place = (a * across + (b * down + c)).clip(0, count - 1)
        whole = np.minimum(place.astype(np.intp), max(count - 2, 0))
        parts.append((place - whole).astype(np.float32)[..., None])
        first += whole * stride
        steps.append(stride if count > 1 else 0)
    pixels = np.ascontiguousarray(image).reshape(height * width, -1)

    def row(start: np.ndarray) -> np.ndarray:
        left, right = pixels[start], pixels[start + steps[0]]
        right -= left
        right *= parts[0]
        right += left
        return right

    upper, lower = row(first), row(first + steps[1])
    lower -= upper
    lower *= parts[1]
    lower += upper
    return lower


def to_grey(image: np.ndarray) -> np.ndarray:
    """Convert colours to brightness (ITU-R BT.601).

    Args:
        image (np.ndarray): RGB, (H, W, 3), uint8 or uint16.

    Returns:
        np.ndarray: (H, W), with the same data type.
    """
    total = np.full(image.shape[:2], 1 << (_LUMA_BITS - 1), np.uint32)
    for part, weight in enumerate(_LUMA):
        total += image[..., part] * np.uint32(weight)
    return (total >> _LUMA_BITS).astype(image.dtype)
