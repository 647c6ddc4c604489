"""Small objects: people hold them in their actions, and they are in the background.

An object is a list of coloured polygons in its own coordinates, in units of half a
head's height. The end at the face is at the origin, and the handle points to +x. The
caller maps these coordinates to the frame.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from .canvas import Canvas, Color, ellipse, superellipse

__all__ = ['OBJECTS', 'PICKS', 'SmallObject']

Part = tuple[np.ndarray, Color, float]

# Larger than in reality: a cigarette of true size would be half a pixel wide.
_SCALE = 1.55

# Objects of a kind have a few colours, mostly different from those of other kinds.
_CUPS = ((240, 240, 236), (60, 120, 190), (90, 170, 210))
_BRUSHES = ((40, 170, 120), (60, 190, 190), (80, 160, 80))
_TUBES = ((30, 26, 30), (120, 30, 70))
_CASES = ((30, 32, 36), (60, 62, 70))
_STRIPES = ((200, 50, 50), (120, 80, 160), (90, 60, 40))
_FILLINGS = ((200, 60, 50), (240, 150, 40), (240, 220, 90))


def _pick(rng: np.random.Generator, colors: tuple[Color, ...]) -> Color:
    color = np.array(colors[rng.integers(len(colors))]) + rng.uniform(-20, 20, 3)
    return tuple(np.clip(color, 0, 255).tolist())


def _box(x1: float, x2: float, half: float, end: float | None = None) -> np.ndarray:
    """Return a bar along x with half-width ``half`` at x1 and ``end`` at x2."""
    end = half if end is None else end
    return np.array([[x1, -half], [x2, -end], [x2, end], [x1, half]])


def _darker(color: Color, factor: float = 0.65) -> Color:
    return tuple(c * factor for c in color)


def _cup(rng: np.random.Generator) -> list[Part]:
    color = _pick(rng, _CUPS)
    half = rng.uniform(0.21, 0.27)
    length = rng.uniform(0.5, 0.65)
    return [
        (_box(0, length, half, half * 0.8), color, 1.0),
        (_box(length * 0.55, length * 0.75, half * 0.9), _pick(rng, _CUPS), 1.0),
        (ellipse(0, 0, 0.07, half), _darker(color, 0.5), 1.0),
    ]


def _toothbrush(rng: np.random.Generator) -> list[Part]:
    color = _pick(rng, _BRUSHES)
    foam = [
        (ellipse(x, y, 0.05, 0.04), (250, 250, 250), 1.0)
        for x, y in rng.uniform(-0.13, 0.13, (4, 2))
    ]
    return [
        (_box(-0.12, rng.uniform(0.75, 0.9), 0.04), color, 1.0),
        (_box(-0.14, 0.16, 0.04) - (0, 0.07), (248, 250, 252), 1.0),
        *foam,
    ]


def _cigarette(rng: np.random.Generator) -> list[Part]:
    length = rng.uniform(0.55, 0.7)
    smoke = [
        (ellipse(length + 0.06 * i, -0.16 - 0.2 * i, 0.08 + 0.03 * i, 0.1), (210,) * 3)
        for i in range(3)
    ]
    return [
        (_box(0, length * 0.3, 0.042), (214, 150, 80), 1.0),
        (_box(length * 0.3, length, 0.042), (250, 250, 246), 1.0),
        (_box(length, length + 0.08, 0.045), (250, 90, 20), 1.0),
        *[(points, color, 0.35) for points, color in smoke],
    ]


def _phone(rng: np.random.Generator) -> list[Part]:
    case = _pick(rng, _CASES)
    length, half = rng.uniform(0.75, 0.9), rng.uniform(0.15, 0.19)
    return [
        (superellipse(length / 2, 0, length / 2, half, 6), case, 1.0),
        (
            superellipse(length / 2, 0, length * 0.42, half * 0.72, 8),
            _darker(case, 0.7),
            1.0,
        ),
        (ellipse(0.1, 0.07, 0.035, 0.035, sides=8), (225, 230, 235), 1.0),
    ]


def _mouth_organ(rng: np.random.Generator) -> list[Part]:
    metal = tuple(np.array([196, 200, 206]) + rng.uniform(-25, 25))
    half = rng.uniform(0.36, 0.46)
    holes = [
        (_box(x - 0.025, x + 0.025, 0.04), (40, 36, 36), 1.0)
        for x in np.linspace(-half + 0.09, half - 0.09, 7)
    ]
    return [
        (superellipse(0, 0, half, 0.14, 6), metal, 1.0),
        (_box(-half * 0.95, half * 0.95, 0.065), _pick(rng, _STRIPES), 1.0),
        *holes,
    ]


def _lipstick(rng: np.random.Generator) -> list[Part]:
    red = (rng.uniform(170, 225), rng.uniform(20, 60), rng.uniform(50, 110))
    tube = _pick(rng, _TUBES)
    return [
        (_box(0.2, rng.uniform(0.5, 0.65), 0.095), tube, 1.0),
        (_box(0.1, 0.22, 0.08), (216, 180, 90), 1.0),
        (_box(-0.1, 0.12, 0.05, 0.085), red, 1.0),
    ]


def _sandwich(rng: np.random.Generator) -> list[Part]:
    bread = tuple(np.array([216, 164, 96]) + rng.uniform(-25, 25, 3))
    size = rng.uniform(0.24, 0.3)
    middle = size * 0.9
    return [
        (superellipse(middle, 0, size, size * 0.85, 3), bread, 1.0),
        (_box(0.02, 2 * middle, 0.13), _pick(rng, _FILLINGS), 1.0),
        (_box(0.02, 2 * middle, 0.05), (90, 160, 60), 1.0),
        (ellipse(-0.02, 0, 0.09, 0.12), _darker(bread, 0.6), 1.0),
    ]


OBJECTS: dict[str, Callable[[np.random.Generator], list[Part]]] = {
    'cup': _cup,
    'toothbrush': _toothbrush,
    'cigarette': _cigarette,
    'phone': _phone,
    'mouth organ': _mouth_organ,
    'lipstick': _lipstick,
    'sandwich': _sandwich,
}
PICKS = tuple(OBJECTS)


class SmallObject:
    """One object with its own colours and size.

    Args:
        kind: A key of :data:`OBJECTS`.
        rng: Source of random colours and size.
    """

    def __init__(self, kind: str, rng: np.random.Generator) -> None:
        self.kind = kind
        self._parts = [
            (points * _SCALE, color, alpha)
            for points, color, alpha in OBJECTS[kind](rng)
        ]

    def draw(
        self,
        canvas: Canvas,
        place: Callable[[np.ndarray], np.ndarray],
        origin: ArrayLike,
        turn: float,
        mirrored: bool = False,
    ) -> None:
        """Draw the object.

        Args:
            canvas: The canvas to draw on.
            place: Maps points (n, 2) of the plane of ``origin`` to the frame.
            origin: Position of the end at the face.
            turn: Direction of the handle in radians, from +x to +y.
            mirrored: Whether the y axis of the object is reversed.
        """
        c, s = np.cos(turn), np.sin(turn)
        flip = -1 if mirrored else 1
        turned = np.array([[c, -s * flip], [s, c * flip]])
        for points, color, alpha in self._parts:
            canvas.polygon(place(points @ turned.T + np.asarray(origin)), color, alpha)
