"""Stands in for mmcv's compiled operators, the module ``mmcv._ext``.

The layers and functions of ``mmcv.ops`` are Python around functions of ``mmcv._ext``,
which write what they compute into the tensors they are given. mmcv's release for pip
brings the Python only: the rest takes a C++ compiler and several minutes. The functions
here have the signatures and the mathematics of the compiled ones. torchvision's kernels
compute RoIAlign, NMS and deformable convolution, plain PyTorch the rest:

- torchvision has no RoIAlign that takes the maximum;
- its RoIPool rounds the corners of a region to pixels, mmcv's does not;
- soft NMS, the groups of ``nms_match`` and the focal loss of integer classes are
  mmcv's own.

Half precision is computed in float32. Every other operator can be imported and raises
when it is called. Letters: N images, C channels, H and W pixels of a feature map, R
regions (RoIs) with rows ``(image, x1, y1, x2, y2)``, P and Q rows and columns of bins.
"""

import math
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import NamedTuple

import mmcv
import numpy as np
import torch
import torchvision
from torch import Tensor
from torch.nn import functional

__all__ = ['OPERATORS', 'description', 'not_available']

# The kernels of torchvision, which `import torchvision` registers.
_kernels = torch.ops.torchvision

# What mmcv's kernels have for the maximum of no samples.
_LOWEST = -10000.0


def _as_computed(*tensors: Tensor) -> list[Tensor]:
    """The tensors in one type: the first's, or float32 where that is a half."""
    dtype = tensors[0].dtype
    if dtype not in (torch.float32, torch.float64):
        dtype = torch.float32
    return [tensor.to(dtype) for tensor in tensors]


def _counted(count: int, like: Tensor) -> Tensor:
    return torch.arange(count, dtype=like.dtype, device=like.device)


def _of_float32(value: float) -> float:
    """A threshold as mmcv's C++ has it, which decides about an overlap equal to it."""
    return float(np.float32(value))


# --- RoIAlign -------------------------------------------------------------------------


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    *,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Bilinear samples of each bin of each region: their mean or maximum.

    Args:
        input: Features, (N, C, H, W).
        rois: Regions in pixels of the image, (R, 5).
        output: Receives the pooled features, (R, C, P, Q).
        argmax_y: Receives the rows of the maxima in the feature map, (R, C, P, Q);
            left alone for the mean.
        argmax_x: The same for the columns.
        aligned_height: P.
        aligned_width: Q.
        spatial_scale: Pixels of the feature map in one of the image.
        sampling_ratio: Samples along a side of a bin; 0: as many as there are pixels.
        pool_mode: 0 for the maximum, 1 for the mean.
        aligned: Whether the centre of the first pixel lies at 0.5, not at 0.
    """
    features, regions = _as_computed(input, rois)
    bins = aligned_height, aligned_width
    if pool_mode == 1:
        pooled = _kernels.roi_align(
            features, regions, spatial_scale, *bins, sampling_ratio, aligned
        )
        output.copy_(pooled)
        return
    # Autocast would multiply the weights of the interpolation in half precision.
    with torch.autocast(input.device.type, enabled=False):
        for i, region in enumerate(regions):
            down, across = _samples(
                region, bins, features.shape, spatial_scale, sampling_ratio, aligned
            )
            values, row, column = _maxima(features[int(region[0])], down, across)
            output[i] = values
            argmax_y[i] = row
            argmax_x[i] = column


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    *,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Write the gradient of the features, (N, C, H, W), into zeros."""
    grad, regions = _as_computed(grad_output, rois)
    bins = aligned_height, aligned_width
    if pool_mode == 0:
        spread = grad_input.to(grad.dtype)
        rows, columns = _as_computed(argmax_y, argmax_x)
        _spread_of_maxima(grad, regions, rows, columns, spread)
    elif grad.is_cuda and torch.are_deterministic_algorithms_enabled():
        spread = grad_input.to(grad.dtype)
        for i, region in enumerate(regions):
            down, across = _samples(
                region, bins, spread.shape, spatial_scale, sampling_ratio, aligned
            )
            mean = _mean_of_bins(down).T @ grad[i] @ _mean_of_bins(across)
            spread[int(region[0])] += mean
    else:
        spread = _kernels._roi_align_backward(
            grad,
            regions,
            spatial_scale,
            *bins,
            *grad_input.shape,
            sampling_ratio,
            aligned,
        )
    grad_input.copy_(spread)


