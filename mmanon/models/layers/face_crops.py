"""Differentiable crop and paste of faces, batched over all faces of all frames.

Shape letters: N clips, T frames of a clip, F = N * T frames, C channels, H W pixels of
a frame, K faces over all frames, S side of a face crop, P side of a window of pixels
that covers a face box.

Frames are a batch of images (F, C, H, W) or of clips (N, C, T, H, W), where frame ``t``
of clip ``n`` is frame ``n * T + t``. A box is ``(frame, x1, y1, x2, y2)``: the frame's
index and the box in pixels, where pixel ``i`` covers ``[i, i + 1]``. Boxes may extend
beyond their frame and may overlap. Keep boxes on the CPU: tensor shapes depend on their
values, and reading them from a GPU would wait for it. Pixels are resampled at least in
float32, also under autocast.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from mmanon.structures.crop_geometry import widest_feather

__all__ = [
    'crop_faces',
    'paste_faces',
    'resampling_weights',
    'square_boxes',
    'widest_feather',
]


def square_boxes(boxes: Tensor, margin: float) -> Tensor:
    """Turn face boxes into the squares that face crops show.

    Args:
        boxes (Tensor): Face boxes, (K, 5), as ``(frame, x1, y1, x2, y2)``.
        margin (float): Enlargement on each side, as a fraction of the longer side.

    Returns:
        Tensor: (K, 5), squares with the centres of the boxes and the side
        ``max(w, h) * (1 + 2 * margin)``.
    """
    centre = (boxes[:, 1:3] + boxes[:, 3:5]) / 2
    half = (boxes[:, 3:5] - boxes[:, 1:3]).amax(1, keepdim=True) * (0.5 + margin)
    return torch.cat([boxes[:, :1], centre - half, centre + half], dim=1)


def crop_faces(frames: Tensor, boxes: Tensor, size: int) -> Tensor:
    """Cut faces out of frames and resample them to one size.

    Resampling is bilinear, and widened to an area filter when it shrinks, so that all
    pixels of a large face count. Beyond the border of the frame the nearest pixel is
    repeated. A box at whole pixels with the side ``size`` is copied exactly.

    Args:
        frames (Tensor): (F, C, H, W) or (N, C, T, H, W), of any value range.
        boxes (Tensor): (K, 5), as ``(frame, x1, y1, x2, y2)`` in pixels.
        size (int): S, the side of the crops in pixels.

    Returns:
        Tensor: (K, C, S, S), differentiable in ``frames``.

    Raises:
        ValueError: If a shape is wrong, or a box is empty, not finite or in a frame
            that does not exist.

    Example:
        >>> frames = torch.rand(2, 3, 64, 64)
        >>> crop_faces(frames, torch.tensor([[1, 8., 8., 24., 24.]]), 16).shape
        torch.Size([1, 3, 16, 16])
    """
    boxes = _check(frames, boxes)
    flat = frames.reshape(-1)
    parts = [flat.new_zeros(0, frames.shape[1], size, size)]
    order = []
    for chosen, window in _windows_by_size(boxes):
        at = _place(frames, boxes[chosen], window)
        index = at.places(frames)
        pixels = flat.index_select(0, index.flatten()).view(index.shape)
        weights = resampling_weights(
            at.start.flatten(), at.side.flatten(), size, window
        ).view(-1, 2, size, window)
        parts.append(_resample(pixels, weights).transpose(1, 2).to(frames.dtype))
        order.append(chosen)
    faces = torch.cat(parts)
    if len(order) < 2:
        return faces
    back = torch.cat(order).argsort().to(faces.device, non_blocking=True)
    return faces.index_select(0, back)


def paste_faces(
    frames: Tensor, faces: Tensor, boxes: Tensor, feather: float = 0.0
) -> Tensor:
    """Paste face crops into frames.

    Inside a box the crop replaces the frame. The original stays visible only in the
    feather, a band along the inner edge of the box in which the crop fades out. Pixels
    outside all boxes stay bit-identical. Where boxes overlap, a pixel shows the crop in
    which it is deepest, independent of their order. So the margin of one crop does not
    show a neighbour that another crop has redrawn.

    Args:
        frames (Tensor): (F, C, H, W) or (N, C, T, H, W), of any value range.
        faces (Tensor): (K, C, S, S), in the value range of the frames.
        boxes (Tensor): (K, 5), as ``(frame, x1, y1, x2, y2)`` in pixels.
        feather (float): Width of the band as a fraction of the box's side, in
            [0, 0.5). See :func:`widest_feather`.

    Returns:
        Tensor: New frames of the same shape, differentiable in frames and faces.

    Raises:
        ValueError: As in :func:`crop_faces`, and when faces and boxes differ in number.

    Example:
        >>> frames = torch.rand(2, 3, 64, 64)
        >>> boxes = torch.tensor([[1, 8., 8., 24., 24.]])
        >>> faces = crop_faces(frames, boxes, 16)
        >>> torch.allclose(paste_faces(frames, faces, boxes), frames, atol=1e-6)
        True
    """
    boxes = _check(frames, boxes)
    if len(faces) != len(boxes):
        raise ValueError(f'{len(faces)} faces cannot fill {len(boxes)} boxes')
    if not len(boxes):
        return frames
    size, device = faces.shape[-1], frames.device
    painted, index, pixel, fade, rank = [], [], [], [], []
    for chosen, window in _windows_by_size(boxes):
        at = _place(frames, boxes[chosen], window)
        some = faces
        if len(chosen) < len(faces):
            some = faces.index_select(0, chosen.to(device, non_blocking=True))
        part = _resample(some.transpose(1, 2), _unsampling_weights(at, size))
        painted.append(part.to(frames.dtype))
        index.append(at.places(frames))
        pixel.append(at.pixel(frames).flatten())
        depth_x, depth_y = at.depth[:, 0, None, :], at.depth[:, 1, :, None]
        depth = torch.minimum(depth_x, depth_y)
        fade.append(_fade(depth, feather).flatten())
        # The sum breaks ties between neighbouring boxes with the same upper edge.
        rank.append((depth + 1e-3 * (depth_x + depth_y)).mul_(depth > 0).flatten())
    share, left = _shares(
        torch.cat(pixel), torch.cat(fade), torch.cat(rank), frames[:, 0].numel()
    )
    left = left.to(frames.dtype).view(len(frames), 1, *frames.shape[2:])
    shares = share.to(frames.dtype).split([places.numel() for places in pixel])
    pasted = frames * left
    for part, shown, places in zip(painted, shares, index, strict=True):
        part = part * shown.view(len(part), -1, 1, part.shape[-1])
        if torch.are_deterministic_algorithms_enabled():
            # This operation is deterministic on a GPU, too.
            flat = pasted.reshape(-1).index_add(0, places.flatten(), part.flatten())
            pasted = flat.view(pasted.shape)
            continue
        # In place on a whole tensor: for a view, the backward pass would copy it.
        pasted.put_(places, part, accumulate=True)
    return pasted


class _Windows(NamedTuple):
    """Windows of P x P pixels that cover boxes, on the frames' device.

    Attributes:
        start (Tensor): x and y of a box in its window, (K, 2).
        side (Tensor): Width and height of the box, (K, 2).
        depth (Tensor): Distance of columns and rows from the edge of the box, as a
            fraction of its side, (K, 2, P): 0 outside the box or the frame, 0.5 in the
            middle.
        frame (Tensor): Index of the frame, (K,) int64.
        columns (Tensor): Columns of the frame, (K, P) int64, clamped to the frame.
        rows (Tensor): Rows of the frame, (K, P) int64, clamped to the frame.
    """

    start: Tensor
    side: Tensor
    depth: Tensor
    frame: Tensor
    columns: Tensor
    rows: Tensor

    def pixel(self, frames: Tensor) -> Tensor:
        """Flat indices of the windows' pixels in (F, H, W), (K, P, P)."""
        height, width = frames.shape[-2:]
        rows = (self.frame[:, None] * height + self.rows) * width
        return rows[:, :, None] + self.columns[:, None]

    def places(self, frames: Tensor) -> Tensor:
        """Flat indices in the frames, (K, P, C, P): rows, channels, columns."""
        height, width = frames.shape[-2:]
        channels = frames.shape[1]
        length = frames.shape[2] if frames.ndim == 5 else 1
        clip, step = self.frame // length, self.frame % length
        first = (clip * channels * length + step) * height * width
        planes = torch.arange(channels, device=frames.device) * length * height * width
        rows = first[:, None] + self.rows * width
        return (rows[:, :, None] + planes)[..., None] + self.columns[:, None, None]


