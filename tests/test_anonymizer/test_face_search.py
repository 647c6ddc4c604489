import threading
import time

import numpy as np
import pytest

from mmanon.anonymizer.face_search import Picture, search
from mmanon.anonymizer.keyframes import KeyframePolicy
from mmanon.structures.faces import Faces
from mmanon.tracking.scene_cuts import thumbnail

DOT = 40  # pixels of a dot of which a picture has 16 x 12
SMALL, LARGE = 8, 64


def face(left=0.2, score=0.9, size=0.2):
    return Faces(
        np.array([[left, 0.2, left + size, 0.2 + size]], np.float32),
        np.array([score], np.float32),
        np.full((1, 5, 2), np.nan, np.float32),
        np.full(1, -1, np.int32),
    )


def pictures(scenes, dot=DOT):
    size = (16 * dot, 12 * dot)
    for number, one in enumerate(scenes):
        dots = np.random.default_rng(one).integers(0, 255, (12, 16, 3), np.uint8)
        yield Picture(
            number,
            size,
            thumbnail(dots.repeat(8, 0).repeat(8, 1)),
            lambda scale: np.zeros((round(12 * dot * scale), 1, 3), np.uint8),
            np.full(size[::-1], number, np.uint8),
        )


def looked_at(scenes, every, answer=None, parallel=True, dot=DOT):
    """The frames looked at with the scales of the looks, and what was said of all;
    ``answer`` is what is found in a frame, by its index."""
    looks = {}

    def find(index, image):
        looks[index] = round(len(image) / (12 * dot), 3)
        return answer(index) if answer else Faces.none(), None

    seen = list(search(pictures(scenes, dot), find, KeyframePolicy(every), parallel))
    assert [searched.picture for searched in seen] == list(range(len(scenes)))
    assert [one.looked for one in seen] == [n in looks for n in range(len(scenes))]
    assert all((one.luma == one.picture).all() for one in seen)
    return dict(sorted(looks.items())), [searched.faces for searched in seen]


@pytest.mark.parametrize('parallel', [False, True])
def test_each_nth_frame_and_the_last_are_looked_at(parallel):
    assert list(looked_at([0] * 10, 4, parallel=parallel)[0]) == [0, 4, 8, 9]
    assert list(looked_at([0] * 3, 1, parallel=parallel)[0]) == [0, 1, 2]
    assert looked_at([], 3, parallel=parallel) == ({}, [])


def test_a_new_scene_is_looked_at_at_once():
    assert list(looked_at([0] * 5 + [1] * 6, 4)[0]) == [0, 4, 5, 9, 10]


def test_each_second_look_at_a_small_picture_is_at_it_enlarged():
    looks, _ = looked_at([0] * 13, 4, dot=SMALL)
    assert looks == {0: 1.5, 4: 1.0, 8: 1.5, 12: 1.0}


def test_most_looks_at_a_large_picture_are_glances():
    looks, _ = looked_at([0] * 25, 2, dot=LARGE)
    assert [looks[n] for n in range(0, 24, 2)] == [1.0, *[0.5] * 5] * 2
    assert set(looked_at([0] * 25, 2)[0].values()) == {1.0}
    # But not where each frame is looked at: small faces are looked for in each.
    assert set(looked_at([0] * 25, 1, dot=LARGE)[0].values()) == {1.0}


def test_where_a_face_comes_or_goes_the_frames_between_are_searched_by_halves():
    looks, faces = looked_at(
        [0] * 33, 8, lambda index: face() if 11 <= index <= 21 else Faces.none()
    )
    # 11 to 21 is found from both ends; nothing is looked at where neighbours agree.
    assert {10, 11, 21, 22} <= set(looks) and len(looks) < 13
    assert [len(faces[n]) for n in (10, 11, 21, 22)] == [0, 1, 1, 0]


def test_where_a_face_has_left_its_place_more_frames_are_looked_at():
    slow, fast = (
        looked_at([0] * 9, 4, lambda index, step=step: face(index * step, size=0.08))[0]
        for step in (0.005, 0.04)
    )
    assert list(slow) == [0, 4, 8] and len(fast) > 5


