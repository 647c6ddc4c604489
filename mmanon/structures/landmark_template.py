"""The positions of the landmarks in an aligned face."""

from __future__ import annotations

import numpy as np

__all__ = ['TEMPLATE', 'TEMPLATE_SIDE']

TEMPLATE_SIDE = 112
"""Side in pixels of ArcFace's aligned faces."""

TEMPLATE = np.array(
    [
        (38.2946, 51.6963),
        (73.5318, 51.5014),
        (56.0252, 71.7366),
        (41.5493, 92.3655),
        (70.7299, 92.2041),
    ]
)
"""(5, 2), x and y of the eyes, the nose and the corners of the mouth, in pixel indices.
Of the eyes and of the corners, the one on the image's left comes first."""