def _place(frames: Tensor, boxes: Tensor, window: int) -> _Windows:
    """Place windows of one size around boxes, without waiting for a device."""
    device = frames.device
    steps = torch.arange(window)
    corner = boxes[:, 1:3].floor() - 1
    start, side = boxes[:, 1:3] - corner, boxes[:, 3:] - boxes[:, 1:3]
    pixels = corner.long()[:, :, None] + steps
    bound = torch.tensor([frames.shape[-1], frames.shape[-2]])[:, None]
    low = steps + 0.5 - start[:, :, None]
    depth = torch.minimum(low, side[:, :, None] - low) / side[:, :, None]
    depth = depth.clamp(min=0) * ((pixels >= 0) & (pixels < bound))
    pixels = torch.minimum(pixels.clamp(min=0), bound - 1)
    dtype = torch.promote_types(frames.dtype, torch.float32)
    start, side, depth = (
        numbers.to(dtype).to(device, non_blocking=True)
        for numbers in (start, side, depth)
    )
    frame, columns, rows = (
        index.to(device, non_blocking=True)
        for index in (boxes[:, 0].long(), pixels[:, 0], pixels[:, 1])
    )
    return _Windows(start, side, depth, frame, columns, rows)


def _resample(pixels: Tensor, weights: Tensor) -> Tensor:
    """Resample rows and columns in full precision, also under autocast.

    Args:
        pixels (Tensor): Rows, channels, columns: (K, A, C, A).
        weights (Tensor): For columns and rows, (K, 2, B, A).

    Returns:
        Tensor: (K, B, C, B), of the type of ``weights``.
    """
    count, _, channels, side = pixels.shape
    to_x, to_y = weights.unbind(1)
    with torch.autocast(pixels.device.type, enabled=False):
        pixels = pixels.to(weights.dtype).reshape(count, side, channels * side)
        pixels = (to_y @ pixels).view(count, -1, side) @ to_x.transpose(1, 2)
    return pixels.view(count, to_y.shape[1], channels, -1)