@pytest.mark.parametrize('side', [2, 4])
def test_a_face_that_comes_and_goes_between_two_looks_changes_a_part_of_the_picture(
    side,
):
    """Both looks agree: the background stays, and nobody is there."""
    still = np.random.default_rng(0).integers(90, 160, (24, 32)).astype(np.uint8)
    brief = still.copy()
    brief[8 : 8 + side, 10 : 10 + side] = 250
    shown = [brief if n in (9, 10) else still for n in range(17)]
    looks = []

    def find(index, image):
        looks.append(index)
        return face() if index in (9, 10) else Faces.none(), None

    frames = [
        Picture(
            n, (640, 480), thumbnail(one.repeat(4, 0).repeat(4, 1)), lambda _: still
        )
        for n, one in enumerate(shown)
    ]
    seen = list(search(frames, find, KeyframePolicy(8), False))
    assert {9, 10} & set(looks)
    assert len(seen[9].faces) or len(seen[10].faces)
    assert len(set(looks)) < 9


def test_faces_that_are_not_sure_raise_no_doubt():
    looks, _ = looked_at(
        [0] * 9, 4, lambda index: face(score=0.4) if index == 4 else Faces.none()
    )
    assert list(looks) == [0, 4, 8]
    # But a face that was sure and is found again with less confidence is no other.
    looks, _ = looked_at([0] * 9, 4, lambda i: face(score=0.4 if i == 4 else 0.9))
    assert list(looks) == [0, 4, 8]


def test_a_face_too_small_for_a_glance_raises_no_doubt_beside_one():
    small = face(size=0.04)  # 41 pixels of 1024 at the most: 20 in a glance
    looks, _ = looked_at(
        [0] * 13, 4, lambda n: small if n == 0 else Faces.none(), dot=LARGE
    )
    assert list(looks) == [0, 4, 8, 12]
    large = face(size=0.2)
    looks, _ = looked_at(
        [0] * 13, 4, lambda n: large if n == 0 else Faces.none(), dot=LARGE
    )
    assert len(looks) > 4


def test_a_small_face_that_jumps_is_searched_for_between_looks_of_other_sizes():
    """The background stays; each second look is at the picture enlarged."""
    looks, faces = looked_at(
        [0] * 9,
        4,
        lambda n: face(0.2 if n < 6 else 0.6, size=0.1),
        dot=SMALL,
    )
    assert looks[4] != looks[8] and {5, 6} <= set(looks)
    assert round(float(faces[6].boxes[0, 0]), 1) == 0.6


def test_beside_a_frame_that_could_not_be_examined_every_frame_is_looked_at():
    looks, faces = looked_at(
        [0] * 13, 4, lambda n: Faces.whole_frame() if n == 4 else Faces.none()
    )
    assert {3, 4, 5} <= set(looks)
    assert [one.examined for one in faces].count(False) == 1


def test_several_frames_are_looked_at_at_a_time(monkeypatch):
    monkeypatch.setattr('os.cpu_count', lambda: 2)
    meeting = threading.Barrier(2, timeout=20)

    def look(index, image):
        meeting.wait()  # broken unless two meet here
        return Faces.none(), None

    assert len(list(search(pictures([0] * 6), look, KeyframePolicy(1), True))) == 6


def test_frames_are_not_taken_far_ahead_of_those_that_are_done():
    taken = []

    def endless():
        for picture in pictures([0] * 10_000):
            taken.append(picture)
            yield picture

    done = search(endless(), lambda *_: (Faces.none(), None), KeyframePolicy(3), True)
    for _ in range(50):
        next(done)
    time.sleep(0.1)
    assert len(taken) < 150
    done.close()


def test_an_error_of_what_looks_is_raised():
    def look(index, image):
        raise MemoryError('no memory left')

    with pytest.raises(MemoryError, match='no memory left'):
        list(search(pictures([0] * 6), look, KeyframePolicy(3), True))


def test_every_frame_is_the_most():
    with pytest.raises(ValueError, match='at least 1'):
        KeyframePolicy(0)
