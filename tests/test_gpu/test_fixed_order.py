"""What mmanon computes has an order of its own where deterministic algorithms are asked
for, and says the same as without."""

import pytest
import torch
import torch.nn.functional as F
from gpu import HERE, away, in_fixed_order
from tiny import tiny_discriminator
from torch import Tensor

from mmanon.models.layers.blocks import averaged, reflected
from mmanon.models.layers.face_crops import crop_faces, paste_faces
from mmanon.models.losses import NegatedClassifierLoss
from mmanon.registry import MODELS

pytestmark = pytest.mark.gpu

BOXES = torch.tensor(
    [
        [0, 5.0, 6.0, 21.5, 30.2],
        [1, -4.0, -2.0, 12.0, 14.0],
        [1, 2.0, 4.0, 22.0, 20.0],
    ]
)


def with_gradient(run, *given: Tensor) -> list[Tensor]:
    values = [one.detach().clone().requires_grad_() for one in given]
    answer = run(*values)
    answer.square().sum().backward()
    return [answer.detach(), *(one.grad for one in values)]


def draw(*shape: int) -> Tensor:
    torch.manual_seed(0)
    return (torch.rand(shape) * 2 - 1).to(HERE)


@pytest.fixture(autouse=True)
def all_bits():
    cudnn = torch.backends.cudnn
    before, cudnn.allow_tf32 = cudnn.allow_tf32, False
    yield
    cudnn.allow_tf32 = before


def assert_same(run, *given: Tensor) -> None:
    expected = with_gradient(run, *given)
    with in_fixed_order():
        first, second = with_gradient(run, *given), with_gradient(run, *given)
    for one, other, plain in zip(first, second, expected, strict=True):
        assert torch.equal(one, other)
        # A GPU chooses another algorithm for a convolution then.
        assert away(one, plain) < (1e-3 if HERE == 'cuda' else 1e-5)


@pytest.mark.parametrize('padding', [(1, 1, 1, 1), (0, 3, 0, 5), (3, 2, 1, 0)])
def test_reflection(padding):
    images = draw(2, 3, 8, 9)
    expected = F.pad(images, padding, mode='reflect')
    assert torch.equal(reflected(images, padding), expected)
    with in_fixed_order():
        assert torch.equal(reflected(images, padding), expected)
    assert_same(lambda one: reflected(one, padding), images)


@pytest.mark.parametrize('size', [1, 3, 8, 11])
def test_averages(size):
    assert_same(lambda one: averaged(one, size), draw(2, 3, 8, 9))


@pytest.mark.parametrize('shape', [(2, 3, 32, 40), (1, 3, 2, 32, 40)])
def test_crop_and_paste(shape):
    assert_same(lambda one: crop_faces(one, BOXES, 8), draw(*shape))
    assert_same(
        lambda one, faces: paste_faces(one, faces, BOXES, 0.1),
        draw(*shape),
        draw(3, 3, 8, 8),
    )


def test_frames_that_keep_channels_last_are_pasted_into():
    frames = draw(2, 3, 32, 40)
    last = frames.to(memory_format=torch.channels_last)
    faces = draw(3, 3, 8, 8)
    expected = paste_faces(frames, faces, BOXES)
    assert torch.equal(paste_faces(last, faces, BOXES), expected)
    with in_fixed_order():
        assert torch.allclose(paste_faces(last, faces, BOXES), expected, atol=1e-6)


@pytest.mark.parametrize(
    'modifier',
    [
        dict(type='mmanon.ResNetModifier', base_channels=4, num_blocks=1),
        dict(type='mmanon.UNetModifier', base_channels=4, depth=2, start='blend'),
        dict(type='mmanon.BottleneckModifier', size=12, base_channels=8),
        dict(type='mmanon.DownsampleModifier', size=5),
        dict(type='mmanon.PixelateModifier', blocks=5),
        dict(type='mmanon.GaussianBlurModifier'),
    ],
    ids=lambda one: one['type'],
)
def test_modifiers(modifier):
    built = MODELS.build(modifier).to(HERE).eval()
    keys = [draw(3, built.key_size)] if built.key_size else []
    assert_same(lambda faces: built(faces, *keys), draw(3, 3, 16, 16))


def test_a_discriminator_and_what_is_asked_of_it():
    part = MODELS.build(tiny_discriminator()).to(HERE).eval()
    loss = NegatedClassifierLoss(shrinks=[3])
    labels = torch.arange(3, device=HERE)
    assert_same(
        lambda faces: loss(part, faces, faces.detach(), labels), draw(3, 3, 32, 32)
    )
