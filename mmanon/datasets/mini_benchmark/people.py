"""Draws people: a head on a body that moves according to a performance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from .actions import Moment, Performance
from .canvas import Canvas, Color, ellipse
from .head_pose import Expression, HeadPose
from .objects import PICKS, SmallObject

__all__ = ['Head', 'Identity', 'Person', 'PersonView', 'elbow_of']

_BONE = 0.9
_SHOULDER = 1.6
_OBJECT_LIFT = 0.15


class Head(Protocol):
    """The interface of a person's head, drawn or photographed."""

    @property
    def name(self) -> str:
        """Name of the person."""

    @property
    def depth(self) -> float:
        """See :attr:`HeadPose.depth`."""

    @property
    def skin(self) -> Color:
        """Colour of the skin."""

    @property
    def mouth(self) -> tuple[float, float]:
        """Middle of the mouth in the face plane."""

    def face_box(self, pose: HeadPose) -> np.ndarray:
        """Return the box (4,) around the face from hairline to chin, in pixels."""

    def landmarks(self, pose: HeadPose, expression: Expression) -> np.ndarray:
        """Return eyes, nose and corners of the mouth, (5, 2) in pixels, left first."""

    def draw_behind(self, canvas: Canvas, pose: HeadPose) -> None:
        """Draw the parts behind the neck."""

    def draw(
        self,
        canvas: Canvas,
        pose: HeadPose,
        expression: Expression,
        light_side: float = 0.0,
    ) -> None:
        """Draw the parts in front of the neck."""


class Identity(Protocol):
    """A person with an individual head."""

    @property
    def name(self) -> str:
        """Name of the person."""

    def appearance(self, rng: np.random.Generator) -> Head:
        """Return the head as it looks on one day."""


@dataclass(frozen=True)
class PersonView:
    """Position of a person in one frame, in pixels.

    Attributes:
        box: Box around head, body and arms, (4,); it may extend beyond the frame.
        face_box: Box around the face from hairline to chin, (4,).
        landmarks: Eyes, nose and corners of the mouth, (5, 2), the image's left first.
    """

    box: np.ndarray
    face_box: np.ndarray
    landmarks: np.ndarray


