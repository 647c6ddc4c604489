import numpy as np
import pytest

from mmanon.actions.people import (
    body_boxes,
    given_people,
    people_by_faces,
    track_people,
)
from mmanon.anonymizer.covered_boxes import CoveredBoxes
from mmanon.anonymizer.io.sources import InputError
from mmanon.anonymizer.mask_planner import FaceMask, FramePlan

IMAGE = np.zeros((200, 100, 3), np.uint8)


def mask(x, track=0, seen=True, score=0.8):
    return FaceMask(np.array([x, 20.0, x + 10, 32]), track, seen, score)


def test_a_body_lies_below_its_face_and_within_the_picture():
    (body,) = body_boxes(np.array([[40.0, 20, 50, 32]]), (100, 200))
    assert np.allclose(body, [45 - 19.2, 20 - 4.8, 45 + 19.2, 20 + 72])
    (body,) = body_boxes(np.array([[-4.0, 2, 6, 14]]), (100, 60))
    assert (body[0], body[1], body[3]) == (0, 0, 60)


def test_people_are_where_faces_were_covered_with_the_number_of_the_face():
    covered = CoveredBoxes()
    masks = [mask(10, track=3), mask(60, track=5, seen=False, score=0.0)]
    covered.add(FramePlan(None, False, masks, index=0))
    covered.add(FramePlan(None, False, [mask(-300)], index=2))
    find = people_by_faces(covered)
    people = find(0, IMAGE)
    assert people.tracks.tolist() == [3, 5]
    # That the detector did not see the second does not make it less sure.
    assert np.allclose(people.scores, [0.8, 1.0])
    assert len(find(1, IMAGE).boxes) == 0
    assert len(find(2, IMAGE).boxes) == 0  # outside the picture


def test_what_is_covered_takes_32_bytes():
    covered = CoveredBoxes()
    for frame in range(1000):
        covered.add(FramePlan(None, False, [mask(10, track=frame)], index=frame))
    table = covered.as_table()
    assert table.shape == (1000, 8) == (len(covered), 8) and table.nbytes == 32000
    assert np.allclose(table[7], [7, 7, 10, 20, 20, 32, 0.8, 1])


def test_people_are_looked_up_by_the_name_of_the_video(clips):
    find = given_people(clips.parent / 'people.json', 'a.mp4')
    image = np.zeros((64, 96, 3), np.uint8)
    assert np.allclose(find(2, image).boxes, [[8, 10, 34, 60]], atol=1e-3)
    assert len(find(99, image).boxes) == 0  # nobody has looked there
    with pytest.raises(InputError, match=r"has no boxes of 'c.mp4'"):
        given_people(clips.parent / 'people.json', 'c.mp4')


def test_people_without_a_number_get_that_of_their_overlap():
    left, right = np.array([[0.0, 0, 0.4, 1]]), np.array([[0.6, 0, 1, 1]])
    both = np.concatenate([right, left])
    frames = [(left, np.ones(1)), (both, np.ones(2)), (right, np.ones(1))]
    assert [one.tolist() for one in track_people(frames)] == [[0], [1, 0], [1]]
