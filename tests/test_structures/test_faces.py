import subprocess
import sys

import numpy as np
import pytest

import mmanon.structures
from mmanon.structures import Faces


def faces(count, examined=True):
    return Faces(
        np.tile(np.float32([0, 0, 0.5, 0.5]), (count, 1)),
        np.full(count, 0.5, np.float32),
        np.full((count, 5, 2), np.nan, np.float32),
        np.arange(count, dtype=np.int32),
        examined,
    )


def test_a_cover_is_a_whole_frame_that_nobody_has_examined():
    assert Faces.whole_frame().is_cover
    assert not faces(2).is_cover and not faces(2, examined=False).is_cover
    assert len(Faces.none()) == 0 and not Faces.none().is_cover


def test_parts_are_joined_in_their_order():
    joined = Faces.concatenate([faces(2), Faces.none(), faces(1)])
    assert joined.tracks.tolist() == [0, 1, 0] and joined.examined
    assert joined.boxes.shape == (3, 4) and joined.landmarks.shape == (3, 5, 2)
    assert not Faces.concatenate([faces(1), faces(1, examined=False)]).examined


def test_all_structures_are_named_by_their_room():
    for name in mmanon.structures.__all__:
        assert getattr(mmanon.structures, name).__name__ == name
    with pytest.raises(AttributeError, match='no attribute .Face.'):
        mmanon.structures.Face  # noqa: B018


def test_faces_do_not_wait_for_the_reader_of_tables():
    code = (
        'import sys; from mmanon.structures import Faces; '
        'import mmanon.structures.tubes, mmanon.tracking.online_tracker, '
        'mmanon.tracking.offline_tracks; '
        "print({'pyarrow', 'scipy', 'cv2', 'torch', 'mmengine'} & set(sys.modules))"
    )
    said = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == 'set()'
