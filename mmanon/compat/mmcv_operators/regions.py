"""RoIAlign and RoIPool: features of regions."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .shared import as_computed, counted, kernels

__all__ = [
    'roi_align_forward',
    'roi_align_backward',
    'roi_pool_forward',
    'roi_pool_backward',
]


# What mmcv's kernels write as the maximum of no samples.
_LOWEST = -10000.0


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
    """Write the mean or maximum of bilinear samples in each bin of each region.

    Args:
        input: Features, (N, C, H, W).
        rois: Regions in pixels of the image, (R, 5).
        output: Receives the pooled features, (R, C, P, Q).
        argmax_y: Receives the rows of the maxima in the feature map, (R, C, P, Q); not
            written for the mean.
        argmax_x: Receives the columns of the maxima, as ``argmax_y``.
        aligned_height: P.
        aligned_width: Q.
        spatial_scale: Pixels of the feature map per pixel of the image.
        sampling_ratio: Samples along a side of a bin; 0: the number of its pixels,
            rounded up.
        pool_mode: 0 for the maximum, 1 for the mean.
        aligned: Whether the centre of the first pixel is at 0.5, not at 0.
    """
    features, regions = as_computed(input, rois)
    bins = aligned_height, aligned_width
    if pool_mode == 1:
        pooled = kernels.roi_align(
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
    grad, regions = as_computed(grad_output, rois)
    bins = aligned_height, aligned_width
    if pool_mode == 0:
        spread = grad_input.to(grad.dtype)
        rows, columns = as_computed(argmax_y, argmax_x)
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
        spread = kernels._roi_align_backward(
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
    at: Tensor  # positions in the feature map, (samples of all bins,)
    weights: Tensor  # of the bilinear interpolation, (samples of all bins, H or W)


def _samples(
    region: Tensor,
    bins: tuple[int, int],
    shape: Sequence[int],
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> tuple[_Side, _Side]:
    """Return where RoIAlign samples one region: along the rows, along the columns."""
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
        bin_start = start + counted(count, region) * bin_size
        within = counted(samples, region) + 0.5
        at = (bin_start[:, None] + within * bin_size / max(samples, 1)).flatten()
        sides.append(_Side(count, at, _interpolation(at, length)))
    rows, columns = sides
    return rows, columns


def _interpolation(at: Tensor, length: int) -> Tensor:
    """Return the weights of the pixels, (samples, length).

    Samples more than one pixel outside of the feature map have only zeros.
    """
    inside = (at >= -1) & (at <= length)
    low, high, share = _neighbours(at, length)
    weights = at.new_zeros(len(at), length)
    weights.scatter_add_(1, low[:, None], ((1 - share) * inside)[:, None])
    weights.scatter_add_(1, high[:, None], (share * inside)[:, None])
    return weights


def _neighbours(at: Tensor, length: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the two pixels around positions on a side, and the second's weight."""
    at = at.clamp(0, length - 1)
    low = at.long()
    return low, (low + 1).clamp(max=length - 1), at - low


def _mean_of_bins(side: _Side) -> Tensor:
    """Return the weight of each pixel in the mean of a bin, (bins, H or W)."""
    by_bin = side.weights.unflatten(0, (side.bins, -1))
    return by_bin.sum(1) / max(by_bin.shape[1], 1)


def _maxima(
    features: Tensor, rows: _Side, columns: _Side
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the largest sample of each bin of one region, and its row and column."""
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
    """Add the gradients of samples at the given positions to (N, C, H, W)."""
    images, channels, height, width = spread.shape
    inside = (rows >= -1) & (rows <= height) & (columns >= -1) & (columns <= width)
    # Bins without samples are marked by -1, which is also a valid position.
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
    """Write the largest pixel of each bin of each region; 0 for a bin without pixels.

    Args:
        input: Features, (N, C, H, W).
        rois: Regions in pixels of the image including their last pixels, (R, 5).
        output: Receives the pooled features, (R, C, P, Q).
        argmax: Receives the index of each maximum in the flattened feature map, or -1,
            (R, C, P, Q).
        pooled_height: P.
        pooled_width: Q.
        spatial_scale: Pixels of the feature map per pixel of the image.
    """
    features, regions = as_computed(input, rois)
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
        # First over the columns of each row, then over the rows: (C, H, Q), (C, P, Q).
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
    """Return the first pixel of a region along a side, and the pixels of each bin."""
    edges = counted(bins + 1, start) * ((end - start) / bins) + start
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
