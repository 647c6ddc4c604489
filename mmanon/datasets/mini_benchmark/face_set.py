"""Draws face images of one person, cut in the same way as faces in the clips."""

from __future__ import annotations

import cv2
import numpy as np

from .actions import BODY_ACTIONS, FACE_ACTIONS
from .people import Head
from .scene import Role, draw_clip
from .settings import NUM_FRAMES, MiniBenchmarkSettings

__all__ = ['cut_face', 'draw_face']

_ACTING = 0.25


def draw_face(
    head: Head, rng: np.random.Generator, settings: MiniBenchmarkSettings
) -> np.ndarray:
    """Draw a person in a scene, mostly with nothing at the face, and cut out the face.

    Returns:
        uint8 (S, S, 3) RGB.
    """
    acting = rng.random() < _ACTING
    action = str(rng.choice(FACE_ACTIONS if acting else BODY_ACTIONS))
    start = int(rng.integers(NUM_FRAMES))
    clip = draw_clip([Role(head, (action,))], 1, settings.frame_size, rng, start)
    return cut_face(
        clip.frames[0],
        clip.views[0][0].face_box,
        settings.crop_size,
        settings.margin,
    )


def cut_face(
    frame: np.ndarray, face_box: np.ndarray, crop_size: int, margin: float
) -> np.ndarray:
    """Cut the square around a face box (4,), enlarged by the margin.

    Args:
        frame: uint8 (H, W, 3).
        face_box: x1, y1, x2, y2 in pixels.
        crop_size: S, the side of the crop in pixels.
        margin: Enlargement on each side, as a fraction of the longer side.

    Returns:
        uint8 (S, S, 3); beyond the frame, the pixels at its border are repeated.
    """
    centre = (face_box[:2] + face_box[2:]) / 2
    side = (face_box[2:] - face_box[:2]).max() * (1 + 2 * margin)
    scale = crop_size / side
    # Maps pixels of the frame, centred on i + 0.5, to those of the crop.
    shift = crop_size / 2 - scale * centre + 0.5 * scale - 0.5
    to_crop = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    return cv2.warpAffine(
        frame,
        to_crop,
        (crop_size, crop_size),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
