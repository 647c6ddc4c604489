"""Draws scenes: people next to each other in front of a background, with light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from .actions import ACTIONS, Performance
from .canvas import Canvas, ellipse
from .objects import PICKS, SmallObject
from .people import Head, Person, PersonView

__all__ = ['Clip', 'Role', 'draw_clip']

# Half a head's height in pixels of a 128-pixel frame, by number of people.
_UNITS = {1: (21.5, 25.5), 2: (18.5, 21.5), 3: (15.5, 17.0)}
_NOMINAL_SIZE = 128


@dataclass(frozen=True)
class Role:
    """A person and the person's actions.

    Attributes:
        head: The person's head.
        actions: Actions as in :class:`.actions.Performance`.
    """

    head: Head
    actions: tuple[str, ...]

    def labels(self) -> list[int]:
        """Return the numbers of the actions, from 1."""
        return [ACTIONS.index(action) + 1 for action in self.actions]


@dataclass(frozen=True)
class Clip:
    """A drawn clip.

    Attributes:
        frames: T images, uint8 (H, W, 3) RGB.
        views: Positions of all people in each frame.
    """

    frames: list[np.ndarray]
    views: list[list[PersonView]]


def draw_clip(
    roles: Sequence[Role],
    num_frames: int,
    size: int,
    rng: np.random.Generator,
    start: int = 0,
) -> Clip:
    """Draw a clip of square frames.

    Args:
        roles: One to three people, from the image's left to its right.
        num_frames: T, the number of frames.
        size: Side of a frame in pixels.
        rng: Source of everything random; equal states give equal clips.
        start: First frame of the movement to draw.

    Raises:
        ValueError: If there are not one to three roles.
    """
    if len(roles) not in _UNITS:
        raise ValueError(f'a clip shows 1 to {len(_UNITS)} people, got {len(roles)}')
    background = _background(size, rng)
    people = _people(roles, start + num_frames, size, rng)
    table = _Table(size, rng) if rng.random() < 0.6 else None
    light = _Light(size, rng)
    order = rng.permutation(len(people))
    frames, views = [], []
    for frame in range(start, start + num_frames):
        canvas = Canvas(background)
        seen: dict[int, PersonView] = {}
        for i in order:
            seen[i] = people[i].draw(canvas, frame, light.side)
        if table:
            table.draw(canvas)
        frames.append(light.fall_on(canvas.picture(), rng))
        views.append([seen[i] for i in range(len(people))])
    return Clip(frames, views)


def _people(
    roles: Sequence[Role], num_frames: int, size: int, rng: np.random.Generator
) -> list[Person]:
    slot = size / len(roles)
    people = []
    for i, role in enumerate(roles):
        unit = rng.uniform(*_UNITS[len(roles)]) * size / _NOMINAL_SIZE
        free = max(slot / 2 - 1.6 * unit, 0.05 * slot)
        x = slot * (i + 0.5) + rng.uniform(-free, free)
        y = unit * rng.uniform(1.55, 2.0)
        # Hands stay inside the frame and do not cover the neighbour's face.
        left, right = (max(min(gap, slot) / unit - 0.6, 1.3) for gap in (x, size - x))
        performance = Performance(role.actions, num_frames, rng, (left, right))
        people.append(Person(role.head, performance, x, y, unit, rng))
    return people


def _background(size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a wall: a gradient of two colours, grain, shapes and objects."""
    ends = rng.uniform(40, 230, (2, 3))
    angle = rng.uniform(0, 2 * np.pi)
    axis = np.linspace(-0.5, 0.5, size)
    share = axis[None] * np.cos(angle) + axis[:, None] * np.sin(angle) + 0.5
    wall = ends[0] + (ends[1] - ends[0]) * np.clip(share, 0, 1)[..., None]
    coarse = rng.normal(0, 1, (size // 8, size // 8, 3)).astype(np.float32)
    grain = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    wall = wall + grain * rng.uniform(2, 14)
    canvas = Canvas(np.clip(wall, 0, 255).astype(np.uint8))
    for _ in range(rng.integers(2, 8)):
        color, alpha = tuple(rng.uniform(20, 240, 3)), rng.uniform(0.2, 0.8)
        x, y = rng.uniform(0, size, 2)
        w, h = rng.uniform(0.05, 0.25, 2) * size
        kind = rng.integers(3)
        if kind == 0:
            corners = [[x - w, y - h], [x + w, y - h], [x + w, y + h], [x - w, y + h]]
            canvas.polygon(np.array(corners), color, alpha)
        elif kind == 1:
            canvas.polygon(ellipse(x, y, w, h, rng.uniform(0, 3)), color, alpha)
        else:
            line = np.array([[x - w, y - h], [x + w, y + h]])
            canvas.stroke(line, rng.uniform(1, 6), color, alpha)
    picture = canvas.picture()
    if rng.random() < 0.5:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 3))
    canvas = Canvas(picture)
    for _ in range(rng.integers(0, 3)):
        _lay_down(canvas, rng.uniform(0, size, 2), size, rng)
    return canvas.picture()


def _lay_down(
    canvas: Canvas, at: np.ndarray, size: int, rng: np.random.Generator
) -> None:
    """Draw an object that nobody holds."""
    unit = rng.uniform(15, 21) * size / _NOMINAL_SIZE
    thing = SmallObject(str(rng.choice(PICKS)), rng)
    thing.draw(
        canvas, lambda points: points * unit + at, (0.0, 0.0), rng.uniform(0, 2 * np.pi)
    )


class _Table:
    """A table in front of people, with objects on it."""

    def __init__(self, size: int, rng: np.random.Generator) -> None:
        height = rng.uniform(0.8, 0.93) * size
        self._top = np.array([[0, height], [size, height], [size, size], [0, size]])
        self._color = tuple(rng.uniform(50, 190) * np.array([1, 0.8, 0.6]))
        self._size = size
        self._height = height
        self._count = rng.integers(1, 4)
        self._seed = rng.integers(2**32)

    def draw(self, canvas: Canvas) -> None:
        canvas.polygon(self._top, self._color)
        rng = np.random.default_rng(self._seed)
        for _ in range(self._count):
            at = rng.uniform(0, self._size), rng.uniform(self._height, self._size)
            _lay_down(canvas, np.array(at), self._size, rng)


class _Light:
    """The light of a clip and the noise of the camera."""

    def __init__(self, size: int, rng: np.random.Generator) -> None:
        angle = rng.uniform(0, 2 * np.pi)
        strength = rng.uniform(0, 0.35)
        axis = np.linspace(-1, 1, size)
        ramp = axis[None] * np.cos(angle) + axis[:, None] * np.sin(angle)
        tint = rng.uniform(0.9, 1.1, 3) * rng.uniform(0.65, 1.15)
        self._gain = ((1 + strength * ramp)[..., None] * tint).astype(np.float32)
        self._noise = rng.normal(0, rng.uniform(0.5, 4), (size, size, 1))
        self._noise = self._noise.astype(np.float32)
        self.side = float(np.cos(angle) * strength / 0.35)
        """Side of the light: -1 the image's left, 1 its right."""

    def fall_on(self, picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Apply light and noise to an image, uint8 (H, W, 3)."""
        shift = tuple(rng.integers(0, picture.shape[0], 2))
        lit = picture * self._gain + np.roll(self._noise, shift, axis=(0, 1))
        return np.clip(np.rint(lit), 0, 255).astype(np.uint8)
