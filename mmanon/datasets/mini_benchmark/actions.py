"""The actions, and the movements of head, face and hands in each of them.

In all face actions one hand is next to the mouth, at a position from the same
distribution. The actions differ only in a small object or in the mouth itself; in
brushing teeth the hand also swings with the brush.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .head_pose import Expression
from .objects import SmallObject

__all__ = ['ACTIONS', 'BODY_ACTIONS', 'FACE_ACTIONS', 'Moment', 'Performance']

FACE_ACTIONS = (
    'drink',
    'brush teeth',
    'smoke',
    'phone',
    'play mouth organ',
    'apply make-up',
    'eat',
    'yawn',
    'talk',
)
BODY_ACTIONS = ('wave', 'clap', 'jump')
ACTIONS = FACE_ACTIONS + BODY_ACTIONS
"""Names of the actions; the label of ``ACTIONS[i]`` is ``i + 1``."""

_OBJECT_OF = {
    'drink': 'cup',
    'brush teeth': 'toothbrush',
    'smoke': 'cigarette',
    'phone': 'phone',
    'play mouth organ': 'mouth organ',
    'apply make-up': 'lipstick',
    'eat': 'sandwich',
}


@dataclass(frozen=True)
class Moment:
    """The pose of one person in one frame; lengths in units of half a head's height.

    Attributes:
        expression: Expression of the face.
        hands: Positions of the hands on the image's left and right, relative to the
            middle of the head, (2, 2).
        rise: Height of the body above its rest position.
        object_origin: Position of the end of the object at the face, in the face plane.
        object_turn: Direction of its handle in radians; None if there is no object.
    """

    expression: Expression
    hands: np.ndarray
    rise: float = 0.0
    object_origin: tuple[float, float] = (0.0, 0.0)
    object_turn: float | None = None


class Performance:
    """The movements of one person in one clip.

    Args:
        actions: One name out of :data:`ACTIONS`, or one out of :data:`BODY_ACTIONS`
            and ``'talk'``.
        num_frames: T, the number of frames.
        rng: Source of everything random.
        room: Largest distance of hands from the head to the image's left and right, in
            units of half a head's height.
    """

    def __init__(
        self,
        actions: tuple[str, ...],
        num_frames: int,
        rng: np.random.Generator,
        room: tuple[float, float] = (2.2, 2.2),
    ) -> None:
        self.actions = actions
        self.num_frames = num_frames
        self.side = int(rng.choice([-1, 1]))
        if 'wave' in actions and room[0] != room[1]:
            self.side = -1 if room[0] > room[1] else 1
        self.held_at_face = None
        for action in actions:
            if action in _OBJECT_OF:
                self.held_at_face = SmallObject(_OBJECT_OF[action], rng)
        self._smile = rng.uniform(-0.4, 0.9)
        self._eyes = rng.uniform(0.65, 1.0)
        self._brows = rng.uniform(0, 0.6)
        self._phase = rng.uniform(0, 2 * np.pi)
        self._speed = rng.uniform(1.1, 1.7)
        self._mouths = self._draw_mouths(rng)
        self._hand = np.array([rng.uniform(0.6, 0.85), rng.uniform(0.6, 0.95)])
        self._tilt = rng.uniform(-0.2, 0.2)
        self._idle = np.array([rng.uniform(1.0, 1.3), rng.uniform(2.7, 3.2)])
        self._other = np.array([rng.uniform(0.7, 1.1), rng.uniform(2.0, 2.5)])
        self._reach = min(rng.uniform(1.5, 2.0), room[(self.side + 1) // 2])
        self._tremble = rng.normal(0, 0.025, (num_frames, 2))

    def _draw_mouths(self, rng: np.random.Generator) -> np.ndarray:
        """Draw the opening of the mouth in every frame, (T,) in [0, 1]."""
        frames = self.num_frames
        if 'yawn' in self.actions:
            return rng.uniform(0.8, 1.0) + rng.uniform(-0.08, 0.08, frames)
        if 'talk' in self.actions:
            # It changes every second frame, so that any few frames show the movement.
            wide = np.where(np.arange(frames) // 2 % 2 == rng.integers(2), 1.0, 0.35)
            return wide * rng.uniform(0.6, 0.9, frames)
        if 'eat' in self.actions:
            return rng.uniform(0.05, 0.35, frames)
        return np.zeros(frames)

    def moment(self, frame: int, mouth: tuple[float, float]) -> Moment:
        """Return the pose in a frame.

        Args:
            frame: Number of the frame, from 0.
            mouth: Middle of the person's mouth in the face plane.
        """
        turn = self._phase + self._speed * frame
        swing = np.sin(turn)
        yawning = 'yawn' in self.actions
        expression = Expression(
            mouth_open=float(np.clip(self._mouths[frame], 0, 1)),
            smile=0.0 if yawning else self._smile,
            eyes_open=0.1 if yawning else self._eyes,
            brows_up=0.8 if yawning else self._brows,
        )
        if self.actions[-1] in FACE_ACTIONS and len(self.actions) == 1:
            return self._at_face(self.actions[0], expression, frame, swing, mouth)
        body = self.actions[0]
        idle = self._idle
        active, other, rise = idle, idle, 0.0
        if body == 'wave':
            active = np.array([self._reach + 0.3 * swing, -0.8 - 0.1 * swing])
        elif body == 'clap':
            active = np.array([0.3 + 0.27 * swing, 1.9])
            other = active
        elif body == 'jump':
            rise = 0.45 * swing
            active = other = idle + (0.5, -0.35 * swing - 2.4)
        return Moment(expression, self._hands(active, other), rise)

    def _at_face(
        self,
        action: str,
        expression: Expression,
        frame: int,
        swing: float,
        mouth: tuple[float, float],
    ) -> Moment:
        hand = self._hand + self._tremble[frame]
        origin = np.array(mouth)
        if action == 'brush teeth':
            origin = origin + (0.1 * swing, 0)
            hand = hand + (0.1 * swing * self.side, 0)
        elif action == 'apply make-up':
            origin = origin + (0.12 * swing, 0)
        elif action == 'play mouth organ':
            origin = origin + (0.09 * swing, 0.02)
        elif action == 'phone':
            origin = np.array([self.side * 0.74, -0.2 + 0.02 * swing])
        elif action == 'drink':
            origin = origin + (0, 0.06)
        grip = hand * (self.side, 1)
        turn = np.arctan2(*(grip - origin)[::-1])
        if action == 'play mouth organ':
            turn = self._tilt
        elif action == 'drink':
            # A cup points more downwards than to the hand.
            turn = 0.4 * turn + 0.6 * np.pi / 2
        return Moment(
            expression,
            self._hands(hand, self._other),
            object_origin=tuple(origin.tolist()),
            object_turn=float(turn) if self.held_at_face else None,
        )

    def _hands(self, active: np.ndarray, other: np.ndarray) -> np.ndarray:
        pair = {self.side: active, -self.side: other}
        return np.array([pair[side] * (side, 1) for side in (-1, 1)])
