"""Where the landmarks of an aligned face are."""

from __future__ import annotations

import numpy as np

__all__ = ['TEMPLATE', 'TEMPLATE_SIDE']

TEMPLATE_SIDE = 112
"""Side in pixels of the faces that ArcFace recognizes."""

TEMPLATE = np.array(
    [
        (38.2946, 51.6963),
        (73.5318, 51.5014),
        (56.0252, 71.7366),
        (41.5493, 92.3655),
        (70.7299, 92.2041),
    ]
)
"""(5, 2): the eyes, the nose and the mouth's corners on them, in pixel indices, the
left ones as in the image first."""
