"""Position, rotation and expression of a head in a frame.

The face plane has coordinates (u, v) of a head seen from the front, in units of half a
head's height: u to the image's right, v down, crown at v = -1, chin at v = 1, the
middle between the eyes near (0, 0).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

__all__ = ['Expression', 'HeadPose']


@dataclass(frozen=True)
class Expression:
    """The expression of a face; each value in [0, 1] except ``smile``.

    Attributes:
        mouth_open: 0 is closed, 1 as wide as in a yawn.
        smile: -1 is sad, 1 is happy.
        eyes_open: 0 is shut, 1 is wide open.
        brows_up: 0 is at rest, 1 is raised.
    """

    mouth_open: float = 0.0
    smile: float = 0.0
    eyes_open: float = 0.8
    brows_up: float = 0.0


@dataclass(frozen=True)
class HeadPose:
    """Maps the face plane into the frame.

    Attributes:
        x: Middle of the head in pixels.
        y: Middle of the head in pixels.
        unit: Half of the head's height in pixels.
        yaw: Turn to the image's right, in radians.
        pitch: Nod downwards, in radians.
        roll: Tilt clockwise, in radians.
        depth: Distance of the middle of the face in front of its outline, in units of
            half a head's height; 0 for a photograph, which is flat.
    """

    x: float
    y: float
    unit: float
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    depth: float = 0.75

    def place(self, points: ArrayLike, lift: float = 0.0) -> np.ndarray:
        """Map points (n, 2) of the face plane to pixels (n, 2).

        The points are on an ellipsoid, ``lift`` units in front of its surface. In a
        rotated head they are shifted and foreshortened.
        """
        u, v = np.asarray(points, float).T
        bulge = np.sqrt(np.maximum(1 - (u / 0.85) ** 2 - (v / 1.1) ** 2, 0))
        z = self.depth * bulge + lift
        c, s = math.cos(self.yaw), math.sin(self.yaw)
        across, towards = u * c + z * s, z * c - u * s
        down = v * math.cos(self.pitch) + towards * math.sin(self.pitch)
        c, s = self.unit * math.cos(self.roll), self.unit * math.sin(self.roll)
        placed = np.empty((len(u), 2))
        placed[:, 0] = c * across - s * down + self.x
        placed[:, 1] = s * across + c * down + self.y
        return placed
