import numpy as np

from mmanon.structures.boxes import (
    box_areas,
    box_ious,
    enclosing_box,
    outside_frame,
    shared_areas,
)

SQUARE, ASIDE = [0, 0, 10, 10], [20, 0, 30, 10]


def test_iou_of_boxes():
    # Half of a square: 50 / 100. A quarter shared by two squares: 25 / 175.
    boxes = np.array([SQUARE, SQUARE, SQUARE, [5, 5, 5, 5]], float)
    others = np.array([[0, 0, 10, 5], [5, 5, 15, 15], ASIDE, [5, 5, 5, 5]], float)
    np.testing.assert_allclose(box_ious(boxes, others), [0.5, 1 / 7, 0, 0])


def test_each_box_with_each():
    some = np.array([SQUARE, ASIDE, [0, 0, 10, 5]], np.float32)
    ious = box_ious(some[:, None], some[:2])
    assert ious.dtype == np.float32
    np.testing.assert_allclose(ious, [[1, 0], [0, 1], [0.5, 0]])
    assert box_ious(some[:0, None], some).shape == (0, 3)


def test_whole_numbers_are_divided_as_well():
    np.testing.assert_allclose(box_ious(np.array(SQUARE), np.array([0, 0, 5, 5])), 0.25)


def test_areas_and_what_is_shared():
    boxes = np.array([SQUARE, ASIDE, [3, 3, 1, 9]], float)
    # The wrong way round there is nothing in a box.
    assert box_areas(boxes).tolist() == [100, 100, 0]
    assert shared_areas(boxes, np.array([5.0, 5, 25, 7])).tolist() == [10, 10, 0]


def test_the_box_around_boxes():
    boxes = np.array([SQUARE, [-1, 4, 3, 12]])
    assert enclosing_box(boxes).tolist() == [-1, 0, 10, 12]


def test_a_box_is_outside_unless_it_has_an_area_within_the_frame():
    good = [[0, 0, 1, 1], [0.2, 0.3, 0.4, 0.5]]
    bad = [[0, 0, 1.01, 1], [-0.01, 0, 1, 1], [0.4, 0, 0.4, 1], [0, 0, np.nan, 1]]
    assert outside_frame(np.array(good + bad)).tolist() == [False] * 2 + [True] * 4