def _fade(depth: Tensor, feather: float) -> Tensor:
    """Opacity of a crop at a depth, in [0, 1]; 0 outside its box."""
    return (depth / feather).clamp_(max=1) if feather else (depth > 0).to(depth)


def _shares(
    pixel: Tensor, fade: Tensor, rank: Tensor, count: int
) -> tuple[Tensor, Tensor]:
    """Weights of crops and frames in the pixels that crops cover.

    Args:
        pixel (Tensor): The frame pixel that each pixel of a crop covers, (n,) int64 in
            [0, count).
        fade (Tensor): Opacity of each pixel of a crop, (n,).
        rank (Tensor): The crop with the highest rank gets a frame pixel; crops of equal
            rank share it, (n,).
        count (int): Number of pixels of all frames.

    Returns:
        tuple[Tensor, Tensor]: The weight of each pixel of a crop, (n,), and the weight
        of each frame pixel, (count,): exactly 1 outside the boxes.
    """
    left = fade.new_ones(count).scatter_add_(0, pixel, -fade).clamp_(min=0)
    highest = rank.new_zeros(count).scatter_reduce_(0, pixel, rank, 'amax')
    wins = ((rank == highest.index_select(0, pixel)) & (rank > 0)).to(fade)
    winners = fade.new_zeros(count).scatter_add_(0, pixel, wins)
    covered = 1 - left.index_select(0, pixel)
    return covered * wins / winners.index_select(0, pixel).clamp_(min=1), left


