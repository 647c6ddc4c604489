import copy
import logging
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.logging import MMLogger
from sklearn.metrics import roc_curve
from torch import nn

from mmanon.datasets import FaceIdentityDataset
from mmanon.models.discriminators import (
    ArcFaceHead,
    ASoftmaxHead,
    BaseFaceBackbone,
    CosFaceHead,
    FaceClassifier,
    FaceNet,
    MobileFaceNet,
    SoftmaxHead,
    SphereFaceNet,
)
from mmanon.registry import MODELS

HEADS = ('SoftmaxHead', 'ASoftmaxHead', 'CosFaceHead', 'ArcFaceHead')


@MODELS.register_module()
class ShownFace(BaseFaceBackbone):
    """Its embedding is the very face it is shown."""

    def __init__(self, input_size):
        embed_dim = 3 * input_size[0] * input_size[1]
        super().__init__(input_size, embed_dim, [127.5] * 3, [127.5] * 3)

    def extract(self, faces):
        return faces.flatten(1)


def tiny(head='SoftmaxHead', num_classes=4, **kwargs):
    torch.manual_seed(0)
    backbone = dict(
        type='SphereFaceNet',
        depth=4,
        base_channels=4,
        embed_dim=8,
        input_size=(28, 24),
    )
    if head is not None:
        head = dict(type=head, num_classes=num_classes)
    return FaceClassifier(backbone, head, **{'margin': 0.3, **kwargs})


def shown(faces, margin, input_size):
    backbone = dict(type='ShownFace', input_size=input_size)
    embedding = FaceClassifier(backbone, margin=margin).embed(faces)
    return embedding.view(len(faces), 3, *input_size)


def ramp(size):
    """Faces whose first channels are the places x and y in [-1, 1]."""
    place = (torch.arange(size) + 0.5) / size * 2 - 1
    y, x = torch.meshgrid(place, place, indexing='ij')
    return torch.stack([x, y, torch.zeros_like(x)])[None]


# The classifier.


def test_whole_pixels_are_cut_exactly():
    faces = torch.rand(2, 3, 40, 40) * 2 - 1
    torch.testing.assert_close(
        shown(faces, 0.5, (20, 20)), faces[:, :, 10:30, 10:30], rtol=0, atol=1e-6
    )


def test_an_input_that_is_not_square_shows_the_middle_of_the_width():
    faces = torch.rand(1, 3, 224, 224) * 2 - 1
    # The 112 x 112 face, 8 pixels of which are cut off on the left and the right.
    torch.testing.assert_close(
        shown(faces, 0.5, (112, 96)), faces[:, :, 56:168, 64:160], rtol=0, atol=1e-6
    )


@pytest.mark.parametrize('size', [37, 64, 256])
def test_the_cut_keeps_places_at_any_size_of_crop(size):
    margin, side = 0.6, 16
    x, y, _ = shown(ramp(size), margin, (side, side))[0]
    expected = ((torch.arange(side) + 0.5) / side * 2 - 1) / (1 + 2 * margin)
    torch.testing.assert_close(x[3], expected, rtol=0, atol=2e-3)
    torch.testing.assert_close(y[:, 5], expected, rtol=0, atol=2e-3)


def test_shrinking_averages_instead_of_skipping_pixels():
    faces = torch.ones(1, 3, 128, 128)
    faces[..., ::2] = -1
    assert shown(faces, 0.5, (16, 16)).abs().max() < 0.05


def test_every_pixel_of_the_face_box_and_none_far_outside_counts():
    faces = torch.zeros(1, 3, 64, 64, requires_grad=True)
    shown(faces, 0.5, (16, 16)).sum().backward()
    inside = faces.grad[..., 17:47, 17:47]
    assert (inside > 0).all()
    outside = faces.grad.clone()
    outside[..., 12:52, 12:52] = 0
    assert outside.abs().max() == 0


def test_the_cut_gradient_is_right():
    backbone = dict(type='ShownFace', input_size=(3, 2))
    classifier = FaceClassifier(backbone, margin=0.3)
    weights = torch.rand(18)
    faces = torch.rand(1, 3, 7, 7, requires_grad=True)
    (classifier.embed(faces)[0] * weights).sum().backward()
    # The cut is linear: a step along the gradient gains its squared length.
    step = faces.grad.clone()
    gain = classifier.embed(step)[0] @ weights
    torch.testing.assert_close(gain, step.square().sum())


