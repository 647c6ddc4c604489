import numpy as np
import pytest

from mmanon.tracking.patch_follower import cut_patch, find_patch


def texture(shape=(120, 160), seed=0):
    """Smooth patches of grey, no two places alike."""
    small = np.random.default_rng(seed).normal(size=(shape[0] // 4, shape[1] // 4))
    grey = small.repeat(4, 0).repeat(4, 1)
    for axis in (0, 1):
        grey = sum(np.roll(grey, step, axis) for step in range(-2, 3)) / 5
    return np.clip(128 + 90 * grey, 0, 255).astype(np.uint8)


def moved(picture, across, down):
    return np.roll(picture, (down, across), (0, 1))


BOX = np.array([60.0, 40.0, 92.0, 80.0])


@pytest.mark.parametrize('step', [(0, 0), (6, 0), (-7, 5)])
@pytest.mark.parametrize('dimmed', [1.0, 0.5])
def test_a_face_is_found_where_it_went_and_in_other_light(step, dimmed):
    patch = cut_patch(texture(), BOX)
    later = (moved(texture(), *step) * dimmed).astype(np.uint8)
    box, alike = find_patch(later, patch, BOX)
    assert alike > 0.9
    assert np.abs(box - BOX - np.tile(step, 2)).max() <= 2


def test_another_picture_looks_otherwise():
    patch = cut_patch(texture(), BOX)
    assert find_patch(texture(seed=1), patch, BOX)[1] < 0.7


def test_where_all_is_one_grey_there_is_nothing_to_remember_or_to_find():
    flat = np.full((120, 160), 90, np.uint8)
    assert cut_patch(flat, BOX) is None
    assert find_patch(flat, cut_patch(texture(), BOX), BOX)[1] == 0


def test_a_face_that_leaves_the_picture_is_found_by_what_is_left_of_it():
    wide = texture((120, 200))
    patch = cut_patch(wide[:, 40:], BOX - [40, 0, 40, 0])
    for left in (60, 76):
        # So much further to the left, and at last half outside.
        box, alike = find_patch(wide[:, left:], patch, BOX - [left, 0, left, 0])
        assert alike > 0.9 and np.abs(box - BOX + [left, 0, left, 0]).max() <= 2
    assert find_patch(wide[:, 110:], patch, BOX - [110, 0, 110, 0])[1] == 0


def test_a_face_hardly_in_the_picture_is_not_remembered():
    assert cut_patch(texture(), np.array([-40.0, 20, 8, 60])) is None
    assert cut_patch(texture(), np.array([-16.0, 20, 32, 60])) is not None
    assert cut_patch(texture(), np.array([400.0, 20, 440, 60])) is None


def test_of_places_alike_the_expected_one_is_taken():
    x = np.arange(160)
    stripes = np.repeat((128 + 80 * np.sin(x / 2))[None], 120, 0).astype(np.uint8)
    box, _ = find_patch(stripes, cut_patch(stripes, BOX), BOX)
    assert np.abs(box - BOX).max() <= 1
