import numpy as np

from mmanon.tracking.online_tracker import FaceLinker


def follow(linker, *frames):
    """The numbers of each frame's faces, squares of 10 pixels, from (x, score)."""
    return [
        linker.update(
            np.array([[x, 0, x + 10, 10] for x, _ in faces], float).reshape(-1, 4),
            np.array([score for _, score in faces]),
        )
        for faces in frames
    ]


def test_a_face_keeps_its_number_though_it_moves_by_its_own_width():
    linker = FaceLinker(lost_track_buffer=3, track_activation_threshold=0.5)
    assert follow(linker, [(0, 0.9)], [(10, 0.9)], [(22, 0.9)]) == [[0], [0], [0]]


def test_a_fast_face_is_looked_for_where_it_was_going():
    linker = FaceLinker(lost_track_buffer=3, track_activation_threshold=0.5)
    begin = [[(12 * t, 0.9)] for t in range(6)]
    # Two frames further its boxes, enlarged, do not meet: it is 36 pixels on.
    assert follow(linker, *begin, [], [], [(12 * 8, 0.9)])[-1] == [0]
    still = FaceLinker(lost_track_buffer=3, track_activation_threshold=0.5)
    assert follow(still, [(60, 0.9)], [], [], [(96, 0.9)]) == [[0], [], [], [1]]


def test_an_unsure_face_goes_on_but_does_not_begin():
    linker = FaceLinker(lost_track_buffer=3, track_activation_threshold=0.5)
    assert follow(linker, [(0, 0.3)], [(0, 0.9)], [(1, 0.3)]) == [[-1], [0], [0]]


def test_sure_faces_choose_first():
    linker = FaceLinker(lost_track_buffer=3, track_activation_threshold=0.5)
    # The unsure one overlaps the track more, and the sure one takes it.
    assert follow(linker, [(0, 0.9)], [(1, 0.3), (4, 0.9)]) == [[0], [-1, 0]]


def test_those_that_overlap_most_are_joined_first():
    linker = FaceLinker(lost_track_buffer=3, track_activation_threshold=0.5)
    numbers = follow(linker, [(0, 0.9), (30, 0.9)], [(28, 0.9), (3, 0.9)])
    assert numbers == [[0, 1], [1, 0]]


def test_a_face_is_forgotten_when_it_was_away_too_long():
    linker = FaceLinker(lost_track_buffer=2, track_activation_threshold=0.5)
    assert follow(linker, [(0, 0.9)], [], [(0, 0.9)], [], [], [(0, 0.9)]) == [
        [0],
        [],
        [0],
        [],
        [],
        [1],
    ]


def test_numbers_are_not_given_again_after_a_reset():
    linker = FaceLinker(lost_track_buffer=2, track_activation_threshold=0.5)
    follow(linker, [(0, 0.9)])
    linker.reset()
    assert follow(linker, [(0, 0.9)]) == [[1]]
