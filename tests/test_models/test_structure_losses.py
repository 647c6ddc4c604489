import pytest
import torch
from torchvision.models import squeezenet1_1

from mmanon.models.losses import AverageFaceLoss, PerceptualLoss
from mmanon.registry import MODELS


def test_average_face_loss_is_zero_where_all_are_drawn_as_the_average():
    original = torch.rand(4, 3, 8, 8) * 2 - 1
    average = original.mean(0, keepdim=True).repeat(4, 1, 1, 1)

    assert AverageFaceLoss()(average, original) == 0


def test_average_face_loss_of_faces_left_alone_is_their_distance_from_the_average():
    original = torch.stack([torch.full((3, 4, 4), one) for one in (-0.5, 0.5, 0.9)])

    loss = AverageFaceLoss()(original, original)

    assert loss.item() == pytest.approx((0.8 + 0.2 + 0.6) / 3)


def test_average_face_loss_pulls_the_modified_faces_towards_the_average():
    original = torch.stack([torch.full((3, 4, 4), one) for one in (-0.5, 0.5)])
    modified = original.clone().requires_grad_()
    cfg = dict(type='mmanon.AverageFaceLoss', loss_weight=2.0)

    loss = MODELS.build(cfg)(modified, original)
    loss.backward()

    assert loss.item() == pytest.approx(2 * 0.5)
    assert (modified.grad[0] < 0).all()
    assert (modified.grad[1] > 0).all()


def test_with_an_own_weight_of_1_all_between_face_and_average_costs_the_same():
    original = torch.stack([torch.full((3, 4, 4), one) for one in (-0.6, 0.6)])
    loss = AverageFaceLoss(own_weight=1.0)

    costs = [loss(share * original, original).item() for share in (1.0, 0.5, 0.0)]

    assert costs == pytest.approx([0.6] * 3)
    assert loss(1.5 * original, original).item() == pytest.approx(0.6 + 2 * 0.3)
    assert loss(-0.5 * original, original).item() == pytest.approx(0.6 + 2 * 0.3)


@pytest.mark.parametrize('own_weight', [-0.1, 1.1])
def test_an_own_weight_beyond_0_and_1_is_refused(own_weight):
    with pytest.raises(ValueError, match=r'own_weight must be in \[0, 1\], got'):
        AverageFaceLoss(own_weight=own_weight)


def test_a_single_face_has_no_average_to_hide_in_and_is_refused():
    face = torch.zeros(1, 3, 4, 4)

    with pytest.raises(ValueError, match='at least 2 faces in a batch, got 1'):
        AverageFaceLoss()(face, face)


def test_perceptual_loss_is_lpips_and_moves_the_modified_faces(tmp_path):
    pytest.importorskip('lpips')
    torch.manual_seed(0)
    path = tmp_path / 'squeezenet.pth'
    torch.save(squeezenet1_1(weights=None).state_dict(), path)
    loss = PerceptualLoss(path, 'squeeze', loss_weight=2.0)
    original = torch.rand(2, 3, 64, 64) * 2 - 1
    modified = (-original).requires_grad_()

    found = loss(modified, original)
    found.backward()

    assert loss(original, original) == 0
    assert found.item() == pytest.approx(
        2 * loss._network[0](modified, original).mean().item()
    )
    assert modified.grad.abs().sum() > 0
    assert not loss.state_dict() and not list(loss.parameters())