def test_crops_cut_first_in_inference_mode_can_be_learned_from_later():
    classifier = tiny()
    faces = torch.rand(2, 3, 53, 53)
    with torch.inference_mode():
        classifier.embed(faces)
    faces.requires_grad_()
    classifier.embed(faces).sum().backward()
    assert faces.grad.abs().sum() > 0


def test_forward_answers_by_mode():
    classifier = tiny().eval()
    faces, labels = torch.rand(3, 3, 32, 32), torch.tensor([0, 1, 3])
    assert classifier.num_classes == 4
    assert torch.equal(classifier(faces), classifier.embed(faces))
    assert classifier(faces).shape == (3, 8)
    logits = classifier(faces, mode='logits')
    assert logits.shape == (3, 4)
    answer = classifier(faces, labels, mode='loss')
    torch.testing.assert_close(answer['logits'], logits)
    torch.testing.assert_close(answer['loss'], F.cross_entropy(logits, labels))
    with pytest.raises(ValueError, match="'embed', 'logits' or 'loss', got 'name'"):
        classifier(faces, mode='name')
    with pytest.raises(ValueError, match='needs labels'):
        classifier(faces, mode='loss')


def test_no_faces_give_no_embeddings():
    assert tiny().embed(torch.zeros(0, 3, 32, 32)).shape == (0, 8)


def test_without_a_head_it_only_embeds():
    classifier = tiny(head=None)
    assert classifier.num_classes is None
    assert classifier.embed(torch.rand(1, 3, 32, 32)).shape == (1, 8)
    classifier.advance()
    with pytest.raises(ValueError, match='no head'):
        classifier.logits(torch.rand(1, 3, 32, 32))


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match='margin .* -0.1'):
        tiny(margin=-0.1)
    backbone = dict(type='SphereFaceNet', depth=4, base_channels=2, embed_dim=8)
    head = dict(type='SoftmaxHead', num_classes=3, embed_dim=9)
    with pytest.raises(ValueError, match='head.embed_dim=9.* have 8'):
        FaceClassifier(backbone, head)
    with pytest.raises(ValueError, match=r'\(1, 3, 32, 31\)'):
        tiny().embed(torch.rand(1, 3, 32, 31))
    with pytest.raises(ValueError, match=r'\(K, 3, 28, 24\), got \(1, 3, 24, 28\)'):
        tiny().backbone(torch.rand(1, 3, 24, 28))


@pytest.mark.parametrize('head', HEADS)
def test_a_frozen_discriminator_passes_gradients_to_the_faces(head):
    classifier = tiny(head).requires_grad_(False).eval()
    faces = (torch.rand(4, 3, 32, 32) * 2 - 1).requires_grad_()
    classifier(faces, torch.arange(4), mode='loss')['loss'].backward()
    assert faces.grad.isfinite().all()
    assert faces.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in classifier.parameters())


@pytest.mark.parametrize('head', HEADS)
def test_a_small_net_learns_to_tell_four_people_apart(head):
    classifier = tiny(head)
    generator = torch.Generator().manual_seed(0)
    people = torch.rand(4, 3, 32, 32, generator=generator) * 2 - 1
    labels = torch.arange(4).repeat(4)
    optimizer = torch.optim.Adam(classifier.parameters(), lr=3e-3)

    def draw():
        noise = torch.randn(16, 3, 32, 32, generator=generator)
        return (people[labels] + 0.2 * noise).clamp(-1, 1)

    first = None
    for _ in range(60):
        answer = classifier(draw(), labels, mode='loss')
        first = answer['loss'].item() if first is None else first
        optimizer.zero_grad()
        answer['loss'].backward()
        optimizer.step()
        classifier.advance()
    assert answer['loss'].item() < first
    assert (classifier.logits(draw()).argmax(1) == labels).float().mean() > 0.9


