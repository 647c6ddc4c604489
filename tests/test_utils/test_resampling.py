import numpy as np
import pytest

from mmanon.utils.resampling import (
    area_mean,
    block_mean,
    gaussian_blur,
    sample_affine,
    to_grey,
)


def noise(*shape, top=256, kind=np.uint8):
    return np.random.default_rng(0).integers(0, top, shape).astype(kind)


def smooth(*shape):
    return gaussian_blur(noise(*shape).astype(np.float32), 2)


def test_a_pixel_of_the_smaller_picture_is_the_mean_of_what_lies_under_it():
    picture = np.array([[0, 3, 6], [3, 6, 9], [6, 9, 12]], np.uint8)
    # Half a pixel of the middle row and column lies under each.
    assert np.allclose(area_mean(picture, (2, 2)), [[2, 6], [6, 10]])
    assert np.allclose(area_mean(picture[..., None], (2, 2))[..., 0], [[2, 6], [6, 10]])
    assert np.allclose(area_mean(picture, (3, 3)), picture)
    assert np.allclose(area_mean(picture, (1, 1)), 6)


@pytest.mark.parametrize('shape', [(6, 9, 3), (6, 9, 1)])
def test_squares_of_pixels_are_averaged(shape):
    picture = noise(*shape)
    small = block_mean(picture, 3)
    assert small.shape == (2, 3, shape[2])
    assert np.allclose(small[1, 2], picture[3:, 6:].mean((0, 1)))


def test_blurring_keeps_the_mean_and_one_colour_and_spreads_a_point():
    grey = np.full((20, 30, 3), 7, np.float32)
    assert np.allclose(gaussian_blur(grey, 2.5), grey, atol=1e-4)
    point = np.zeros((41, 41, 1), np.float32)
    point[20, 20] = 1
    spread = gaussian_blur(point, 2.0)[..., 0]
    places = np.arange(41) - 20
    assert np.isclose(spread.sum(), 1, atol=1e-4)
    assert np.isclose((spread.sum(0) * places**2).sum(), 4, atol=0.1)
    assert np.allclose(spread, spread.T, atol=1e-6)


def test_pictures_are_moved_turned_and_repeated_beyond_their_border():
    picture = smooth(12, 20, 3)
    moved = sample_affine(picture, np.array([[1, 0, 3], [0, 1, 2.0]]), (20, 12))
    assert np.allclose(moved[:10, :17], picture[2:, 3:], atol=1e-3)
    assert np.allclose(moved[:10, 17:], picture[2:, -1:], atol=1e-3)
    turned = sample_affine(picture, np.array([[0, 1, 0], [1, 0, 0.0]]), (12, 20))
    assert np.allclose(turned, picture.swapaxes(0, 1), atol=1e-3)
    between = sample_affine(picture, np.array([[1, 0, 0.25], [0, 1, 0.0]]), (19, 12))
    assert np.allclose(
        between, 0.75 * picture[:, :-1] + 0.25 * picture[:, 1:], atol=1e-3
    )
    pixel = sample_affine(picture[:1, :1], np.array([[1, 0, -4], [0, 1, 9.0]]), (3, 2))
    assert np.allclose(pixel, picture[0, 0])


def test_green_is_brighter_than_red_and_blue():
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]])
    assert to_grey(colours.astype(np.uint8)).tolist() == [[76, 150, 29, 255]]


def test_all_is_as_opencv_has_it():
    cv2 = pytest.importorskip('cv2', reason='OpenCV is what it is compared with')
    for shape, size in [((99, 175), (32, 24)), ((480, 720, 3), (32, 24))]:
        picture = noise(*shape).astype(np.float32)
        theirs = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        assert np.abs(area_mean(picture, size) - theirs).max() < 1e-3
    picture = smooth(90, 120, 3)
    for sigma in (0.4, 1.3, 3.0):
        theirs = cv2.GaussianBlur(
            picture, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE
        )
        assert np.abs(gaussian_blur(picture, sigma) - theirs).max() < 0.01
    turn = cv2.getRotationMatrix2D((50.2, 40.7), 40, 0.6)
    # It rounds places to 1/32 of a pixel.
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    theirs = cv2.warpAffine(
        picture, turn, (64, 50), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    difference = np.abs(sample_affine(picture, turn, (64, 50)) - theirs)
    assert difference.max() < np.abs(np.diff(picture, axis=1)).max() / 16
    for colours in (noise(50, 60, 3), noise(50, 60, 3, top=65536, kind=np.uint16)):
        theirs = cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY)
        assert np.array_equal(to_grey(colours), theirs)
