"""Where a head is in a frame, how it is turned, and what its face does.

Face plane: coordinates (u, v) in units of half a head's height, u to the image's right
and v down, of a head seen from the front: crown at v = -1, chin at v = 1, the middle
of the eyes near (0, 0).
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
        mouth_open: 0 closed, 1 as wide as in a yawn.
        smile: -1 sad, 1 glad.
        eyes_open: 0 shut, 1 wide.
        brows_up: 0 at rest.
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
        depth: Distance of the face's middle in front of its outline, in units; 0 for a
            photograph, which is flat.
    """

    x: float
    y: float
    unit: float
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    depth: float = 0.75

    def place(self, points: ArrayLike, lift: float = 0.0) -> np.ndarray:
        """Pixels (n, 2) of points (n, 2) of the face plane.

        The points lie on an ellipsoid, ``lift`` units before its surface; a turned
        head shows them shifted and foreshortened.
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