def _check(frames: Tensor, boxes: Tensor) -> Tensor:
    if frames.ndim not in (4, 5):
        raise ValueError(
            f'frames must be (F, C, H, W) or (N, C, T, H, W), got {tuple(frames.shape)}'
        )
    if boxes.ndim != 2 or boxes.shape[1] != 5:
        raise ValueError(
            f'boxes must be (K, 5) as (frame, x1, y1, x2, y2), got {tuple(boxes.shape)}'
        )
    boxes = boxes.detach().to('cpu', torch.float64)
    wrong = ~boxes.isfinite().all(1)
    wrong |= (boxes[:, 3:] <= boxes[:, 1:3]).any(1)
    count = len(frames) if frames.ndim == 4 else frames.shape[0] * frames.shape[2]
    wrong |= (boxes[:, 0] < 0) | (boxes[:, 0] >= count)
    if wrong.any():
        raise ValueError(
            f'box {boxes[wrong][0].tolist()} is empty, not finite, or not in one of '
            f'the {count} frames; it must be (frame, x1, y1, x2, y2) in pixels'
        )
    return boxes


def _windows_by_size(boxes: Tensor) -> Iterator[tuple[Tensor, int]]:
    """Group boxes of similar size (up to a factor of sqrt(2)): (indices, P) each."""
    side = (boxes[:, 3:] - boxes[:, 1:3]).amax(1)
    group = (side.clamp(min=1).log2() * 2).ceil()
    for same in group.unique():
        chosen = (group == same).nonzero()[:, 0]
        # One pixel for a box that begins within a pixel, and one more on each side.
        yield chosen, math.ceil(side[chosen].max().item()) + 3


def resampling_weights(start: Tensor, side: Tensor, size: int, window: int) -> Tensor:
    """Weights of the pixels of a row in samples that are spaced evenly over a side.

    Bilinear, and widened to an area filter where a sample spans more than a pixel.

    Args:
        start (Tensor): Start of each side, in pixels of the row, (K,).
        side (Tensor): Length of each side in pixels, (K,).
        size (int): S, the number of samples on a side.
        window (int): P, the number of pixels in the row.

    Returns:
        Tensor: (K, S, P); the weights of each sample sum to 1.
    """
    step = (side / size)[:, None]
    sample = torch.arange(size, device=side.device) + 0.5
    return _triangle(start[:, None] + sample * step, step, window)


def _unsampling_weights(at: _Windows, size: int) -> Tensor:
    """Weights of a crop's samples in the pixels of its window, (K, 2, P, S)."""
    step = (at.side / size)[:, :, None]
    pixel = torch.arange(at.depth.shape[-1], device=step.device) + 0.5
    # Within half a sample of the crop's edge the outermost sample is repeated.
    place = ((pixel - at.start[:, :, None]) / step).clamp(0.5, size - 0.5)
    return _triangle(place, 1 / step, size)


def _triangle(centre: Tensor, reach: Tensor, count: int) -> Tensor:
    """Triangle weights of evenly spaced samples around centres; their sum is 1."""
    sample = torch.arange(count, device=centre.device) + 0.5
    away = (sample - centre[..., None]).abs_()
    weight = (1 - away / reach.clamp(min=1)[..., None]).clamp_(min=0)
    return weight / weight.sum(-1, keepdim=True)
