"""Antialiased drawing in pixels of a frame, with boxes around the drawn shapes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import cv2
import numpy as np
from numpy.typing import ArrayLike

__all__ = ['Bounds', 'Canvas', 'Color', 'ellipse', 'mix', 'shade', 'superellipse']

_OVERSAMPLING = 3
_SUBPIXEL_BITS = 4

Color = tuple[float, ...]
"""Red, green and blue in [0, 255]."""


def shade(color: Color, factor: float) -> Color:
    """Scale a colour: darker by a factor below 1, lighter by a factor above 1."""
    return tuple(float(np.clip(c * factor, 0, 255)) for c in color)


def mix(a: Color, b: Color, share: float) -> Color:
    """Mix two colours, with a ``share`` in [0, 1] of the second."""
    return tuple(float(x + (y - x) * share) for x, y in zip(a, b, strict=True))


def ellipse(
    x: float, y: float, rx: float, ry: float, turn: float = 0.0, sides: int = 20
) -> np.ndarray:
    """Return the corners, (sides, 2), of an ellipse rotated by ``turn`` radians."""
    return superellipse(x, y, rx, ry, 2.0, turn, sides)


def superellipse(
    x: float,
    y: float,
    rx: float,
    ry: float,
    power: float,
    turn: float = 0.0,
    sides: int = 28,
) -> np.ndarray:
    """Return the corners, (sides, 2), of a superellipse; a power above 2 is boxier."""
    c, s = math.cos(turn), math.sin(turn)
    unit = _unit_superellipse(power, sides)
    return unit @ np.array([[rx * c, rx * s], [-ry * s, ry * c]]) + (x, y)


@cache
def _unit_superellipse(power: float, sides: int) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    points = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.sign(points) * np.abs(points) ** (2 / power)


class Bounds:
    """The box around everything drawn while it is open; (4,) in pixels."""

    def __init__(self) -> None:
        self.box = np.array([np.inf, np.inf, -np.inf, -np.inf])

    def add(self, points: np.ndarray) -> None:
        """Enlarge the box to contain ``points`` (n, 2)."""
        self.box[:2] = np.minimum(self.box[:2], points.min(axis=0))
        self.box[2:] = np.maximum(self.box[2:], points.max(axis=0))


class Canvas:
    """An RGB image that is drawn at three times its size and then averaged.

    Coordinates are pixels of the image, where pixel ``i`` covers ``[i, i + 1]``;
    colours are in [0, 255].

    Args:
        background: uint8 (H, W, 3).
    """

    def __init__(self, background: np.ndarray) -> None:
        self.height, self.width = background.shape[:2]
        size = (self.width * _OVERSAMPLING, self.height * _OVERSAMPLING)
        self._pixels = cv2.resize(background, size, interpolation=cv2.INTER_LINEAR)
        self._open: list[Bounds] = []

    @contextmanager
    def bounds(self) -> Iterator[Bounds]:
        """Record the box around everything drawn inside the ``with`` block."""
        bounds = Bounds()
        self._open.append(bounds)
        try:
            yield bounds
        finally:
            self._open.remove(bounds)

    def polygon(self, points: ArrayLike, color: Color, alpha: float = 1.0) -> None:
        """Fill a polygon (n, 2) with an opacity ``alpha`` in [0, 1]."""
        self._draw(np.asarray(points, float), color, alpha, width=None)

    def stroke(
        self, points: ArrayLike, width: float, color: Color, alpha: float = 1.0
    ) -> None:
        """Draw a polyline (n, 2) of ``width`` pixels with round ends and joints."""
        self._draw(np.asarray(points, float), color, alpha, width)

    def _draw(
        self, points: np.ndarray, color: Color, alpha: float, width: float | None
    ) -> None:
        reach = 0.0 if width is None else width / 2
        low, high = points.min(axis=0) - reach, points.max(axis=0) + reach
        for bounds in self._open:
            bounds.add(np.array([low, high]))
        thickness = None if width is None else max(round(width * _OVERSAMPLING), 1)
        # OpenCV's pixel i is centred on i, ours on i + 0.5.
        fine = points * _OVERSAMPLING - 0.5
        if alpha >= 1:
            self._rasterize(self._pixels, fine, color, thickness)
            return
        x1, y1 = np.floor(low * _OVERSAMPLING).astype(int).clip(0)
        x2, y2 = np.ceil(high * _OVERSAMPLING).astype(int) + 1
        region = self._pixels[y1 : max(y2, 0), x1 : max(x2, 0)]
        if region.size:
            drawn = region.copy()
            self._rasterize(drawn, fine - (x1, y1), color, thickness)
            region[:] = cv2.addWeighted(drawn, alpha, region, 1 - alpha, 0)

    @staticmethod
    def _rasterize(
        pixels: np.ndarray, points: np.ndarray, color: Color, thickness: int | None
    ) -> None:
        scaled = [np.round(points * 2**_SUBPIXEL_BITS).astype(np.int32)]
        if thickness is None:
            cv2.fillPoly(pixels, scaled, color, shift=_SUBPIXEL_BITS)
        else:
            cv2.polylines(pixels, scaled, False, color, thickness, shift=_SUBPIXEL_BITS)

    def blend(
        self,
        picture: np.ndarray,
        mask: np.ndarray,
        to: np.ndarray,
        outline: np.ndarray,
    ) -> None:
        """Paste a picture through a mask after an affine map.

        Args:
            picture: uint8 (h, w, 3).
            mask: float32 (h, w) in [0, 1].
            to: Affine map (2, 3) from pixels of ``picture`` to pixels of the canvas.
            outline: Corners of the visible part, (n, 2), in pixels of the canvas.
        """
        for bounds in self._open:
            bounds.add(outline)
        corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) * mask.shape[::-1]
        corners = corners @ to[:, :2].T + to[:, 2]
        x1, y1 = np.floor(corners.min(axis=0) * _OVERSAMPLING).astype(int).clip(0)
        x2, y2 = np.ceil(corners.max(axis=0) * _OVERSAMPLING).astype(int)
        region = self._pixels[y1 : max(y2, 0), x1 : max(x2, 0)]
        if not region.size:
            return
        # OpenCV's pixel i is centred on i, ours on i + 0.5, on both sides of the map.
        fine = to.astype(np.float64) * _OVERSAMPLING
        fine[:, 2] += fine[:, :2] @ (0.5, 0.5) - 0.5 - (x1, y1)
        size = region.shape[1::-1]
        weight = cv2.warpAffine(mask, fine, size, flags=cv2.INTER_LINEAR)[..., None]
        warped = cv2.warpAffine(picture, fine, size, flags=cv2.INTER_LINEAR)
        mixed = region + (warped - region.astype(np.float32)) * weight
        region[:] = np.rint(mixed).astype(np.uint8)

    def picture(self) -> np.ndarray:
        """Return the current image, uint8 (H, W, 3)."""
        return cv2.resize(
            self._pixels, (self.width, self.height), interpolation=cv2.INTER_AREA
        )
