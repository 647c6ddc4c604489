"""What a mini benchmark is generated from, and the geometry all of them share."""

from __future__ import annotations

from dataclasses import asdict, dataclass

__all__ = [
    'CROP_SIZE',
    'FRAME_SIZE',
    'FRAME_TEMPLATE',
    'KEY_FRAME',
    'MARGIN',
    'NUM_FRAMES',
    'VERSION',
    'MiniBenchmarkSettings',
]

VERSION = 1
"""Goes up when the same settings would draw something else."""

NUM_FRAMES = 8
KEY_FRAME = 5
"""The annotated frame of a clip, counted from 1 as the files are."""
FRAME_SIZE = 128
FRAME_TEMPLATE = 'img_{:05}.jpg'
CROP_SIZE = 64
MARGIN = 0.3
"""By how much of a face box's longer side its crop is enlarged on every side."""


@dataclass(frozen=True)
class MiniBenchmarkSettings:
    """What decides every byte of a mini benchmark.

    Attributes:
        seed: Of all that is drawn.
        train_clips: Number of clips to train on.
        test_clips: Number of clips to test on.
        train_identities: People drawn for the training clips and the face set.
        test_identities: Other people, for the test clips.
        train_faces: Pictures of each training identity's face.
        val_faces: Further pictures of each training identity's face; as many are made
            of each test identity's.

    Raises:
        ValueError: If a number is too small to make a benchmark.
    """

    seed: int = 0
    train_clips: int = 800
    test_clips: int = 240
    train_identities: int = 60
    test_identities: int = 20
    train_faces: int = 30
    val_faces: int = 10

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            least = 0 if name == 'seed' else 1
            if value < least:
                raise ValueError(f'{name} must be at least {least}, got {value}')
