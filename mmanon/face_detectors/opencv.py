from __future__ import annotations

from types import ModuleType


def opencv(user: str) -> ModuleType:
    """Import OpenCV, which anonymizing at the default settings does without.

    Args:
        user: What needs it.

    Raises:
        ImportError: If it is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise ImportError(
            f'{user} needs OpenCV ({error}): pip install opencv-python-headless'
        ) from error
    return cv2
