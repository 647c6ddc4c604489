import numpy as np
import pytest

from mmanon.structures.tubes import Tube, cut_tube, fill_tube, tube_iou

SQUARE = [0, 0, 10, 10]


def tube(frames, box=SQUARE, score=1.0, label=0, video='v'):
    frames = np.array(frames)
    return Tube(
        video, label, frames, np.tile(np.array(box, float), (len(frames), 1)), score
    )


def test_iou_of_tubes():
    # Frames 5 … 9 are common, of 0 … 14; the boxes overlap by half there.
    half = [0, 0, 10, 5]
    assert tube_iou(tube(range(10)), tube(range(5, 15), half)) == pytest.approx(
        5 / 15 * 0.5
    )
    assert tube_iou(tube(range(10)), tube(range(10))) == 1
    assert tube_iou(tube(range(5)), tube(range(5, 9))) == 0
    # Keyframes: two in common, of three.
    assert tube_iou(tube([1, 6, 11]), tube([6, 11])) == pytest.approx(2 / 3)


def test_cutting_leaves_the_given_frames():
    assert cut_tube(tube([1, 2, 3]), np.array([0, 2, 3, 9])).frames.tolist() == [2, 3]
    assert cut_tube(tube([1, 2, 3]), np.array([4])) is None


def test_wrong_tubes_are_named():
    with pytest.raises(ValueError, match="video 'v': a tube of label 0 has no frames"):
        tube([])
    with pytest.raises(ValueError, match='or they do not ascend'):
        tube([3, 3])
    with pytest.raises(ValueError, match='not finite'):
        tube([1], score=float('nan'))
    with pytest.raises(ValueError, match='has 2 frames and 1 boxes'):
        Tube('v', 0, [1, 2], [SQUARE])


def test_filling_puts_boxes_between():
    boxes = [[0, 0, 10, 10], [1, 0, 11, 10], [4, 0, 14, 10]]
    one = Tube('v', 0, [1, 2, 5], boxes, 0.7, np.array([0.9, 0.9, 0.3]))
    whole = fill_tube(one)
    assert whole.frames.tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(whole.boxes[:, 0], [0, 1, 2, 3, 4])
    np.testing.assert_allclose(whole.boxes[:, 2], [10, 11, 12, 13, 14])
    assert whole.score == 0.7 and whole.box_scores is None
    assert fill_tube(one, np.array([0, 1, 2, 3, 5, 8])).frames.tolist() == [1, 2, 3, 5]
