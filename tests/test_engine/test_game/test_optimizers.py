import pytest
import torch
from mmengine.optim import AmpOptimWrapper
from torch import nn

from mmanon.engine.game.optimizers import build_following_wrapper


@pytest.fixture
def networks():
    torch.manual_seed(0)
    return nn.Linear(2, 2), nn.Linear(2, 2)


@pytest.fixture
def wrappers(networks, monkeypatch):
    """Of the modifier and the detector, with a scaler that works on the CPU."""
    module = 'mmengine.optim.optimizer.amp_optimizer_wrapper'
    monkeypatch.setattr(f'{module}.is_cuda_available', lambda: True)
    modifier, detector = networks
    sgd = torch.optim.SGD(detector.parameters(), lr=0.1)
    leader = AmpOptimWrapper(optimizer=sgd)
    leader.loss_scaler = torch.amp.GradScaler('cpu', init_scale=4.0)
    cfg = dict(optimizer=dict(type='SGD', lr=0.1))
    return build_following_wrapper(modifier, cfg, leader), leader


def backward(networks, leader):
    modifier, detector = networks
    leader.backward(detector(modifier(torch.ones(1, 2))).sum())


def weights(network):
    return network.weight.detach().clone()


def test_one_backward_pass_at_one_scale_moves_both_as_far_as_without(
    networks, wrappers
):
    modifier, detector = networks
    follower, leader = wrappers
    before = [weights(one) for one in networks]
    loss = detector(modifier(torch.ones(1, 2))).sum()
    gradients = torch.autograd.grad(loss, [modifier.weight, detector.weight])

    backward(networks, leader)
    follower.step()
    leader.step()

    for network, old, gradient in zip(networks, before, gradients, strict=True):
        torch.testing.assert_close(network.weight, old - 0.1 * gradient)


def test_an_infinite_gradient_of_the_modifier_holds_it_and_lowers_the_scale_once(
    networks, wrappers
):
    modifier, detector = networks
    follower, leader = wrappers
    before = [weights(one) for one in networks]
    backward(networks, leader)
    modifier.weight.grad[0, 0] = float('inf')

    follower.step()
    leader.step()

    assert torch.equal(modifier.weight, before[0])
    # A scaler judges each optimizer by its own gradients: these are finite.
    assert not torch.equal(detector.weight, before[1])
    assert detector.weight.isfinite().all()
    assert leader.loss_scaler.get_scale() == 2.0
    assert follower.loss_scaler is leader.loss_scaler
