from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import av
import numpy as np
import pytest
from made_videos import picture

from mmanon.anonymizer.compositor import FaceCompositor
from mmanon.anonymizer.frame_compositor import composite_frame, picture_of
from mmanon.anonymizer.mask_planner import FaceMask, FramePlan
from mmanon.structures.crop_geometry import CropGeometry
from mmanon.utils.orientation import Orientation

GREY = FaceCompositor(None, CropGeometry(64, 0.0, 0.0))
FORMATS = ['yuv420p', 'yuv444p', 'yuv410p', 'yuv420p10le', 'nv12', 'gray', 'gbrp']


def frame(form, size=(96, 64)):
    made = av.VideoFrame.from_ndarray(picture(5, size), 'rgb24')
    made = made.reformat(format=form)
    made.pts, made.time_base = 7, Fraction(1, 25)
    return made


def cover(*box):
    return FaceMask(np.array(box, float), 0, True, 1.0)


def drawn(form, covers, turn=Orientation(), whole=False, size=(96, 64)):  # noqa: B008
    covered = FramePlan(frame(form, size), whole, covers)
    made = composite_frame(covered, turn, GREY, form)
    assert (made.format.name, made.width, made.height, made.pts) == (form, *size, 7)
    return made.to_ndarray(format='rgb24').astype(int)


@pytest.mark.parametrize('form', FORMATS)
@pytest.mark.parametrize('size', [(96, 64), (95, 63)])
def test_what_is_covered_is_grey_and_the_rest_as_it_was(form, size):
    before = frame(form, size).to_ndarray(format='rgb24').astype(int)
    boxes = [(4, 4, 28, 28), (64, 36, 130, 100)]
    after = drawn(form, [cover(*box) for box in boxes], size=size)
    # A pixel of colour for several is smeared over the edge by whoever shows it.
    edge, most = {'yuv410p': (8, 16), 'nv12': (4, 6)}.get(form, (1, 6))
    assert np.abs(after[4 + edge : 28 - edge, 4 + edge : 28 - edge] - 127).max() <= most
    assert np.abs(after[36 + edge :, 64 + edge :] - 127).max() <= most
    # Where colours share a plane, the whole frame goes through RGB and back.
    rounded = 3 if form == 'nv12' else 0
    assert np.abs(after[:, 40:56] - before[:, 40:56]).max() <= rounded


def test_covers_that_meet_do_not_bring_back_what_the_other_has_covered():
    for second in [(20, 20, 50, 50), (33, 8, 60, 35)]:
        after = drawn('yuv420p', [cover(8, 8, 32, 32), cover(*second)])
        assert np.abs(after[10:30, 10:30] - 127).max() <= 6


@pytest.mark.parametrize('value', range(1, 9))
def test_a_cover_lies_where_the_upright_picture_has_it(value):
    turn = Orientation.of_exif(value)
    upright = turn.upright(frame('yuv444p').to_ndarray(format='rgb24')).astype(int)
    after = turn.upright(drawn('yuv444p', [cover(4, 20, 24, 40)], turn)).astype(int)
    assert np.abs(after[20:40, 4:24] - 127).max() <= 6
    changed = np.abs(after - upright).max(2) > 6
    changed[20:40, 4:24] = False
    assert not changed.any()


def test_a_frame_that_must_be_covered_whole_is():
    for form in ('yuv420p', 'nv12'):
        assert np.abs(drawn(form, [], whole=True) - 127).max() <= 3


@pytest.mark.parametrize('form', FORMATS)
def test_the_search_sees_size_likeness_and_the_upright_picture(form):
    turn = Orientation(transposed=True)
    seen = picture_of(frame(form), turn)
    assert seen.size == (64, 96) and seen.upright(1).shape == (96, 64, 3)
    assert seen.upright(0.5).shape == (48, 32, 3)
    assert seen.upright(1.5).shape == (144, 96, 3)
    assert seen.luma.shape == (96, 64)
    other = picture_of(frame('rgb24'), turn)
    assert (seen.thumbnail * other.thumbnail).sum() > 0.95


def test_two_threads_may_ask_one_frame_for_its_picture():
    # Of what PyAV keeps with a frame they would wait for each other for ever.
    turn = Orientation()
    with ThreadPoolExecutor(2) as pool:
        for number in range(40):
            seen = picture_of(frame('yuv420p'), turn)
            large, small = pool.map(seen.upright, (1, 0.5), timeout=20)
            assert large.shape == (64, 96, 3) and small.shape == (32, 48, 3), number
