"""The focal loss of integer classes."""

import torch
from torch import Tensor
from torch.nn import functional

from .shared import as_computed

__all__ = ['sigmoid_focal_loss_forward', 'sigmoid_focal_loss_backward']


def sigmoid_focal_loss_forward(
    input: Tensor,
    target: Tensor,
    weight: Tensor,
    output: Tensor,
    *,
    gamma: float,
    alpha: float,
) -> None:
    """Write the focal loss of each class of each row.

    Args:
        input: Logits, (rows, classes).
        target: Class of each row, (rows,). With a number that is not a class, all
            classes of the row are negative.
        weight: Weights of the classes, (classes,), or empty.
        output: Receives the losses, (rows, classes).
        gamma: Exponent of one minus the probability of the right answer.
        alpha: Weight of the positive classes; that of the negative ones is
            ``1 - alpha``.

    Reference:
        Lin et al., Focal Loss for Dense Object Detection, ICCV 2017,
        https://arxiv.org/abs/1708.02002
    """
    (logits,) = as_computed(input)
    output.copy_(_focal_losses(logits, target, weight, gamma, alpha))


def sigmoid_focal_loss_backward(
    input: Tensor,
    target: Tensor,
    weight: Tensor,
    grad_input: Tensor,
    *,
    gamma: float,
    alpha: float,
) -> None:
    """Write the gradient of the sum of the losses for the logits."""
    with torch.enable_grad():
        logits = as_computed(input.detach())[0].requires_grad_()
        losses = _focal_losses(logits, target, weight, gamma, alpha)
        grad_input.copy_(torch.autograd.grad(losses.sum(), logits)[0])


def _focal_losses(
    logits: Tensor, target: Tensor, weight: Tensor, gamma: float, alpha: float
) -> Tensor:
    positive = target[:, None] == torch.arange(logits.shape[1], device=target.device)
    signed = logits.where(positive, -logits)
    # One minus the probability of the right answer, and minus its logarithm.
    loss = (-signed).sigmoid() ** gamma * -functional.logsigmoid(signed)
    loss = loss * torch.where(positive, alpha, 1 - alpha)
    if weight.numel():
        loss = loss * weight[target][:, None]
    return loss
