"""Networks, losses, crop and paste answer on a GPU as on the CPU, and learn the same.

Two parts of a computation are compared as a whole: a rectifier near 0 may open on one
device and not on the other.
"""

from copy import deepcopy

import pytest
import torch
from gpu import away, on_each_device
from torch import Tensor, nn

from mmanon.models.discriminators.base import BaseDiscriminator
from mmanon.models.discriminators.base_backbone import BaseFaceBackbone
from mmanon.models.discriminators.margin_heads import BaseFaceHead
from mmanon.models.layers.face_crops import crop_faces, paste_faces
from mmanon.models.losses.adversarial import AdversarialLoss
from mmanon.models.modifiers import BaseModifier
from mmanon.registry import MODELS

MODIFIERS = dict(
    IdentityModifier={},
    DownsampleModifier={},
    PixelateModifier={},
    GaussianBlurModifier={},
    GaussianNoiseModifier={},
    SolidMaskModifier=dict(color=(0.1, -0.2, 0.3)),
    SuperPixelModifier={},
    EdgeMapModifier={},
    ResNetModifier=dict(base_channels=8, num_blocks=2, start='scratch'),
    UNetModifier=dict(base_channels=8, depth=2, start='blend'),
    BottleneckModifier=dict(size=48, base_channels=8, skin_guard=0.3),
    InpaintingModifier=dict(size=32, base_channels=8),
)
BACKBONES = dict(
    SphereFaceNet=dict(depth=4, base_channels=8, embed_dim=16, input_size=(32, 32)),
    MobileFaceNet=dict(input_size=(32, 32)),
    FaceNet={},
)
HEADS = dict(SoftmaxHead={}, ASoftmaxHead=dict(m=4), CosFaceHead={}, ArcFaceHead={})
OBJECTIVES = dict(
    NegatedClassifierLoss=dict(shrinks=[2]),
    UniformTargetLoss={},
    EmbeddingSimilarityLoss={},
    AdversarialLossSum=dict(losses=[dict(type='mmanon.UniformTargetLoss')] * 2),
)
# Drawn pixel by pixel on the CPU, without a gradient.
FILTERS = ('SuperPixelModifier', 'EdgeMapModifier')


@pytest.fixture(autouse=True)
def all_bits():
    """A GPU's convolutions round factors to ten bits unless they are told not to."""
    cudnn = torch.backends.cudnn
    before, cudnn.allow_tf32 = cudnn.allow_tf32, False
    yield
    cudnn.allow_tf32 = before


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def build(name: str, **settings) -> nn.Module:
    torch.manual_seed(0)
    return MODELS.build(dict(type=f'mmanon.{name}', **settings))


def classifier(backbone: str = 'SphereFaceNet', head: str = 'SoftmaxHead') -> nn.Module:
    return build(
        'FaceClassifier',
        backbone=dict(type=f'mmanon.{backbone}', **BACKBONES[backbone]),
        head=dict(type=f'mmanon.{head}', num_classes=5, **HEADS[head]),
        margin=0.3,
    )


def assert_agree(device: str, run, module: nn.Module | None, *given: Tensor) -> None:
    """Run on the CPU and on a device, forward and backward, and compare.

    Args:
        run: Called with the module and what is given; returns a tensor.
    """
    answers, gradients = [], []
    for place in ('cpu', device):
        copied = deepcopy(module).to(place) if module is not None else None
        values = [
            one.detach().to(place, copy=True).requires_grad_(one.is_floating_point())
            for one in given
        ]
        answer = run(copied, *values)
        assert answer.device.type == place
        learns = {f'input {i}': one for i, one in enumerate(values)}
        if copied is not None:
            learns |= dict(copied.named_parameters())
        learns = {name: one for name, one in learns.items() if one.requires_grad}
        learned: tuple[Tensor | None, ...] = ()
        if answer.requires_grad:
            weights = draw(answer.numel(), seed=9).view(answer.shape).to(answer)
            learned = torch.autograd.grad(
                (answer * weights).sum(), list(learns.values()), allow_unused=True
            )
        answers.append(answer)
        found = zip(learns, learned, strict=False)
        gradients.append({name: g for name, g in found if g is not None})
    assert away(answers[1], answers[0]) < 1e-3
    assert gradients[0].keys() == gradients[1].keys()
    for name, expected in gradients[0].items():
        # Before a norm a bias has no gradient but what rounding leaves.
        if expected.norm() > 1e-4:
            assert away(gradients[1][name], expected) < 1e-2, name


def registered(kind: type) -> set[str]:
    """The names of mmanon's own of a kind that configs of the game build."""
    return {
        name
        for name, found in MODELS.module_dict.items()
        if issubclass(found, kind) and found.__module__.startswith('mmanon.models.')
    }


def test_every_part_that_is_registered_is_looked_at():
    MODELS.get('mmanon.FaceClassifier')  # imports them all
    assert registered(BaseModifier) == set(MODIFIERS)
    assert registered(BaseFaceBackbone) == set(BACKBONES)
    assert registered(BaseFaceHead) == set(HEADS)
    assert registered(AdversarialLoss) <= set(OBJECTIVES)
    assert registered(BaseDiscriminator) == {'FaceClassifier', 'DiscriminatorEnsemble'}