@pytest.mark.parametrize('head', HEADS)
def test_under_autocast_scores_and_loss_stay_float32(head):
    classifier = tiny(head)
    faces = (torch.rand(4, 3, 32, 32) * 2 - 1).requires_grad_()
    labels = torch.arange(4)
    exact = classifier.loss(faces, labels)['loss']
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert classifier.embed(faces).dtype == torch.bfloat16
        answer = classifier.loss(faces, labels)
    assert answer['loss'].dtype == answer['logits'].dtype == torch.float32
    torch.testing.assert_close(answer['loss'], exact, rtol=0.05, atol=0.05)
    answer['loss'].backward()
    assert faces.grad.isfinite().all()


# The heads.


@pytest.mark.parametrize('kind', [SoftmaxHead, ASoftmaxHead, CosFaceHead, ArcFaceHead])
def test_labels_beyond_the_classes_name_both_counts(kind):
    head = kind(num_classes=3, embed_dim=2)
    with pytest.raises(ValueError, match='at least 8 identities, but num_classes=3'):
        head.loss(torch.rand(2, 2), torch.tensor([0, 7]))
    with pytest.raises(ValueError, match='from -1'):
        head.loss(torch.rand(2, 2), torch.tensor([0, -1]))
    with pytest.raises(ValueError, match='at least 2, got 1'):
        kind(num_classes=1, embed_dim=2)


def at_angles(head, angle, length=1.0):
    """Set three weights at 0, 120 and 240 degrees and embed at an angle."""
    turns = torch.arange(3) * (2 * math.pi / 3)
    # Lengths of weights must not matter.
    head.weight.data = torch.stack([turns.cos(), turns.sin()], 1) * 3
    return length * torch.tensor([[math.cos(angle), math.sin(angle)]])


def cross_entropy(scores):
    return math.log(sum(math.exp(one) for one in scores)) - scores[0]


def test_a_softmax_is_the_paper_s_by_hand():
    head = ASoftmaxHead(3, 2, m=4, base_lambda=5, min_lambda=5)
    angle, length = 0.9, 2.0
    embedding = at_angles(head, angle, length)
    # 0.9 lies in [pi/4, pi/2]: k = 1, psi = -cos(4 * 0.9) - 2.
    psi = -math.cos(3.6) - 2
    right = length * (5 * math.cos(angle) + psi) / 6
    wrong = [length * math.cos(angle - turn) for turn in (2.0944, 4.18879)]
    answer = head.loss(embedding, torch.tensor([0]))
    assert answer['loss'].item() == pytest.approx(
        cross_entropy([right, *wrong]), abs=1e-4
    )
    expected = torch.tensor([[length * math.cos(angle), *wrong]])
    torch.testing.assert_close(answer['logits'], expected, rtol=0, atol=1e-4)
    torch.testing.assert_close(head.logits(embedding), answer['logits'])


@pytest.mark.parametrize('m', [1, 2, 3, 4, 5])
def test_psi_falls_from_1_to_1_minus_2m_without_a_jump(m):
    head = ASoftmaxHead(2, 2, m=m)
    angle = torch.linspace(0, math.pi, 20001, dtype=torch.float64)
    psi = head.psi(angle.cos().clamp(-1, 1))
    assert psi[0].item() == pytest.approx(1)
    assert psi[-1].item() == pytest.approx(1 - 2 * m)
    step = psi.diff()
    assert step.max() < 1e-9
    assert step.min() > -2 * m * math.pi / 20000
    # In the first piece it is cos(m t).
    part = angle < math.pi / m
    torch.testing.assert_close(psi[part], (m * angle[part]).cos())


def test_the_annealing_falls_as_the_paper_trained_and_only_by_advance():
    head = ASoftmaxHead(2, 2)
    assert head.annealing().item() == 1000
    head.loss(torch.rand(1, 2), torch.tensor([0]))
    assert head.annealing().item() == 1000
    for _ in range(100):
        head.advance()
    assert head.annealing().item() == pytest.approx(1000 / (1 + 0.12 * 100))
    head.steps.fill_(10**6)
    assert head.annealing().item() == 5


