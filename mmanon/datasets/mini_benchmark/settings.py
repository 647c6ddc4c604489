"""Settings of a mini benchmark, and the geometry that all of them share."""

from __future__ import annotations

from dataclasses import asdict, dataclass

# It stands where tools/make_mini_benchmark.py reads it before anything slow.
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
"""The annotated frame of a clip, counted from 1 as the files are."""
FRAME_SIZE = 128
FRAME_TEMPLATE = 'img_{:05}.jpg'
CROP_SIZE = 64
MARGIN = 0.15
"""By how much of a face box's longer side its crop is enlarged on every side."""


@dataclass(frozen=True)
class MiniBenchmarkSettings:
    """Determines every byte of a mini benchmark.

    Attributes:
        seed: Of all that is drawn.
        train_clips: Number of clips to train on.
        test_clips: Number of clips to test on.
        train_identities: People in the training clips and the face set; of
            photographed ones the first by name.
        test_identities: Other people, in the test clips, likewise.
        train_faces: Pictures of each training identity's face.
        val_faces: Further pictures of each training identity's face; as many are made
            of each test identity's.
        faces: Folders of photographs, one folder inside for each person, to use in
            place of drawn heads.
        test_faces: The same for the test identities; without, some of ``faces``.
        train_names: Which people of ``faces`` are training identities, the others
            being tested on; without, three of four are.
        face_detector_weights: YuNet's weights to find the photographs' faces with;
            without, MTCNN is used.
        frame_size: Side of a frame in pixels. Everything grows with it.
        max_people: At most so many people in a clip, 1 to 3. Fewer have larger heads.
        crop_size: Side in pixels of the pictures of faces.
        margin: By how much of a face box's longer side these are enlarged on every
            side.

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
                raise ValueError(f'{name} is of use only with photographs: name faces')
        if self.test_faces and self.train_names:
            raise ValueError('test_faces and train_names exclude each other')
