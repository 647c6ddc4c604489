"""A recognizer that tells 'people' apart by the colour in the middle of their face.

It is no network: what is done with a recognizer's answers is tested without PyTorch.
"""

from collections.abc import Callable

import numpy as np

from mmanon.face_detectors.alignment import align_face

_USERS = (
    'mmanon.anonymizer.known_people',
    'mmanon.anonymizer.leak_audit',
    'mmanon.anonymizer.recognizer',
    'mmanon.app.recognition',
)


def embed_colour(
    recognizer: object, image: np.ndarray, marks: np.ndarray
) -> np.ndarray:
    """What :func:`mmanon.anonymizer.recognizer.embed_face` answers."""
    middle = align_face(image, marks, 32, 0.0)[12:20, 12:20].astype(np.float32)
    colour = middle.mean((0, 1)) / 127.5 - 1
    return colour / max(float(np.linalg.norm(colour)), 1e-6)


def recognize_colours(
    patch: Callable[[str, object], None], embed: Callable = embed_colour
) -> None:
    """Let whoever asks a recognizer be answered by colours.

    Args:
        patch: Of the full name of something to what it shall be, such as
            ``monkeypatch.setattr``.
        embed: What answers.
    """
    for module in _USERS:
        patch(f'{module}.embed_face', embed)
    patch('mmanon.anonymizer.recognizer.build_recognizer', lambda *_: object())
