import numpy as np
import pytest

from mmanon.actions.film import Painter, free_places
from mmanon.actions.records import ActionRecord


def meet(first, second):
    (one, a), (other, b) = first, second
    return bool(((one < other + b) & (one + a > other)).all())


def test_plates_of_neighbours_stand_below_each_other_and_in_the_picture():
    corners = [(10, 20), (30, 30), (190, 25), (12, 62), (150, 90)]
    sizes = [np.array([60.0, 40]), np.array([60.0, 30])] * 2 + [np.array([40.0, 20])]
    places = free_places([np.array(one) for one in corners], sizes, (200, 200))
    assert places[0].tolist() == [10, 20]  # it was free
    plates = list(zip(places, sizes, strict=True))
    for k, (place, size) in enumerate(plates):
        assert (place >= 0).all() and (place + size <= 200).all()
        assert not any(meet(plates[k], other) for other in plates[:k])


def test_more_than_there_is_room_for_stay_in_the_picture():
    places = free_places([np.zeros(2)] * 9, [(50.0, 30.0)] * 9, (60, 80))
    assert all(0 <= x <= 10 and 0 <= y <= 50 for x, y in places)


@pytest.mark.parametrize('left', [0, 260])
def test_words_are_read_whole_at_the_border_of_the_picture(left):
    box = dict(x1=left, y1=40, x2=left + 59, y2=300, person_score=1.0)
    seen = ActionRecord('a', 'raw', 0, 0.0, 0, **box, action='wave', score=0.5)
    image = Painter([seen], 1).paint(0, np.full((320, 320, 3), 90, np.uint8))
    plate = np.flatnonzero((image < 50).all(-1).any(0))
    assert image.shape == (320, 320, 3) and 30 < np.ptp(plate) < 120
    assert plate.max() < 318
