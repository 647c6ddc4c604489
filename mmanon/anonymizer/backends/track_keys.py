"""The key of each track, which determines the drawn person and the noise."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

__all__ = ['TrackKeys']


class TrackKeys:
    """Derives keys from a secret seed and the number of a track.

    A track has the same key in all of its frames, and each track has another key.
    Without the seed, a key reveals nothing about other keys. (With the key of a face,
    an attacker could draw the face again and compare.) The key of a face without a
    track is derived from the seed and its pixels.

    Args:
        size (int): C, the number of values in a key.
        seed (int, optional): Makes keys repeatable. Defaults to a secret one.
    """

    def __init__(self, size: int, seed: int | None = None) -> None:
        self.size = size
        number = secrets.randbits(256) if seed is None else seed
        self._secret = blake2b(str(number).encode()).digest()

    def __call__(self, faces: np.ndarray, tracks: Sequence[int]) -> np.ndarray:
        """Derive the keys of faces.

        Args:
            faces (np.ndarray): (K, 3, S, S) float32.
            tracks (Sequence[int]): The number of each face's track, or -1.

        Returns:
            np.ndarray: (K, C) float32, drawn from a standard normal distribution.
        """
        keys = [
            self._key(b'track %d' % track if track >= 0 else b'face ' + face.tobytes())
            for face, track in zip(faces, tracks, strict=True)
        ]
        return np.stack(keys)

    def _key(self, about: bytes) -> np.ndarray:
        digest = blake2b(about, key=self._secret).digest()
        random = np.random.default_rng(int.from_bytes(digest, 'little'))
        return random.standard_normal(self.size, np.float32)
