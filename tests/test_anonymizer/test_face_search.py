import threading
import time

import numpy as np
import pytest

from mmanon.anonymizer.face_search import Picture, search
from mmanon.anonymizer.keyframes import KeyframePolicy
from mmanon.anonymizer.mask_planner import thumbnail
from mmanon.structures.faces import Faces

LARGE, SMALL = 34, 8  # pixels of a dot of which a picture has 16 x 12
TINY = 0.08  # of the large picture, 33 to 44 pixels: too small for a glance


def face(left=0.2, score=0.9, size=0.2):
    return Faces(
        np.array([[left, 0.2, left + size, 0.2 + size]], np.float32),
        np.array([score], np.float32),
        np.full((1, 5, 2), np.nan, np.float32),
        np.full(1, -1, np.int32),
    )


def scene(seed, dot):
    small = np.random.default_rng(seed).integers(0, 255, (12, 16, 3), np.uint8)
    return small.repeat(dot, 0).repeat(dot, 1)


def pictures(scenes, dot=LARGE):
    for number, one in enumerate(scenes):
        image = scene(one, dot)
        yield Picture(
            number,
            (16 * dot, 12 * dot),
            thumbnail(image),
            lambda smaller, image=image: image[::smaller, ::smaller],
        )


def looked_at(scenes, every, closely=None, at_a_glance=None, parallel=True, dot=LARGE):
    """The frames looked at closely, those looked at in half the size, and what is known
    of each frame in the end; ``closely`` and ``at_a_glance`` answer by its index."""
    looked, glanced = [], []

    def look(index, image):
        close = image.shape == (12 * dot, 16 * dot, 3)
        assert close or image.shape == (6 * dot, 8 * dot, 3)
        (looked if close else glanced).append(index)
        answers = closely if close else at_a_glance
        return answers(index) if answers else Faces.none(), None

    seen = list(search(pictures(scenes, dot), look, KeyframePolicy(every), parallel))
    assert [searched.picture for searched in seen] == list(range(len(scenes)))
    return sorted(looked), sorted(glanced), [searched.faces for searched in seen]


@pytest.mark.parametrize('parallel', [False, True])
def test_each_nth_frame_and_the_last_are_looked_at_closely(parallel):
    looked, glanced, _ = looked_at([0] * 10, 4, parallel=parallel)
    assert looked == [0, 4, 8, 9] and set(glanced) >= {1, 2, 3, 5, 6, 7}
    assert looked_at([0] * 3, 1, parallel=parallel)[:2] == ([0, 1, 2], [])
    assert looked_at([], 3, parallel=parallel) == ([], [], [])


def test_no_small_picture_is_only_glanced_at():
    assert looked_at([0] * 10, 4, dot=SMALL)[:2] == (list(range(10)), [])


def test_a_new_scene_is_looked_at_at_once():
    assert looked_at([0] * 5 + [1] * 6, 4)[0] == [0, 4, 5, 9, 10]


def test_where_a_small_face_comes_or_goes_every_frame_is_looked_at():
    looked, _, faces = looked_at(
        [0] * 17,
        4,
        lambda index: face(size=TINY) if 6 <= index <= 9 else Faces.none(),
    )
    assert looked == [0, *range(4, 13), 16]
    assert [len(face) for face in faces] == [0] * 6 + [1] * 4 + [0] * 7


def test_where_a_small_face_has_left_its_place_every_frame_is_looked_at():
    slow, fast = (
        looked_at([0] * 9, 4, lambda index, step=step: face(index * step, size=TINY))[0]
        for step in (0.005, 0.04)
    )
    assert slow == [0, 4, 8] and fast == list(range(9))


def test_a_large_face_that_comes_and_goes_is_found_by_glances():
    def answer(index):
        return face(0.6) if 5 <= index <= 7 else Faces.none()

    looked, _, faces = looked_at([0] * 13, 4, answer, answer)
    assert looked == [0, 4, 8, 12]
    assert [len(face) for face in faces] == [0] * 5 + [1] * 3 + [0] * 5


def test_faces_that_a_glance_shows_are_found():
    def at_a_glance(index):
        return face(0.2 + 0.01 * (index % 4))

    looked, _, faces = looked_at([0] * 9, 4, lambda _: face(), at_a_glance)
    assert looked == [0, 4, 8]
    assert [round(float(face.boxes[0, 0]), 2) for face in faces[:5]] == [
        0.2,
        0.21,
        0.22,
        0.23,
        0.2,
    ]


def test_faces_that_are_not_sure_raise_no_doubt():
    looked, _, _ = looked_at(
        [0] * 9,
        4,
        lambda i: face(score=0.4, size=TINY) if i == 4 else Faces.none(),
    )
    assert looked == [0, 4, 8]
    # But a face that was sure and is found again with less confidence is no other.
    looked, _, _ = looked_at(
        [0] * 9, 4, lambda i: face(score=0.4 if i == 4 else 0.9, size=TINY)
    )
    assert looked == [0, 4, 8]


@pytest.mark.parametrize('closely', [True, False])
def test_around_a_frame_that_could_not_be_examined_every_frame_is_looked_at(closely):
    bad, answers = (4, 'closely') if closely else (6, 'at_a_glance')

    def answer(index):
        return Faces.whole_frame() if index == bad else Faces.none()

    looked, _, faces = looked_at([0] * 13, 4, **{answers: answer})
    assert looked == ([*range(9), 12] if closely else [0, *range(4, 9), 12])
    # What only the glance could not examine, the closer look could.
    assert [face.examined for face in faces].count(False) == closely


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


def test_where_the_detector_sees_less_a_larger_face_is_too_small_for_a_glance():
    size = (544, 408)
    middling = face(size=0.2)  # 81 pixels at the least
    assert not KeyframePolicy(4).is_doubtful(middling, [], Faces.none(), size)
    assert KeyframePolicy(4, scale=0.5).is_doubtful(middling, [], Faces.none(), size)


def test_every_frame_is_the_most():
    with pytest.raises(ValueError, match='at least 1'):
        KeyframePolicy(0)
