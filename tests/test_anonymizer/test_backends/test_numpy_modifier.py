import numpy as np
import pytest

from mmanon.anonymizer.backends.base import build_backend
from mmanon.anonymizer.backends.numpy_modifier import (
    NUMPY_MODIFIERS,
    find_numpy_modifier,
)
from mmanon.structures.crop_geometry import CropGeometry

CONFIGS = [
    dict(type='PixelateModifier'),
    dict(type='PixelateModifier', blocks=5),
    dict(type='DownsampleModifier'),
    dict(type='DownsampleModifier', size=3),
    dict(type='DownsampleModifier', size=1),
    dict(type='GaussianBlurModifier'),
    dict(type='GaussianBlurModifier', sigma=0.5),
    dict(type='SolidMaskModifier', color=(0.5, -1.0, 1.0)),
]


def faces(count, size):
    random = np.random.default_rng(0)
    return random.uniform(-1, 1, (count, 3, size, size)).astype(np.float32)


def modified(modifier, given):
    drawn, masked = find_numpy_modifier(modifier).modify(given, [0] * len(given))
    assert drawn.shape == given.shape and drawn.dtype == np.float32
    assert not masked.any()
    return drawn


@pytest.mark.parametrize('size', [4, 32, 77, 128])
@pytest.mark.parametrize('config', CONFIGS, ids=str)
def test_it_draws_what_the_same_modifier_draws_in_training(config, size):
    torch = pytest.importorskip('torch', reason='training is done in PyTorch')
    registry = pytest.importorskip('mmanon.registry')
    given = faces(3, size)
    theirs = registry.MODELS.build(dict(config, type=f'mmanon.{config["type"]}'))
    expected = theirs(torch.from_numpy(given)).numpy()
    assert np.abs(modified(config, given) - expected).max() < 1e-5


def test_all_of_them_are_held_to_those_of_training():
    assert {config['type'] for config in CONFIGS} == set(NUMPY_MODIFIERS)


def test_a_mosaic_has_squares_of_the_mean_colour():
    given = faces(1, 32)
    drawn = modified('pixelate', given)
    square = given[0, :, 4:8, 28:32].mean((1, 2))
    assert np.allclose(drawn[0, :, 4:8, 28:32], square[:, None, None], atol=1e-6)
    assert len(np.unique(drawn[0, 0].round(5))) <= 64


def test_a_blur_keeps_one_colour_and_takes_detail_away():
    grey = np.full((1, 3, 40, 40), 0.25, np.float32)
    assert np.allclose(modified('blur', grey), 0.25, atol=1e-6)
    assert modified('blur', faces(1, 40)).std() < 0.2 * faces(1, 40).std()


@pytest.mark.parametrize(
    'name',
    ['pixelate', 'mosaic', 'PixelateModifier', 'mmanon.PixelateModifier', 'Pixelate'],
)
def test_modifiers_are_named_in_full_or_for_short(name):
    given = faces(1, 32)
    expected = modified(dict(type='PixelateModifier', blocks=8), given)
    backend, geometry = build_backend(name)
    assert np.array_equal(backend.modify(given, [0])[0], expected)
    assert geometry == CropGeometry()


def test_others_are_left_to_pytorch():
    for modifier in ('GaussianNoiseModifier', 'config.py', dict(type=str), dict(a=1)):
        assert find_numpy_modifier(modifier) is None


@pytest.mark.parametrize(
    ('wrong', 'said'),
    [
        (dict(type='PixelateModifier', blocks=0), 'blocks must be a whole number'),
        (dict(type='DownsampleModifier', size=2.5), 'size must be a whole number'),
        (dict(type='GaussianBlurModifier', sigma=float('nan')), 'sigma must be'),
        (dict(type='SolidMaskModifier', color=(2, 0, 0)), 'color must be RGB'),
    ],
)
def test_values_that_make_no_sense_are_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        find_numpy_modifier(wrong)