def test_the_annealing_goes_on_from_a_saved_state():
    classifier = tiny('ASoftmaxHead')
    for _ in range(7):
        classifier.advance()
    other = tiny('ASoftmaxHead')
    other.load_state_dict(copy.deepcopy(classifier.state_dict()))
    assert other.head.annealing() == classifier.head.annealing()
    assert other.head.annealing() < 1000


def test_cosface_takes_its_margin_from_the_right_cosine():
    head = CosFaceHead(3, 2, s=10, m=0.2)
    answer = head.loss(at_angles(head, 0.4, 7.0), torch.tensor([0]))
    wrong = [10 * math.cos(0.4 - turn) for turn in (2.0944, 4.18879)]
    expected = cross_entropy([10 * (math.cos(0.4) - 0.2), *wrong])
    assert answer['loss'].item() == pytest.approx(expected, abs=1e-3)
    assert answer['logits'][0, 0].item() == pytest.approx(10 * math.cos(0.4), abs=1e-4)


def test_arcface_adds_its_margin_to_the_right_angle():
    head = ArcFaceHead(3, 2, s=10, m=0.3)
    answer = head.loss(at_angles(head, 0.4, 7.0), torch.tensor([0]))
    wrong = [10 * math.cos(0.4 - turn) for turn in (2.0944, 4.18879)]
    expected = cross_entropy([10 * math.cos(0.7), *wrong])
    assert answer['loss'].item() == pytest.approx(expected, abs=1e-3)
    assert answer['logits'][0, 0].item() == pytest.approx(10 * math.cos(0.4), abs=1e-4)


def test_arcface_score_keeps_falling_where_the_angle_would_wrap():
    head = ArcFaceHead(2, 2, m=0.5)
    angle = torch.linspace(0.01, math.pi - 0.01, 2001, dtype=torch.float64)
    assert head.penalize(angle.cos()).diff().max() < 0


@pytest.mark.parametrize('kind', [ASoftmaxHead, CosFaceHead, ArcFaceHead])
@pytest.mark.parametrize('turned', [1.0, -1.0])
def test_gradients_are_finite_at_the_ends_of_the_cosine(kind, turned):
    head = kind(3, 4)
    embedding = turned * head.weight.data[:1].clone().requires_grad_()
    embedding.retain_grad()
    head.loss(embedding, torch.tensor([0]))['loss'].backward()
    assert embedding.grad.isfinite().all()
    assert head.weight.grad.isfinite().all()


@pytest.mark.parametrize('kind', [ASoftmaxHead, CosFaceHead, ArcFaceHead])
def test_an_embedding_of_zero_has_a_finite_gradient(kind):
    head = kind(3, 4)
    embedding = torch.zeros(1, 4, requires_grad=True)
    head.loss(embedding, torch.tensor([0]))['loss'].backward()
    assert embedding.grad.isfinite().all()


def test_m_of_a_softmax_is_a_positive_integer():
    for m in (0, 2.5):
        with pytest.raises(ValueError, match=f'positive integer, got {m}'):
            ASoftmaxHead(3, 4, m=m)


# The backbones.


@pytest.mark.parametrize('depth', [4, 10, 20, 36, 64])
def test_sphereface_has_as_many_convolutions_as_its_depth(depth):
    net = SphereFaceNet(depth=depth, base_channels=2, embed_dim=4, input_size=(30, 21))
    convolutions = [one for one in net.modules() if isinstance(one, nn.Conv2d)]
    assert len(convolutions) == depth
    assert not any('Norm' in type(one).__name__ for one in net.modules())
    assert net(torch.rand(2, 3, 30, 21)).shape == (2, 4)


def test_sphereface_20_is_the_paper_s():
    with torch.device('meta'):
        channels = [
            one.out_channels
            for one in SphereFaceNet().modules()
            if isinstance(one, nn.Conv2d)
        ]
    assert channels == [64] * 3 + [128] * 5 + [256] * 9 + [512] * 3
    with pytest.raises(ValueError, match='4, 10, 20, 36, 64.* got 18'):
        SphereFaceNet(depth=18)


def test_mobilefacenet_takes_smaller_faces():
    net = MobileFaceNet(embed_dim=16, input_size=(48, 32)).eval()
    assert net(torch.rand(2, 3, 48, 32)).shape == (2, 16)
    with pytest.raises(ValueError, match='multiples of 16'):
        MobileFaceNet(input_size=(50, 48))


