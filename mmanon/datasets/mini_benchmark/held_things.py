"""Draws arms, hands and small objects to put in front of faces in photographs."""

from __future__ import annotations

import numpy as np

from .canvas import Canvas, ellipse
from .objects import PICKS, SmallObject
from .people import elbow_of

__all__ = ['MOUTH', 'draw_held_thing']

# Position of the person's mouth, as fractions of the picture's side.
MOUTH = (0.5, 0.62)
# The mouth relative to the middle of the head, in units of half a head's height.
_MOUTH_OF_HEAD = np.array([0.0, 0.55])
_SKINS = (
    (240, 205, 180),
    (225, 180, 150),
    (200, 150, 115),
    (160, 110, 80),
    (110, 75, 55),
    (80, 55, 42),
)


def draw_held_thing(rng: np.random.Generator, side: int = 128) -> np.ndarray:
    """Draw one of the mini benchmark's objects with a hand and an arm.

    75 % of the pictures show an object at the mouth (phones, and some others, at the
    ear), 15 % only a hand in front of the face or next to it, and 10 % an object
    anywhere. Hand and arm are missing in 10 %.

    Args:
        rng: Source of everything random.
        side: Side of the picture in pixels; it has the size of a face crop with the
            margin 0.5.

    Returns:
        uint8 (side, side, 4): red, green, blue and opacity.
    """
    unit = side * rng.uniform(0.3, 0.45)
    left = float(rng.choice([-1, 1]))
    thing = SmallObject(str(rng.choice(PICKS)), rng)
    skin = np.clip(_SKINS[rng.integers(len(_SKINS))] + rng.uniform(-20, 20, 3), 0, 255)
    sleeve = rng.uniform(0, 255, 3) if rng.random() < 0.5 else None
    mode = rng.random()
    if mode < 0.75:
        hand = np.array([rng.uniform(0.5, 0.95), rng.uniform(0.5, 1.1)]) * (left, 1)
    else:
        hand = np.array([rng.uniform(-0.2, 1.1), rng.uniform(-0.9, 0.9)]) * (left, 1)
    origin = _MOUTH_OF_HEAD + rng.normal(0, 0.08, 2)
    if thing.kind == 'phone' or mode < 0.12:
        origin = np.array([left * rng.uniform(0.5, 0.85), rng.uniform(-0.4, 0.1)])
    turn = np.arctan2(*(hand - origin)[::-1])
    if thing.kind == 'mouth organ':
        turn = rng.uniform(-0.3, 0.3)
    elif thing.kind == 'cup':
        # A cup points more downwards than to the hand.
        turn = 0.4 * turn + 0.6 * np.pi / 2
    if mode > 0.9:
        origin = np.array([rng.uniform(-1, 1), rng.uniform(-0.9, 0.9)])
        turn = rng.uniform(-np.pi, np.pi)
    with_arm = rng.random() < 0.9
    elbow = elbow_of(np.array([left, 1.8]), hand, int(left))

    def place(points: np.ndarray) -> np.ndarray:
        away = np.asarray(points, float) - _MOUTH_OF_HEAD
        return away * unit + np.multiply(MOUTH, side)

    def draw(background: int) -> np.ndarray:
        canvas = Canvas(np.full((side, side, 3), background, np.uint8))
        if with_arm:
            canvas.stroke(place(np.array([elbow, hand])), 0.28 * unit, tuple(skin))
            if sleeve is not None:
                cuff = elbow + 0.75 * (hand - elbow)
                canvas.stroke(
                    place(np.array([elbow, cuff])), 0.36 * unit, tuple(sleeve)
                )
        if mode < 0.75 or mode > 0.9:
            thing.draw(canvas, place, origin, turn, mirrored=left < 0)
        if with_arm:
            palm = ellipse(hand[0], hand[1], 0.19, 0.22)
            canvas.polygon(place(palm), tuple(skin))
            for aside in (-0.07, 0.07):
                finger = hand + [[aside, -0.16], [aside, 0.0]]
                canvas.stroke(place(finger), 0.03 * unit, tuple(skin * 0.7))
        return canvas.picture().astype(float)

    # The difference between a white and a black background gives the opacity.
    on_black, on_white = draw(0), draw(255)
    cover = 1 - (on_white - on_black).mean(2, keepdims=True) / 255
    colour = np.where(cover > 0.02, on_black / np.maximum(cover, 0.02), 0)
    picture = np.concatenate([colour.clip(0, 255), cover.clip(0, 1) * 255], 2)
    return np.rint(picture).astype(np.uint8)
