import math
import sys

import pytest
import torch
from torchvision.models import squeezenet1_1

from mmanon.evaluation import (
    PerceptualDistance,
    mean_absolute_change,
    peak_signal_to_noise,
    structural_similarities,
    temporal_flicker,
)

MEASURES = [mean_absolute_change, peak_signal_to_noise, structural_similarities]


def plain(*values, side=16):
    """Faces of one brightness each."""
    return torch.tensor(values)[:, None, None, None].expand(-1, 3, side, side)


def noise(count=2, side=32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, side, side, generator=generator) * 2 - 1


def test_change_is_the_mean_absolute_difference_of_each_face():
    change = mean_absolute_change(plain(0.0, 0.5), plain(0.25, -0.5))
    assert change.tolist() == [0.25, 1.0]


def test_psnr_relates_the_squared_error_to_the_whole_range():
    # The range is 2: 10 log10(4 / 0.25).
    ratio = peak_signal_to_noise(plain(0.0, 0.5), plain(0.5, 0.5))
    assert ratio.tolist() == [pytest.approx(12.0412, abs=1e-3), math.inf]


def test_ssim_of_plain_faces_is_that_of_their_brightness():
    a, b, c1 = 0.2, 0.6, (0.01 * 2) ** 2
    expected = (2 * a * b + c1) / (a**2 + b**2 + c1)
    found = structural_similarities(plain(a, a), plain(b, a))
    assert found.tolist() == [pytest.approx(expected, abs=1e-4), pytest.approx(1)]


def test_ssim_falls_with_what_is_lost():
    faces = noise()
    slight = structural_similarities(faces, faces * 0.9)
    blank = structural_similarities(faces, torch.zeros_like(faces))
    assert (slight > 0.95).all() and (blank < 0.1).all()


def test_flicker_compares_consecutive_frames():
    original = plain(0.0, 0.2, 0.0, 0.2)
    modified = plain(0.0, 0.6, 0.0, 0.6)
    flicker = temporal_flicker(original, modified)
    assert flicker == pytest.approx((0.2, 0.6, 3.0))


def test_a_constant_offset_does_not_flicker():
    original = noise(5) / 2
    assert temporal_flicker(original, original + 0.3).ratio == pytest.approx(1)
    assert temporal_flicker(original, plain(*[0.1] * 5, side=32)).ratio == 0


def test_flicker_of_a_face_that_stands_still():
    still = plain(0.1, 0.1, 0.1)
    assert temporal_flicker(still, still + 0.2).ratio == 1
    assert temporal_flicker(still, plain(0.0, 0.1, 0.0)).ratio == math.inf


@pytest.mark.parametrize('measure', [*MEASURES, temporal_flicker])
def test_faces_that_cannot_be_compared_are_refused(measure):
    with pytest.raises(ValueError, match=r'\(2, 3, 32, 32\) and \(1, 3, 32, 32\)'):
        measure(noise(2), noise(1))
    with pytest.raises(ValueError, match=r'\(0, 3, 32, 32\)'):
        measure(noise(0), noise(0))
    wrong = noise(2)
    wrong[1, 0, 0, 0] = math.nan
    with pytest.raises(ValueError, match='1 of 2 modified faces are not finite'):
        measure(noise(2), wrong)


def test_a_window_and_a_track_need_enough():
    with pytest.raises(ValueError, match=r'at least 11 pixels, got \(8, 8\)'):
        structural_similarities(noise(side=8), noise(side=8))
    with pytest.raises(ValueError, match='at least two frames, got 1'):
        temporal_flicker(noise(1), noise(1))


# LPIPS.


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / 'squeezenet.pth'
    torch.save(squeezenet1_1(weights=None).state_dict(), path)
    return path


def test_without_the_package_it_is_named(weights, monkeypatch):
    monkeypatch.setitem(sys.modules, 'lpips', None)
    with pytest.raises(ImportError, match='pip install lpips'):
        PerceptualDistance(weights, 'squeeze')


def test_another_network_is_refused(weights):
    with pytest.raises(ValueError, match="'alex', 'vgg' or 'squeeze', got 'resnet'"):
        PerceptualDistance(weights, 'resnet')


def test_perceptual_distance_uses_the_weights_of_the_file(weights):
    pytest.importorskip('lpips')
    distance = PerceptualDistance(weights, 'squeeze')
    faces = noise(2, side=64)
    assert distance(faces, faces).tolist() == [0, 0]
    slight, strong = (distance(faces, faces * way) for way in (0.9, 0.1))
    assert slight.shape == (2,) and (0 < slight).all() and (slight < strong).all()
    torch.save(squeezenet1_1(weights=None).state_dict(), weights)
    other = PerceptualDistance(weights, 'squeeze')
    assert not torch.equal(other(faces, -faces), distance(faces, -faces))


def test_weights_of_another_network_are_refused(weights, tmp_path):
    pytest.importorskip('lpips')
    with pytest.raises(FileNotFoundError, match='gone.pth do not exist'):
        PerceptualDistance(tmp_path / 'gone.pth', 'squeeze')
    with pytest.raises(ValueError, match="not hold the weights of 'alex': features.0"):
        PerceptualDistance(weights, 'alex')
