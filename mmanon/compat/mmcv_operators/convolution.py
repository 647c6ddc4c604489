"""Deformable convolution, and convolution at some positions."""

from torch import Tensor
from torch.nn import functional

from .shared import as_computed, kernels

__all__ = [
    'deform_conv_forward',
    'deform_conv_backward_input',
    'deform_conv_backward_parameters',
    'modulated_deform_conv_forward',
    'modulated_deform_conv_backward',
    'masked_im2col_forward',
    'masked_col2im_forward',
]


def _geometry(
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: tuple[int, int],
) -> tuple[int, ...]:
    """Return the numbers of a deformable convolution in torchvision's order."""
    return (*stride, *padding, *dilation, *groups)


def deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    output: Tensor,
    columns: Tensor,
    ones: Tensor,
    **options: int,
) -> None:
    """Write a deformable convolution of (N, C, H, W) to ``output``.

    Args:
        input: Features, (N, C, H, W).
        weight: (channels of the output, C / groups, height and width of the kernel).
        offset: Rows and columns by which the samples are moved, (N, 2 * groups *
            samples of the kernel, height and width of the output).
        output: Receives the convolved features.
        columns: mmcv's working memory, not used.
        ones: As ``columns``.
        options: ``dH``, ``padW``, ``deformable_group`` and the others of mmcv.

    Reference:
        Dai et al., Deformable Convolutional Networks, ICCV 2017,
        https://arxiv.org/abs/1703.06211
    """
    arguments = _plain_deformation(input, weight, offset, options)
    output.copy_(kernels.deform_conv2d(*arguments))


def deform_conv_backward_input(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_input: Tensor,
    grad_offset: Tensor,
    weight: Tensor,
    columns: Tensor,
    **options: int,
) -> None:
    """Write the gradients of the features and the offsets.

    The kernel also computes the gradient of the weights, which mmcv asks for next: it
    is kept in ``columns``, mmcv's working memory.
    """
    arguments = _plain_deformation(input, weight, offset, options)
    grads = kernels._deform_conv2d_backward(*as_computed(grad_output), *arguments)
    grad_input.copy_(grads[0])
    columns.resize_(weight.shape).copy_(grads[1])
    grad_offset.copy_(grads[2])


def deform_conv_backward_parameters(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_weight: Tensor,
    columns: Tensor,
    ones: Tensor,
    *,
    scale: float,
    **options: int,
) -> None:
    """Add ``scale`` times the gradient of the weights to ``grad_weight``."""
    if columns.numel() == 0:  # neither the features nor the offsets need a gradient
        arguments = _plain_deformation(input, grad_weight, offset, options)
        grads = kernels._deform_conv2d_backward(*as_computed(grad_output), *arguments)
        columns.resize_(grad_weight.shape).copy_(grads[1])
    grad_weight.add_(columns, alpha=scale)
    columns.resize_(0)


def _plain_deformation(
    input: Tensor, weight: Tensor, offset: Tensor, options: dict[str, int]
) -> tuple:
    """Return the arguments of torchvision's kernel without a mask and a bias."""
    features, weight, offset = as_computed(input, weight, offset)
    geometry = _geometry(
        (options['dH'], options['dW']),
        (options['padH'], options['padW']),
        (options['dilationH'], options['dilationW']),
        (options['group'], options['deformable_group']),
    )
    mask = features.new_zeros(len(features), 1)
    bias = features.new_zeros(len(weight))
    return features, weight, offset, mask, bias, *geometry, False


def modulated_deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    output: Tensor,
    columns: Tensor,
    **options: int,
) -> None:
    """Write a deformable convolution with weighted samples to ``output``.

    Args:
        input: Features, (N, C, H, W).
        weight: (channels of the output, C / groups, height and width of the kernel).
        bias: (channels of the output,); not used without ``with_bias``.
        ones: mmcv's working memory, not used.
        offset: As for :func:`deform_conv_forward`.
        mask: Weights of the samples, one for every two values of ``offset``.
        output: Receives the convolved features.
        columns: mmcv's working memory, not used.
        options: ``stride_h``, ``pad_w``, ``deformable_group`` and the others of mmcv.

    Reference:
        Zhu et al., Deformable ConvNets v2, CVPR 2019, https://arxiv.org/abs/1811.11168
    """
    arguments = _masked_deformation(input, weight, bias, offset, mask, options)
    output.copy_(kernels.deform_conv2d(*arguments))


def modulated_deform_conv_backward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    columns: Tensor,
    grad_input: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
    grad_offset: Tensor,
    grad_mask: Tensor,
    grad_output: Tensor,
    **options: int,
) -> None:
    """Write the gradients of all inputs of the convolution."""
    arguments = _masked_deformation(input, weight, bias, offset, mask, options)
    grads = kernels._deform_conv2d_backward(*as_computed(grad_output), *arguments)
    receivers = [grad_input, grad_weight, grad_offset, grad_mask]
    if options['with_bias']:
        receivers.append(grad_bias)
    for receiver, grad in zip(receivers, grads, strict=False):
        receiver.copy_(grad)


def _masked_deformation(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    offset: Tensor,
    mask: Tensor,
    options: dict[str, int],
) -> tuple:
    """Return the arguments of torchvision's kernel with a mask."""
    if not options['with_bias']:
        bias = weight.new_zeros(len(weight))
    tensors = as_computed(input, weight, offset, mask, bias)
    geometry = _geometry(
        (options['stride_h'], options['stride_w']),
        (options['pad_h'], options['pad_w']),
        (options['dilation_h'], options['dilation_w']),
        (options['group'], options['deformable_group']),
    )
    return *tensors, *geometry, True


def masked_im2col_forward(
    im: Tensor,
    mask_h_idx: Tensor,
    mask_w_idx: Tensor,
    col: Tensor,
    *,
    kernel_h: int,
    kernel_w: int,
    pad_h: int,
    pad_w: int,
) -> None:
    """Write the inputs of the kernel at some positions of one image, (1, C, H, W).

    ``col`` receives (C * samples of the kernel, positions).
    """
    padded = functional.pad(im[0], (pad_w, pad_w, pad_h, pad_h))
    seen = padded.unfold(1, kernel_h, 1).unfold(2, kernel_w, 1)
    col.copy_(seen[:, mask_h_idx, mask_w_idx].flatten(2).transpose(1, 2).flatten(0, 1))


def masked_col2im_forward(
    col: Tensor,
    mask_h_idx: Tensor,
    mask_w_idx: Tensor,
    im: Tensor,
    *,
    height: int,
    width: int,
    channels: int,
) -> None:
    """Write values, (C, positions), to these positions of an image, (1, C, H, W)."""
    im[0, :, mask_h_idx, mask_w_idx] = col