class _Side(NamedTuple):
    """The samples along the rows or the columns of one region."""

    bins: int
    at: Tensor  # (samples of all bins,), where they lie in the feature map
    weights: Tensor  # (samples of all bins, H or W), of a bilinear interpolation


def _samples(
    region: Tensor,
    bins: tuple[int, int],
    shape: Sequence[int],
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> tuple[_Side, _Side]:
    """Where RoIAlign samples one region: along the rows, along the columns."""
    x1, y1, x2, y2 = (region[1:] * spatial_scale - 0.5 * aligned).unbind()
    sides = []
    for start, end, count, length in zip(
        (y1, x1), (y2, x2), bins, shape[-2:], strict=True
    ):
        size = end - start if aligned else (end - start).clamp(min=1)
        samples = sampling_ratio
        if samples <= 0:
            samples = max(math.ceil(size.item() / count), 0)
        bin_size = size / count
        bin_start = start + _counted(count, region) * bin_size
        within = _counted(samples, region) + 0.5
        at = (bin_start[:, None] + within * bin_size / max(samples, 1)).flatten()
        sides.append(_Side(count, at, _interpolation(at, length)))
    rows, columns = sides
    return rows, columns


def _interpolation(at: Tensor, length: int) -> Tensor:
    """The weights of pixels, (samples, length): none more than one pixel outside."""
    inside = (at >= -1) & (at <= length)
    low, high, share = _neighbours(at, length)
    weights = at.new_zeros(len(at), length)
    weights.scatter_add_(1, low[:, None], ((1 - share) * inside)[:, None])
    weights.scatter_add_(1, high[:, None], (share * inside)[:, None])
    return weights


def _neighbours(at: Tensor, length: int) -> tuple[Tensor, Tensor, Tensor]:
    """The two pixels around places along a side, and the second one's share."""
    at = at.clamp(0, length - 1)
    low = at.long()
    return low, (low + 1).clamp(max=length - 1), at - low


def _mean_of_bins(side: _Side) -> Tensor:
    """What each pixel weighs in the mean of a bin, (bins, H or W)."""
    by_bin = side.weights.unflatten(0, (side.bins, -1))
    return by_bin.sum(1) / max(by_bin.shape[1], 1)


def _maxima(
    features: Tensor, rows: _Side, columns: _Side
) -> tuple[Tensor, Tensor, Tensor]:
    """The largest sample of each bin of one region, and its row and column."""
    sampled = rows.weights @ features @ columns.weights.T
    by_bin = sampled.unflatten(2, (columns.bins, -1)).unflatten(1, (rows.bins, -1))
    by_bin = by_bin.transpose(2, 3)  # (C, P, Q, samples of rows, samples of columns)
    down, across = by_bin.shape[3:]
    if down * across == 0:
        nowhere = features.new_full(by_bin.shape[:3], -1)
        return features.new_full(by_bin.shape[:3], _LOWEST), nowhere, nowhere
    values, which = by_bin.flatten(3).max(3)
    first_row = torch.arange(rows.bins, device=which.device)[:, None] * down
    first_column = torch.arange(columns.bins, device=which.device) * across
    row = rows.at[first_row + which // across]
    return values, row, columns.at[first_column + which % across]


def _spread_of_maxima(
    grad: Tensor, regions: Tensor, rows: Tensor, columns: Tensor, spread: Tensor
) -> None:
    """Add to (N, C, H, W) the gradients of samples at the given places."""
    images, channels, height, width = spread.shape
    inside = (rows >= -1) & (rows <= height) & (columns >= -1) & (columns <= width)
    # What had no sample is marked by -1, which is a place as well.
    inside &= rows != -1
    plane = regions[:, :1].long() * channels + torch.arange(
        channels, device=grad.device
    )
    first = (plane * height * width)[:, :, None, None]
    top, bottom, share_bottom = _neighbours(rows, height)
    left, right, share_right = _neighbours(columns, width)
    flat = spread.view(-1)
    for row, share_of_row in ((top, 1 - share_bottom), (bottom, share_bottom)):
        for column, share in ((left, 1 - share_right), (right, share_right)):
            places = (first + row * width + column).flatten()
            flat.index_add_(0, places, (grad * share_of_row * share * inside).flatten())


# --- RoIPool --------------------------------------------------------------------------


def roi_pool_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax: Tensor,
    *,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """The largest pixel of each bin of each region; zero for a bin without pixels.

    Args:
        input: Features, (N, C, H, W).
        rois: Regions in pixels of the image, (R, 5), their last pixels included.
        output: Receives the pooled features, (R, C, P, Q).
        argmax: Receives the places of the maxima in a flattened feature map, or -1,
            (R, C, P, Q).
        pooled_height: P.
        pooled_width: Q.
        spatial_scale: Pixels of the feature map in one of the image.
    """
    features, regions = _as_computed(input, rois)
    height, width = features.shape[2:]
    output.zero_()
    argmax.fill_(-1)
    for i, region in enumerate(regions):
        x1, y1 = (region[1:3] * spatial_scale).unbind()
        x2, y2 = ((region[3:] + 1) * spatial_scale).unbind()
        if x2 <= x1 or y2 <= y1:
            continue
        top, in_row = _pixels_of_bins(y1, y2, pooled_height, height)
        left, in_column = _pixels_of_bins(x1, x2, pooled_width, width)
        window = features[int(region[0])].narrow(1, top, in_row.shape[1])
        window = window.narrow(2, left, in_column.shape[1])
        if window.numel() == 0:
            continue
        # The columns of each row first, then the rows: (C, H, Q), then (C, P, Q).
        values = window[:, :, None].where(in_column, -torch.inf)
        values, column = values.max(3)
        values = values[:, None].where(in_row[:, :, None], -torch.inf)
        values, row = values.max(2)
        column = column.gather(1, row) + left
        found = in_row.any(1)[:, None] & in_column.any(1)
        output[i] = values.where(found, 0)
        argmax[i] = ((row + top) * width + column).where(found, -1)


def _pixels_of_bins(
    start: Tensor, end: Tensor, bins: int, length: int
) -> tuple[int, Tensor]:
    """The first pixel of a region along a side, and which pixels are in which bin."""
    edges = _counted(bins + 1, start) * ((end - start) / bins) + start
    first = edges[:-1].floor().clamp(0, length)
    last = edges[1:].ceil().clamp(0, length)
    begin, stop = int(first[0]), int(last[-1])
    pixels = torch.arange(begin, max(stop, begin), device=start.device)
    return begin, (pixels >= first[:, None]) & (pixels < last[:, None])


def roi_pool_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax: Tensor,
    grad_input: Tensor,
    *,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Add the gradient of each maximum to its pixel of (N, C, H, W)."""
    channels, height, width = grad_input.shape[1:]
    plane = rois[:, :1].long() * channels + torch.arange(channels, device=rois.device)
    places = (plane * height * width)[:, :, None, None] + argmax.clamp(min=0)
    grad = (grad_output * (argmax >= 0)).flatten()
    grad_input.view(-1).index_add_(0, places.flatten(), grad)


# --- Suppression of boxes -------------------------------------------------------------


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Indices of the boxes that overlap no better one by more, best first.

    Args:
        boxes: Corners, (boxes, 4).
        scores: (boxes,).
        iou_threshold: The overlap that is still kept.
        offset: 1 where the corners are pixels that belong to the box, else 0.
    """
    boxes, scores = _as_computed(boxes, scores)
    if offset:
        boxes = boxes + boxes.new_tensor([0, 0, offset, offset])
    return _kernels.nms(boxes, scores, _of_float32(iou_threshold))


def softnms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Indices of the boxes that keep a score when better ones lower it, best first.

    Args:
        boxes: Corners, (boxes, 4), on the CPU.
        scores: (boxes,).
        dets: Receives the kept boxes and their lowered scores, (boxes, 5).
        iou_threshold: The overlap from which methods 0 and 1 lower a score.
        sigma: The width of method 2.
        min_score: Boxes whose score falls below are dropped.
        method: 0: to zero; 1: by the overlap; 2: by a Gaussian of the overlap.
        offset: 1 where the corners are pixels that belong to the box, else 0.

    Reference:
        Bodla et al., Soft-NMS, ICCV 2017, https://arxiv.org/abs/1704.04503
    """
    corners = boxes.detach().float().numpy()
    lowered = scores.detach().float().numpy().copy()
    order: np.ndarray = np.arange(len(corners))
    best = 0
    while best < len(order):
        # The places in `order` decide between equal scores, as in mmcv: swap, and let
        # the last fill the place of one that is dropped.
        winner = best + int(lowered[order[best:]].argmax())
        order[[best, winner]] = order[[winner, best]]
        rest = order[best + 1 :]
        overlap = _overlaps(corners[order[best]], corners[rest], offset)
        if method == 2:
            lowered[rest] *= np.exp(-(overlap**2) / np.float32(sigma))
        else:
            over = overlap >= np.float32(iou_threshold)
            lowered[rest[over]] *= 1 - overlap[over] if method == 1 else 0
        best += 1
        place = best
        while place < len(order):
            if lowered[order[place]] < np.float32(min_score):
                order[place] = order[-1]
                order = order[:-1]
            else:
                place += 1
    kept = torch.from_numpy(order)
    dets[: len(kept), :4] = boxes[kept]
    dets[: len(kept), 4] = torch.from_numpy(lowered[order])
    return kept


def nms_match(dets: Tensor, iou_threshold: float) -> list[list[int]]:
    """For each box that is kept, its index and those of the boxes it suppresses.

    Args:
        dets: Corners and scores, (boxes, 5), on the CPU.
        iou_threshold: The overlap from which a box is suppressed.
    """
    values = dets.detach().float()
    order = values[:, 4].sort(descending=True).indices.numpy()
    corners = values[:, :4].numpy()
    groups = []
    while len(order):
        overlap = _overlaps(corners[order[0]], corners[order[1:]], 0)
        near = overlap >= np.float32(iou_threshold)
        groups.append([int(order[0]), *order[1:][near].tolist()])
        order = order[1:][~near]
    return groups


def _overlaps(box: np.ndarray, boxes: np.ndarray, offset: int) -> np.ndarray:
    """Intersection over union of one box, (4,), with others, (boxes, 4)."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    shared = (high - low + offset).clip(min=0).prod(1)
    area = (box[2:] - box[:2] + offset).prod()
    areas = (boxes[:, 2:] - boxes[:, :2] + offset).prod(1)
    with np.errstate(divide='ignore', invalid='ignore'):  # boxes without an area
        return shared / (area + areas - shared)


# --- Deformable convolution -----------------------------------------------------------


def _geometry(
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: tuple[int, int],
) -> tuple[int, ...]:
    """The numbers of a deformable convolution in torchvision's order."""
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
        weight: (channels of the output, C / groups, kernel's height, kernel's width).
        offset: Rows and columns by which the samples are moved, (N, 2 * groups *
            samples of the kernel, height and width of the output).
        output: Receives the convolved features.
        columns: mmcv's working memory, not used.
        ones: The same.
        options: ``dH``, ``padW``, ``deformable_group`` and the others of mmcv.

    Reference:
        Dai et al., Deformable Convolutional Networks, ICCV 2017,
        https://arxiv.org/abs/1703.06211
    """
    arguments = _plain_deformation(input, weight, offset, options)
    output.copy_(_kernels.deform_conv2d(*arguments))


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
    """Write the gradients of the features and the offsets."""
    arguments = _plain_deformation(input, weight, offset, options)
    grads = _kernels._deform_conv2d_backward(*_as_computed(grad_output), *arguments)
    grad_input.copy_(grads[0])
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
    arguments = _plain_deformation(input, grad_weight, offset, options)
    grads = _kernels._deform_conv2d_backward(*_as_computed(grad_output), *arguments)
    grad_weight.add_(grads[1].to(grad_weight.dtype), alpha=scale)


def _plain_deformation(
    input: Tensor, weight: Tensor, offset: Tensor, options: dict[str, int]
) -> tuple:
    """The arguments of torchvision's kernel without a mask and a bias."""
    features, weight, offset = _as_computed(input, weight, offset)
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
        weight: (channels of the output, C / groups, kernel's height, kernel's width).
        bias: (channels of the output,); anything without ``with_bias``.
        ones: mmcv's working memory, not used.
        offset: As for :func:`deform_conv_forward`.
        mask: The weights of the samples, one where ``offset`` has two.
        output: Receives the convolved features.
        columns: mmcv's working memory, not used.
        options: ``stride_h``, ``pad_w``, ``deformable_group`` and the others of mmcv.

    Reference:
        Zhu et al., Deformable ConvNets v2, CVPR 2019, https://arxiv.org/abs/1811.11168
    """
    arguments = _masked_deformation(input, weight, bias, offset, mask, options)
    output.copy_(_kernels.deform_conv2d(*arguments))


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
    """Write the gradients of everything that enters the convolution."""
    arguments = _masked_deformation(input, weight, bias, offset, mask, options)
    grads = _kernels._deform_conv2d_backward(*_as_computed(grad_output), *arguments)
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
    """The arguments of torchvision's kernel with a mask."""
    if not options['with_bias']:
        bias = weight.new_zeros(len(weight))
    tensors = _as_computed(input, weight, offset, mask, bias)
    geometry = _geometry(
        (options['stride_h'], options['stride_w']),
        (options['pad_h'], options['pad_w']),
        (options['dilation_h'], options['dilation_w']),
        (options['group'], options['deformable_group']),
    )
    return *tensors, *geometry, True


# --- Convolution at some places -------------------------------------------------------


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
    """Write what the kernel sees of one image, (1, C, H, W), at some places.

    ``col`` receives (C * samples of the kernel, places).
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
    """Write (C, places) to these places of an image, (1, C, H, W)."""
    im[0, :, mask_h_idx, mask_w_idx] = col


# --- Deformable attention -------------------------------------------------------------


def ms_deform_attn_forward(
    value: Tensor,
    value_spatial_shapes: Tensor,
    value_level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    *,
    im2col_step: int,
) -> Tensor:
    """Deformable attention by mmcv's own PyTorch path; the arguments are mmcv's.

    Reference:
        Zhu et al., Deformable DETR, ICLR 2021, https://arxiv.org/abs/2010.04159
    """
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

    return multi_scale_deformable_attn_pytorch(
        value, value_spatial_shapes, sampling_locations, attention_weights
    )


def ms_deform_attn_backward(
    value: Tensor,
    value_spatial_shapes: Tensor,
    value_level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    grad_output: Tensor,
    grad_value: Tensor,
    grad_sampling_loc: Tensor,
    grad_attn_weight: Tensor,
    *,
    im2col_step: int,
) -> None:
    """Write the gradients of values, places and weights of the attention."""
    with torch.enable_grad():
        leaves = [
            tensor.detach().requires_grad_()
            for tensor in (value, sampling_locations, attention_weights)
        ]
        attended = ms_deform_attn_forward(
            leaves[0],
            value_spatial_shapes,
            value_level_start_index,
            *leaves[1:],
            im2col_step=im2col_step,
        )
        grads = torch.autograd.grad(attended, leaves, grad_output)
    for receiver, grad in zip(
        (grad_value, grad_sampling_loc, grad_attn_weight), grads, strict=True
    ):
        receiver.copy_(grad)


# --- Focal loss -----------------------------------------------------------------------


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
        target: Classes, (rows,); one that is none of them makes all negative.
        weight: Of the classes, (classes,), or empty.
        output: Receives the losses, (rows, classes).
        gamma: The exponent of what a class falls short.
        alpha: The share of the positive ones.

    Reference:
        Lin et al., Focal Loss for Dense Object Detection, ICCV 2017,
        https://arxiv.org/abs/1708.02002
    """
    (logits,) = _as_computed(input)
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
    """Write the gradient of the logits for a sum of the losses."""
    with torch.enable_grad():
        logits = _as_computed(input.detach())[0].requires_grad_()
        losses = _focal_losses(logits, target, weight, gamma, alpha)
        grad_input.copy_(torch.autograd.grad(losses.sum(), logits)[0])


def _focal_losses(
    logits: Tensor, target: Tensor, weight: Tensor, gamma: float, alpha: float
) -> Tensor:
    positive = target[:, None] == torch.arange(logits.shape[1], device=target.device)
    signed = logits.where(positive, -logits)
    # How far from its goal, and how likely the goal, in logarithms.
    loss = (-signed).sigmoid() ** gamma * -functional.logsigmoid(signed)
    loss = loss * torch.where(positive, alpha, 1 - alpha)
    if weight.numel():
        loss = loss * weight[target][:, None]
    return loss


# --- All others -----------------------------------------------------------------------

# Closed to torch.compile, as compiled operators are: it would trace loops over regions.
OPERATORS: dict[str, Callable] = {
    function.__name__: torch.compiler.disable(function)
    for function in (
        deform_conv_backward_input,
        deform_conv_backward_parameters,
        deform_conv_forward,
        masked_col2im_forward,
        masked_im2col_forward,
        modulated_deform_conv_backward,
        modulated_deform_conv_forward,
        ms_deform_attn_backward,
        ms_deform_attn_forward,
        nms,
        nms_match,
        roi_align_backward,
        roi_align_forward,
        roi_pool_backward,
        roi_pool_forward,
        sigmoid_focal_loss_backward,
        sigmoid_focal_loss_forward,
        softnms,
    )
}


def not_available(name: str) -> Callable:
    """What stands for an operator that is not here: it raises when it is called.

    Raises:
        AttributeError: The name is no operator's: it starts with an underscore.
    """
    if name.startswith('_'):
        raise AttributeError(name)

    def operator(*args: object, **kwargs: object) -> None:
        raise NotImplementedError(
            f'{name} is an operator of mmcv that has to be compiled, and the installed '
            f'mmcv has none that are: {how_to_compile()}'
        )

    operator.__name__ = name
    return operator


def how_to_compile() -> str:
    """The commands that install mmcv with compiled operators, for a message."""
    installed = (name for name in ('onedl-mmcv', 'mmcv', 'mmcv-lite') if _has(name))
    package = next(installed, 'onedl-mmcv').removesuffix('-lite')
    return (
        'compile it, for some minutes and by a C++ compiler (nvcc for a GPU). In a '
        'checkout of mmanon: MMCV_WITH_OPS=1 make setup; elsewhere: MMCV_WITH_OPS=1 '
        'pip install --force-reinstall --no-deps --no-build-isolation --no-cache-dir '
        f'--no-binary {package} {package}=={mmcv.__version__}, from PyTorch 2.14 on '
        'with c++20 for c++17 in its setup.py (docs/faq.md)'
    )


def _has(package: str) -> bool:
    try:
        return bool(metadata.version(package))
    except metadata.PackageNotFoundError:
        return False


def description() -> str:
    """What the log says where the stand-in is used."""
    return (
        'the installed mmcv has no compiled operators (mmcv._ext): torchvision '
        f'{torchvision.__version__} and PyTorch compute RoIAlign, RoIPool, NMS, '
        'deformable convolution and attention in their place'
    )
