from __future__ import annotations

from types import ModuleType


def opencv(user: str) -> ModuleType:
    """Import OpenCV, which the default settings of the anonymizer do not need.

    Args:
        user: What needs it, for the message.

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