def test_facenet_embeds_without_normalizing():
    net = FaceNet().eval()
    with torch.no_grad():
        lengths = net(torch.rand(2, 3, 160, 160) * 2 - 1).norm(dim=1)
    assert net.embed_dim == 512
    assert ((lengths - 1).abs() > 1e-3).all()


def test_facenet_loads_a_released_file_without_its_classifier(tmp_path):
    source = FaceNet()
    state = {
        name.removeprefix('net.'): one for name, one in source.state_dict().items()
    }
    state |= {'logits.weight': torch.rand(9, 512), 'logits.bias': torch.rand(9)}
    torch.save(state, tmp_path / 'facenet.pt')
    path = str(tmp_path / 'facenet.pt')
    net = FaceNet(init_cfg=dict(type='Pretrained', checkpoint=path))
    net.init_weights()
    for name, value in source.state_dict().items():
        assert torch.equal(net.state_dict()[name], value), name


def test_facenet_downloads_only_when_weights_are_initialized(monkeypatch):
    asked = []

    def download(url, **kwargs):
        asked.append((url, kwargs['weights_only']))
        return FaceNet().state_dict()

    monkeypatch.setattr(torch.hub, 'load_state_dict_from_url', download)
    net = FaceNet(pretrained='vggface2')
    assert not asked
    net.init_weights()
    assert asked[0][0].endswith('vggface2.pt') and asked[0][1] is True
    with pytest.raises(ValueError, match="casia-webface.*not 'lfw'"):
        FaceNet(pretrained='lfw')
    with pytest.raises(ValueError, match='not both'):
        FaceNet(pretrained='vggface2', init_cfg=dict(type='Pretrained', checkpoint='x'))


# Weights.


def pretrained(path, **kwargs):
    return dict(type='Pretrained', checkpoint=str(path), **kwargs)


@pytest.mark.parametrize('norm_eval', [True, False])
def test_norm_eval_alone_keeps_the_statistics_of_batch_norms(norm_eval):
    backbone = dict(type='mmanon.MobileFaceNet', input_size=(32, 32))
    head = dict(type='mmanon.CosFaceHead', num_classes=3)
    network = FaceClassifier(backbone, head, norm_eval=norm_eval).train()
    norm = network.backbone.dw_conv.bn1
    before = norm.running_mean.clone()

    network.loss(torch.rand(4, 3, 40, 40), torch.tensor([0, 1, 2, 0]))[
        'loss'
    ].backward()

    assert network.training
    assert torch.equal(norm.running_mean, before) == norm_eval
    assert norm.weight.grad is not None


def test_a_trained_discriminator_loads_with_a_head_for_other_people(tmp_path):
    source, path = tiny(num_classes=4), tmp_path / 'd.pth'
    torch.save(dict(state_dict=source.state_dict()), path)
    same = tiny(num_classes=4, init_cfg=pretrained(path))
    same.head.weight.data.zero_()
    same.init_weights()
    assert torch.equal(same.head.weight, source.head.weight)
    other = tiny(num_classes=6, init_cfg=pretrained(path))
    other.backbone.embedding.weight.data.zero_()
    other.init_weights()
    assert other.head.weight.shape == (6, 8)
    assert torch.equal(
        other.backbone.embedding.weight, source.backbone.embedding.weight
    )


def test_a_backbone_loads_from_a_part_of_a_checkpoint(tmp_path):
    source, path = tiny(), tmp_path / 'all.pth'
    state = {f'discriminator.{key}': one for key, one in source.state_dict().items()}
    torch.save(dict(state_dict={**state, 'modifier.x': torch.rand(1)}), path)
    classifier = tiny(num_classes=9)
    classifier.backbone.init_cfg = pretrained(path, prefix='discriminator.backbone.')
    classifier.backbone.embedding.weight.data.zero_()
    classifier.init_weights()
    for name, value in source.backbone.state_dict().items():
        assert torch.equal(classifier.backbone.state_dict()[name], value), name