@on_each_device
@pytest.mark.parametrize('name', MODIFIERS)
def test_modifiers(name, device, monkeypatch):
    modifier = build(name, **MODIFIERS[name])
    noise = draw(5, 3, 36, 36, seed=3)
    monkeypatch.setattr(torch, 'randn_like', noise.to)
    keys = draw(5, getattr(modifier, 'key_size', 0), seed=4)
    faces = draw(5, 3, 36, 36)

    def run(modifier: nn.Module, faces: Tensor) -> Tensor:
        return modifier(faces, keys.to(faces.device) if keys.numel() else None)

    assert_agree(device, run, modifier, faces)
    assert modifier(faces.requires_grad_()).requires_grad == (
        name not in (*FILTERS, 'SolidMaskModifier')
    )


@on_each_device
def test_what_a_modifier_remembers_of_faces(device):
    torch.manual_seed(0)
    modifier = build('BottleneckModifier', **MODIFIERS['BottleneckModifier'])

    def run(modifier: nn.Module, faces: Tensor) -> Tensor:
        for _ in range(3):
            modifier.faces.update(faces)
        return modifier.faces.draw(torch.ones_like(faces[:1, :1, 0, 0]).expand(1, 4), 8)

    assert_agree(device, run, modifier, draw(8, 3, 36, 36))


@on_each_device
@pytest.mark.parametrize('backbone', BACKBONES)
def test_recognizers(backbone, device):
    if backbone == 'FaceNet':
        pytest.importorskip('facenet_pytorch')
    # Batch norms of a few faces would multiply what rounding leaves.
    part = classifier(backbone).eval()
    assert_agree(device, lambda d, f: d(f, mode='embed'), part, draw(4, 3, 40, 40))


@on_each_device
@pytest.mark.parametrize('head', HEADS)
def test_heads_with_their_margins(head, device):
    labels = torch.arange(6) % 5

    def run(part: nn.Module, faces: Tensor, labels: Tensor) -> Tensor:
        answer = part(faces, labels, mode='loss')
        return torch.cat([answer['logits'].flatten(), answer['loss'][None]])

    assert_agree(device, run, classifier(head=head), draw(6, 3, 40, 40), labels)


@on_each_device
def test_several_discriminators(device):
    part = dict(
        type='mmanon.FaceClassifier',
        backbone=dict(type='mmanon.SphereFaceNet', **BACKBONES['SphereFaceNet']),
        head=dict(type='mmanon.SoftmaxHead', num_classes=5),
    )
    several = build('DiscriminatorEnsemble', members=[part, {**part, 'view': 'crop'}])
    loss = build('NegatedClassifierLoss')
    labels = torch.arange(6) % 5

    def run(several: nn.Module, faces: Tensor, labels: Tensor) -> Tensor:
        return loss(several, faces, faces.detach().flip(3), labels)[None]

    assert_agree(device, run, several.eval(), draw(6, 3, 40, 40), labels)


@on_each_device
@pytest.mark.parametrize('name', OBJECTIVES)
def test_objectives_against_a_discriminator(name, device):
    loss = build(name, **OBJECTIVES[name])
    labels = torch.arange(6) % 5

    def run(part: nn.Module, faces: Tensor, labels: Tensor) -> Tensor:
        return loss(part, faces, faces.detach().flip(3), labels)[None]

    assert_agree(device, run, classifier().eval(), draw(6, 3, 40, 40), labels)


@on_each_device
@pytest.mark.parametrize('name', ['AverageFaceLoss', 'FlickerLoss', 'mmdet.L1Loss'])
def test_losses_of_faces(name, device):
    kind = name if '.' in name else f'mmanon.{name}'
    loss = MODELS.build(dict(type=kind))
    pairs = [torch.tensor([[0, 1], [2, 3]])] if name == 'FlickerLoss' else []

    def run(_, modified: Tensor, original: Tensor, *pairs: Tensor) -> Tensor:
        return loss(modified, original.detach(), *pairs)[None]

    faces = draw(4, 3, 16, 16), draw(4, 3, 16, 16, seed=1)
    assert_agree(device, run, None, *faces, *pairs)


@on_each_device
@pytest.mark.parametrize('clips', [True, False])
def test_crop_and_paste(clips, device):
    frames = draw(2, 3, 3, 48, 64) if clips else draw(6, 3, 48, 64)
    boxes = torch.tensor(
        [
            [0, 5.0, 6.0, 21.5, 30.2],
            [3, -4.0, -2.0, 12.0, 14.0],
            [5, 20.0, 10.0, 60.0, 46.0],
            [5, 30.0, 12.0, 66.0, 40.0],
        ]
    )

    def cut(_, frames: Tensor) -> Tensor:
        return crop_faces(frames, boxes, 16)

    def put(_, frames: Tensor, faces: Tensor) -> Tensor:
        return paste_faces(frames, faces, boxes, 0.1)

    assert_agree(device, cut, None, frames)
    assert_agree(device, put, None, frames, draw(4, 3, 16, 16, seed=2))
