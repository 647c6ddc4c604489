"""Faces changed as another day would, and images that are left out or cut."""

import cv2
import numpy as np
import pytest

from mmanon.datasets import FaceAugmentation, FaceIdentityDataset
from mmanon.datasets.face_identities import FaceDraw


def picture(side=48):
    rows, columns = np.mgrid[:side, :side]
    image = np.stack([rows * 4, columns * 4, (rows + columns) * 2], axis=2)
    return image.clip(0, 255).astype(np.uint8)


def test_the_same_numbers_make_the_same_change_and_others_another():
    change = FaceAugmentation()
    first, again, other = (
        change(picture(), np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert first.dtype == np.uint8 and first.shape == (48, 48, 3)
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    # It is still that picture.
    assert np.corrcoef(first.ravel(), picture().ravel())[0, 1] > 0.9


def test_nothing_is_changed_where_nothing_is_asked_for():
    still = FaceAugmentation(0, 0, 0, 0, 0, 0)
    assert np.array_equal(still(picture(), np.random.default_rng(0)), picture())


@pytest.mark.parametrize(
    'name',
    ['light', 'colour', 'tilt', 'shift', 'blur', 'compression'],
)
def test_each_change_is_one_of_its_own(name):
    given = dict.fromkeys(('light', 'colour', 'tilt', 'shift', 'blur'), 0.0)
    given |= dict(compression=0.0) | {name: 10.0 if name == 'tilt' else 1.0}
    image = picture()
    image[20:28, 20:28] = 255
    changed = FaceAugmentation(**given)(image, np.random.default_rng(3))
    assert not np.array_equal(changed, image)


def test_wrong_numbers_are_named():
    with pytest.raises(ValueError, match=r'blur must be in \[0, 1\], got 2'):
        FaceAugmentation(blur=2)
    with pytest.raises(ValueError, match='tilt must be at least 0 degrees, got -1'):
        FaceAugmentation(tilt=-1)


@pytest.fixture
def people(tmp_path):
    for person in 'ab':
        (tmp_path / person).mkdir()
        for name in ('portrait', 'second'):
            cv2.imwrite(str(tmp_path / person / f'{name}.png'), picture(60))
    return tmp_path


def test_only_drawn_faces_are_changed_and_not_in_testing(people):
    given = dict(crop_size=60, flip_ratio=0.0)
    change = dict(type='mmanon.FaceAugmentation')
    plain = FaceIdentityDataset(people, **given)
    changing = FaceIdentityDataset(people, **given, augmentation=change)
    testing = FaceIdentityDataset(people, **given, augmentation=change, test_mode=True)
    draw = FaceDraw(0, 5, 1)
    assert np.array_equal(changing.pixels(0)[0], plain.pixels(0)[0])
    assert not np.array_equal(changing.pixels(draw)[0], plain.pixels(draw)[0])
    assert np.array_equal(changing.pixels(draw)[0], changing.pixels(draw)[0])
    assert np.array_equal(testing.pixels(draw)[0], plain.pixels(draw)[0])


def test_images_are_left_out_by_their_names(people):
    dataset = FaceIdentityDataset(people, skip=['second.*'])
    assert [path.name for path in dataset.paths] == ['portrait.png'] * 2
    with pytest.raises(ValueError, match='fewer images than 1'):
        FaceIdentityDataset(people, skip=['*'])


def test_wider_crops_are_cut_to_the_margin(people):
    # Of a margin of 1 the box is a third of the side; 0.5 around it are two thirds.
    dataset = FaceIdentityDataset(people, crop_size=40, margin=0.5, image_margin=1.0)
    expected = FaceIdentityDataset(people, crop_size=60, margin=1.0).pixels(0)[0]
    assert np.array_equal(dataset.pixels(0)[0], expected[:, 10:50, 10:50])
    with pytest.raises(ValueError, match='leave out detector'):
        FaceIdentityDataset(people, image_margin=2.0, detector=dict(type='x'))
