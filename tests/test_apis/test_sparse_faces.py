import numpy as np
import pytest

from mmanon.apis.face_finding import SparseFaces
from mmanon.datasets.face_table import Faces


class Asked:
    """A finder that writes down of which frames it was asked."""

    def __init__(self, unexamined=()):
        self.frames, self.unexamined = [], unexamined

    def open(self, name):
        def find(index, image):
            self.frames.append(index)
            whole = index in self.unexamined
            return Faces.whole_frame() if whole else Faces.none()

        return find


def scene(seed):
    small = np.random.default_rng(seed).integers(0, 255, (12, 16, 3), np.uint8)
    return small.repeat(8, 0).repeat(8, 1)


def asked(pictures, every, **kwargs):
    finder = Asked(**kwargs)
    find = SparseFaces(finder, every).open('a.mp4')
    answers = [find(index, one) for index, one in enumerate(pictures)]
    assert len(answers) == len(pictures)
    return finder.frames


def test_each_nth_frame_is_looked_at():
    assert asked([scene(0)] * 10, every=4) == [0, 4, 8]
    assert asked([scene(0)] * 3, every=1) == [0, 1, 2]


def test_a_new_scene_is_looked_at_at_once():
    assert asked([scene(0)] * 5 + [scene(1)] * 5, every=4) == [0, 4, 5, 9]


def test_after_a_frame_that_could_not_be_examined_the_next_one_is_looked_at():
    pictures = [scene(0)] * 10
    assert asked(pictures, every=4, unexamined=[4]) == [0, 4, 5, 9]
    finder = SparseFaces(Asked(unexamined=[0]), 4).open('a.mp4')
    assert not finder(0, pictures[0]).examined


def test_each_video_begins_anew():
    finder = Asked()
    sparse = SparseFaces(finder, 4)
    for name in ('a.mp4', 'b.mp4'):
        sparse.open(name)(0, scene(0))
    assert finder.frames == [0, 0]


def test_every_frame_is_the_most():
    with pytest.raises(ValueError, match='at least 1'):
        SparseFaces(Asked(), 0)