def test_how_weights_began_is_told_to_a_log_file_and_not_to_the_console(tmp_path):
    heard, listener = [], logging.Handler()
    listener.emit = lambda record: heard.append(record.getMessage())
    logger = MMLogger.get_instance('how-weights-began', log_file=tmp_path / 'a.log')
    (log_file,) = (h for h in logger.handlers if isinstance(h, logging.FileHandler))
    logger.addHandler(listener)
    tiny().init_weights()
    assert 'backbone.embedding.weight - torch.Size' in (tmp_path / 'a.log').read_text()

    logger.removeHandler(log_file)
    tiny().init_weights()
    assert not [line for line in heard if 'embedding' in line]


def test_weights_of_another_architecture_are_refused_by_name(tmp_path):
    path = tmp_path / 'other.pth'
    torch.save(SphereFaceNet(4, 2, 4, (16, 16)).state_dict(), path)
    net = MobileFaceNet(init_cfg=pretrained(path))
    with pytest.raises(ValueError, match=r'other.pth does not hold .*MobileFaceNet'):
        net.init_weights()
    wider = SphereFaceNet(4, 3, 4, (16, 16), init_cfg=pretrained(path))
    with pytest.raises(ValueError, match=r'stages.0.weight is \(2, 3, 3, 3\), not'):
        wider.init_weights()
    with pytest.raises(FileNotFoundError, match='gone.pth do not exist'):
        MobileFaceNet(init_cfg=pretrained(tmp_path / 'gone.pth')).init_weights()


def test_a_file_that_would_run_code_is_not_unpickled(tmp_path):
    path = tmp_path / 'evil.pth'
    torch.save(dict(state_dict={'x': subprocess.Popen}), path)
    with pytest.raises(ValueError, match='holds objects of .*Popen in addition'):
        MobileFaceNet(init_cfg=pretrained(path)).init_weights()


def test_the_public_mobilefacenet_fits_exactly(shared_data):
    path = shared_data / 'weights' / 'mobilefacenet_ms1m.pt'
    net = MobileFaceNet(init_cfg=pretrained(path))
    net.init_weights()
    state = torch.load(path, map_location='cpu', weights_only=True)
    assert set(net.state_dict()) == set(state)
    assert all(torch.equal(net.state_dict()[name], state[name]) for name in state)


@pytest.mark.parametrize('name, published', [('lfw10', 0.2), ('orl', 0.4)])
def test_mobilefacenet_verifies_faces_as_published(
    shared_data, tmp_path, name, published
):
    weights = shared_data / 'weights'
    dataset = FaceIdentityDataset(
        shared_data / 'faces' / name,
        crop_size=128,
        margin=0.6,
        detector=dict(
            type='YuNetFaceDetector', weights=str(weights / 'yunet_n_320_320.onnx')
        ),
        cache_dir=tmp_path,
        test_mode=True,
    )
    backbone = dict(
        type='MobileFaceNet', init_cfg=pretrained(weights / 'mobilefacenet_ms1m.pt')
    )
    classifier = FaceClassifier(backbone, margin=0.6)
    classifier.init_weights()
    classifier.eval()
    loader = torch.utils.data.DataLoader(dataset, batch_size=50)
    with torch.inference_mode():
        found = [F.normalize(classifier.embed(one['image'])) for one in loader]
    embeddings = torch.cat(found)
    similar = (embeddings @ embeddings.T).numpy()
    same = dataset.labels[:, None] == dataset.labels
    pairs = np.triu_indices(len(same), 1)
    false_accepts, true_accepts, _ = roc_curve(same[pairs], similar[pairs])
    equal = np.argmin(np.abs(false_accepts - (1 - true_accepts)))
    error = 50 * (false_accepts[equal] + 1 - true_accepts[equal])
    assert error == pytest.approx(published, abs=0.3)
    np.fill_diagonal(similar, -1)
    assert (dataset.labels[similar.argmax(1)] == dataset.labels).all()


def test_importing_the_discriminators_does_not_import_facenet_pytorch():
    code = (
        'import sys; import mmanon.models.discriminators; '
        "sys.exit('facenet_pytorch' in sys.modules)"
    )
    subprocess.run([sys.executable, '-c', code], check=True)