class Person:
    """One person of a clip.

    Args:
        head: The person's head.
        performance: The person's movements.
        x: Rest position of the middle of the head in pixels.
        y: Rest position of the middle of the head in pixels.
        unit: Half of the head's height in pixels.
        rng: Source of random clothes, movements and objects held away from the face.
    """

    def __init__(
        self,
        head: Head,
        performance: Performance,
        x: float,
        y: float,
        unit: float,
        rng: np.random.Generator,
    ) -> None:
        self.head = head
        self.performance = performance
        self._x, self._y, self._unit = x, y, unit
        self._shirt = tuple(rng.uniform(30, 235, 3))
        self._trousers = tuple(rng.uniform(30, 120, 3))
        self._stripe = tuple(rng.uniform(30, 235, 3)) if rng.random() < 0.4 else None
        self._sleeve = rng.choice([0.5, 1.0])
        self._shoulders = rng.uniform(1.05, 1.35)
        self._waist = rng.uniform(0.8, 1.1)
        self._nearness = _wave(rng, 0.03, 1.0)
        self._sway = _wave(rng, 0.08)
        self._bob = _wave(rng, 0.04)
        self._yaw = _wave(rng, 0.12, rng.normal(0, 0.16))
        self._pitch = _wave(rng, 0.08, rng.normal(0, 0.08))
        self._roll = _wave(rng, 0.06, rng.normal(0, 0.06))
        held = [
            SmallObject(str(rng.choice(PICKS)), rng) if rng.random() < 0.2 else None
            for _ in range(2)
        ]
        turns = rng.uniform(-2.6, -0.5, 2)
        # Objects held away from the face, in the image's left and right hand.
        self._held = list(zip(held, turns, strict=True))

    def pose(self, frame: int, rise: float = 0.0) -> HeadPose:
        """Return the pose of the head in a frame; ``rise`` lifts the body."""
        return HeadPose(
            x=self._x + self._unit * self._sway(frame),
            y=self._y + self._unit * (self._bob(frame) - rise),
            unit=self._unit * self._nearness(frame),
            yaw=self._yaw(frame),
            pitch=self._pitch(frame),
            roll=self._roll(frame),
            depth=self.head.depth,
        )

    def draw(self, canvas: Canvas, frame: int, light_side: float) -> PersonView:
        """Draw the person in a frame, counted from 0, and return the position."""
        moment = self.performance.moment(frame, self.head.mouth)
        pose = self.pose(frame, moment.rise)
        with canvas.bounds() as bounds:
            self.head.draw_behind(canvas, pose)
            self._draw_body(canvas, pose)
            self.head.draw(canvas, pose, moment.expression, light_side)
            for side, hand in zip((-1, 1), moment.hands, strict=True):
                self._draw_arm(canvas, pose, side, hand)
        self._draw_held(canvas, pose, moment)
        with canvas.bounds() as hands:
            for hand in moment.hands:
                self._draw_hand(canvas, pose, hand)
        bounds.add(hands.box.reshape(2, 2))
        return PersonView(
            bounds.box,
            self.head.face_box(pose),
            self.head.landmarks(pose, moment.expression),
        )

    @staticmethod
    def _place(pose: HeadPose, points: ArrayLike) -> np.ndarray:
        """Map points (n, 2), in units from the middle of the head, to pixels."""
        return np.asarray(points, float) * pose.unit + (pose.x, pose.y)

    def _draw_body(self, canvas: Canvas, pose: HeadPose) -> None:
        shoulders, waist = self._shoulders, self._waist
        for side in (-1, 1):
            leg = [[side * waist * 0.5, 4.0], [side * waist * 0.6, 8.5]]
            canvas.stroke(
                self._place(pose, leg), 0.85 * waist * pose.unit, self._trousers
            )
        half = [
            [0.34, 1.22],
            [shoulders * 0.8, 1.4],
            [shoulders, 1.65],
            [shoulders * 0.92, 2.4],
            [waist, 3.4],
            [waist, 4.3],
        ]
        right = np.array(half)
        torso = np.concatenate([right, right[::-1] * (-1, 1)])
        canvas.polygon(self._place(pose, torso), self._shirt)
        if self._stripe:
            stripe = [[-waist * 0.95, 2.7], [waist * 0.95, 2.7]]
            canvas.stroke(self._place(pose, stripe), 0.3 * pose.unit, self._stripe)
        skin = tuple(c * 0.85 for c in self.head.skin)
        neck = np.array([[-0.34, 0.6], [0.34, 0.6], [0.4, 1.3], [0, 1.55], [-0.4, 1.3]])
        canvas.polygon(self._place(pose, neck), skin)

    def _draw_arm(
        self, canvas: Canvas, pose: HeadPose, side: int, hand: np.ndarray
    ) -> None:
        shoulder = np.array([side * (self._shoulders - 0.2), _SHOULDER])
        elbow = elbow_of(shoulder, hand, side)
        upper = self._place(pose, [shoulder, elbow])
        lower = self._place(pose, [elbow, hand])
        shade = tuple(c * 0.9 for c in self._shirt)
        canvas.stroke(lower, 0.28 * pose.unit, self.head.skin)
        if self._sleeve == 1.0:
            cuff = elbow + 0.75 * (hand - elbow)
            canvas.stroke(self._place(pose, [elbow, cuff]), 0.36 * pose.unit, shade)
        canvas.stroke(upper, 0.42 * pose.unit, shade)

    def _draw_hand(self, canvas: Canvas, pose: HeadPose, hand: np.ndarray) -> None:
        palm = ellipse(hand[0], hand[1], 0.19, 0.22)
        canvas.polygon(self._place(pose, palm), self.head.skin)
        dark = tuple(c * 0.7 for c in self.head.skin)
        for offset in (-0.07, 0.07):
            finger = [[hand[0] + offset, hand[1] - 0.16], [hand[0] + offset, hand[1]]]
            canvas.stroke(self._place(pose, finger), 0.03 * pose.unit, dark)

    def _draw_held(self, canvas: Canvas, pose: HeadPose, moment: Moment) -> None:
        held = self.performance.held_at_face
        if moment.object_turn is not None and held is not None:
            held.draw(
                canvas,
                lambda points: pose.place(points, lift=_OBJECT_LIFT),
                moment.object_origin,
                moment.object_turn,
                mirrored=self.performance.side < 0,
            )
        for hand, (thing, turn) in zip(moment.hands, self._held, strict=True):
            # A hand near the face holds only the object of the action.
            if thing is not None and hand[1] > 1.6 and np.abs(hand[0]) > 0.65:
                grip = np.asarray(hand) - 0.45 * np.array([np.cos(turn), np.sin(turn)])
                thing.draw(canvas, lambda points: self._place(pose, points), grip, turn)


def _wave(
    rng: np.random.Generator, size: float, middle: float = 0.0
) -> Callable[[int], float]:
    """Return a slow oscillation around ``middle`` as a function of the frame."""
    size, phase = rng.uniform(0.2, 1) * size, rng.uniform(0, 2 * np.pi)
    speed = rng.uniform(0.3, 0.9)
    return lambda frame: middle + size * np.sin(phase + speed * frame)


def elbow_of(shoulder: np.ndarray, hand: np.ndarray, side: int) -> np.ndarray:
    """Return the elbow between two equal bones; it bends outwards and down."""
    along = hand - shoulder
    reach = np.linalg.norm(along)
    bend = np.sqrt(max(_BONE**2 - reach**2 / 4, 0.1))
    across = np.array([-along[1], along[0]]) / max(reach, 1e-6)
    if across @ np.array([side, 0.6]) < 0:
        across = -across
    return (shoulder + hand) / 2 + across * bend
