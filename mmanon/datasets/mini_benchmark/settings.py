"""Settings of a mini benchmark, and the constants of all mini benchmarks."""

from __future__ import annotations

from dataclasses import asdict, dataclass

# In a module that tools/make_mini_benchmark.py can import quickly.
from mmanon.version import MINI_BENCHMARK_VERSION as VERSION

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

NUM_FRAMES = 8
KEY_FRAME = 5
"""The annotated frame of a clip, counted from 1 like its files."""
FRAME_SIZE = 128
FRAME_TEMPLATE = 'img_{:05}.jpg'
CROP_SIZE = 64
MARGIN = 0.15
"""Enlargement of the face box on each side, as a fraction of its longer side."""


@dataclass(frozen=True)
class MiniBenchmarkSettings:
    """Settings that determine every byte of a mini benchmark.

    Attributes:
        seed: Seed of everything random.
        train_clips: Number of clips to train on.
        test_clips: Number of clips to test on.
        train_identities: Number of people in the training clips and the face set; of
            photographed people, the first by name.
        test_identities: Number of other people, in the test clips; of photographed
            people, the first by name.
        train_faces: Number of face images of each training identity.
        val_faces: Number of further face images of each training identity, and of face
            images of each test identity.
        faces: Folders of photographs, with one folder for each person, to use instead
            of drawn heads.
        test_faces: Folders of photographs of the test identities. Defaults to some
            people of ``faces``.
        train_names: The training identities among ``faces``; the others are for
            testing. Defaults to three of four people.
        face_detector_weights: Weights of YuNet, to find the faces in photographs.
            Defaults to MTCNN instead.
        frame_size: Side of a frame in pixels. Everything in it scales with it.
        max_people: Largest number of people in a clip, 1 to 3. With fewer people heads
            are larger.
        crop_size: Side of the face images in pixels.
        margin: Enlargement of the face box on each side of these images, as a fraction
            of its longer side.

    Raises:
        ValueError: If a number is out of range, or settings of photographs are given
            without ``faces``.
    """

    seed: int = 0
    train_clips: int = 800
    test_clips: int = 240
    train_identities: int = 60
    test_identities: int = 20
    train_faces: int = 45
    val_faces: int = 10
    faces: tuple[str, ...] = ()
    test_faces: tuple[str, ...] = ()
    train_names: tuple[str, ...] = ()
    face_detector_weights: str = ''
    frame_size: int = FRAME_SIZE
    max_people: int = 3
    crop_size: int = CROP_SIZE
    margin: float = MARGIN

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            least = 0 if name == 'seed' else 1
            if isinstance(value, int) and value < least:
                raise ValueError(f'{name} must be at least {least}, got {value}')
        if self.frame_size < 64:
            raise ValueError(f'frame_size must be at least 64, got {self.frame_size}')
        if self.max_people > 3:
            raise ValueError(f'max_people must be at most 3, got {self.max_people}')
        if not 0 <= self.margin <= 2:
            raise ValueError(f'margin must be in [0, 2], got {self.margin}')
        for name in ('test_faces', 'train_names', 'face_detector_weights'):
            if getattr(self, name) and not self.faces:
                raise ValueError(f'{name} is used only with photographs: give faces')
        if self.test_faces and self.train_names:
            raise ValueError('test_faces and train_names exclude each other')
