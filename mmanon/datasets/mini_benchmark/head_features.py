"""The random features that define the identity of a person who does not exist."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from .canvas import Color, mix, shade

__all__ = ['HeadFeatures']

Self = TypeVar('Self', bound='HeadFeatures')

_SKINS = (
    (255, 224, 196),
    (240, 200, 165),
    (224, 178, 138),
    (198, 146, 104),
    (158, 108, 74),
    (112, 74, 52),
)
_HAIRS = (
    (28, 24, 24),
    (62, 42, 30),
    (104, 68, 40),
    (150, 104, 56),
    (214, 178, 106),
    (168, 72, 36),
    (150, 150, 152),
    (222, 220, 214),
)
_IRISES = ((70, 44, 28), (96, 120, 62), (70, 112, 160), (110, 112, 116), (36, 28, 26))
_FRAMES = ((20, 20, 22), (120, 60, 30), (170, 30, 40), (200, 170, 80), (40, 70, 140))
_HAIR_STYLES = (
    'bald',
    'buzz',
    'short',
    'side part',
    'fringe',
    'curly',
    'bob',
    'long',
    'bun',
    'crest',
)
# The haircut of a person may change within its group.
_HAIRCUTS = (
    ('bald',),
    ('buzz', 'short', 'side part', 'fringe', 'curly', 'crest'),
    ('bob', 'long', 'bun'),
)
_BEARDS = ('none', 'none', 'none', 'stubble', 'goatee', 'full', 'moustache')
_GLASSES = ('none', 'none', 'none', 'round', 'square', 'half')


@dataclass(frozen=True)
class HeadFeatures:
    """The features of a drawn head that define its identity.

    Lengths are in the face plane, see :mod:`.head_pose`; angles are in radians. Clothes
    are not part of an identity; :meth:`appearance` changes hair, skin and glasses.

    Attributes:
        name: Name of the identity.
    """

    name: str
    skin: Color
    lips: Color
    hair: Color
    brows: Color
    iris: Color
    width: float
    taper: float
    chin_power: float
    ear_size: float
    hair_style: str
    hair_volume: float
    parting: float
    eye_distance: float
    eye_size: float
    eye_slant: float
    eye_height: float
    brow_thickness: float
    brow_angle: float
    brow_height: float
    nose_length: float
    nose_width: float
    mouth_width: float
    mouth_height: float
    lip_thickness: float
    beard: str
    glasses: str
    frame_color: Color
    moles: tuple[tuple[float, float, float], ...]
    freckles: int
    blush: float

    @classmethod
    def random(cls: type[Self], name: str, rng: np.random.Generator) -> Self:
        """Draw the features of a new identity."""
        skin_tone = rng.uniform(0, len(_SKINS) - 1)
        below = min(int(skin_tone), len(_SKINS) - 2)
        skin = mix(_SKINS[below], _SKINS[below + 1], skin_tone - below)
        skin = tuple(np.clip(np.array(skin) + rng.uniform(-8, 8, 3), 0, 255).tolist())
        # Light skin goes with any hair, dark skin mostly with dark hair.
        tones = len(_HAIRS) if skin_tone < 3 else 3
        hair = _HAIRS[rng.integers(tones)] if rng.random() > 0.15 else _HAIRS[6]
        hair = tuple(np.clip(np.array(hair) + rng.uniform(-14, 14, 3), 0, 255).tolist())
        lips = mix(shade(skin, 0.8), (190, 60, 70), rng.uniform(0.15, 0.7))
        style = str(rng.choice(_HAIR_STYLES))
        bearded = style not in ('bob', 'long', 'bun')
        moles = [
            (rng.uniform(-0.5, 0.5), rng.uniform(-0.45, 0.8), rng.uniform(0.035, 0.06))
            for _ in range(rng.choice([0, 0, 1, 1, 2, 3]))
        ]
        return cls(
            name=name,
            skin=skin,
            lips=lips,
            hair=hair,
            brows=shade(hair, 0.7) if sum(hair) < 500 else shade(hair, 0.6),
            iris=_IRISES[rng.integers(len(_IRISES))],
            width=rng.uniform(0.66, 0.84),
            taper=rng.uniform(0.02, 0.42),
            chin_power=rng.uniform(1.9, 2.9),
            ear_size=rng.uniform(0.12, 0.24),
            hair_style=style,
            hair_volume=rng.uniform(0.05, 0.2),
            parting=rng.uniform(-0.5, 0.5),
            eye_distance=rng.uniform(0.25, 0.39),
            eye_size=rng.uniform(0.1, 0.18),
            eye_slant=rng.uniform(-0.36, 0.36),
            eye_height=rng.uniform(0.5, 0.8),
            brow_thickness=rng.uniform(0.045, 0.15),
            brow_angle=rng.uniform(-0.42, 0.42),
            brow_height=rng.uniform(0.18, 0.31),
            nose_length=rng.uniform(0.24, 0.43),
            nose_width=rng.uniform(0.09, 0.23),
            mouth_width=rng.uniform(0.18, 0.37),
            mouth_height=rng.uniform(0.52, 0.66),
            lip_thickness=rng.uniform(0.025, 0.1),
            beard=str(rng.choice(_BEARDS)) if bearded else 'none',
            glasses=str(rng.choice(_GLASSES)),
            frame_color=_FRAMES[rng.integers(len(_FRAMES))],
            moles=tuple(moles),
            freckles=int(rng.choice([0, 0, 0, 14])) if skin_tone < 2.5 else 0,
            blush=rng.choice([0, 0, 0.25]),
        )

    def appearance(self: Self, rng: np.random.Generator) -> Self:
        """Return the head on one day, with other skin tone, haircut, dye and glasses.

        Constant are the features that also identify people in photographs: the shape of
        face, eyes, brows, nose and mouth, beard, moles, freckles, and roughly the skin.
        """
        skin = shade(self.skin, rng.uniform(0.8, 1.2))
        skin = tuple(np.clip(np.array(skin) + rng.uniform(-10, 10, 3), 0, 255).tolist())
        hair = _HAIRS[rng.integers(len(_HAIRS))] if rng.random() < 0.7 else self.hair
        hair = tuple(np.clip(np.array(hair) + rng.uniform(-14, 14, 3), 0, 255).tolist())
        styles = next(group for group in _HAIRCUTS if self.hair_style in group)
        return replace(
            self,
            skin=skin,
            lips=mix(shade(skin, 0.8), (190, 60, 70), rng.uniform(0.15, 0.7)),
            hair=hair,
            brows=shade(hair, 0.65),
            hair_style=str(rng.choice(styles)),
            hair_volume=rng.uniform(0.05, 0.2),
            parting=rng.uniform(-0.5, 0.5),
            glasses=self.glasses if rng.random() < 0.5 else 'none',
            frame_color=_FRAMES[rng.integers(len(_FRAMES))],
            blush=rng.choice([0, 0, 0.25]),
        )
