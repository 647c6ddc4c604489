import pytest
import torch

from mmanon.models.losses import FlickerLoss


def test_only_change_beyond_the_originals_counts():
    original = torch.tensor([0.0, 0.5, 0.5])[:, None, None, None].expand(3, 3, 2, 2)
    modified = torch.tensor([0.1, 0.4, 0.9])[:, None, None, None].expand(3, 3, 2, 2)
    pairs = torch.tensor([[0, 1], [1, 2]])

    loss = FlickerLoss(loss_weight=3.0)(modified, original, pairs)

    # 0.3 where 0.5 is allowed, 0.5 where nothing is.
    assert loss.item() == pytest.approx(3 * (0 + 0.5) / 2)


def test_without_pairs_there_is_no_loss_and_still_a_gradient():
    modified = torch.zeros(2, 3, 2, 2, requires_grad=True)
    loss = FlickerLoss()(modified, modified, torch.zeros(0, 2, dtype=torch.long))
    loss.backward()
    assert loss == 0 and modified.grad.abs().sum() == 0
