"""Differentiable crop and paste of faces, batched over all faces of all frames.

Shape letters: N clips, T frames of a clip, F = N * T frames, C channels, H W pixels of
a frame, K faces over all frames, S side of a face crop, P side of a window of pixels
that covers a face box.

Frames come as a batch of images (F, C, H, W) or of clips (N, C, T, H, W), where frame
``t`` of clip ``n`` is frame ``n * T + t``. A box is ``(frame, x1, y1, x2, y2)``: the
frame's index and the box in pixels, where pixel ``i`` covers ``[i, i + 1]``. Boxes may
leave their frame, and may overlap. Boxes are best kept on the CPU: the shapes of the
work depend on their values, and reading them from a GPU would wait for it.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

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
        margin (float): By how much of the longer side the square is enlarged on each
            side.

    Returns:
        Tensor: (K, 5), squares with the centres of the boxes and the side
        ``max(w, h) * (1 + 2 * margin)``.
    """
    centre = (boxes[:, 1:3] + boxes[:, 3:5]) / 2
    half = (boxes[:, 3:5] - boxes[:, 1:3]).amax(1, keepdim=True) * (0.5 + margin)
    return torch.cat([boxes[:, :1], centre - half, centre + half], dim=1)


def widest_feather(margin: float) -> float:
    """The widest feather, as a fraction of a crop's side, that spares the face box."""
    return margin / (1 + 2 * margin)


def crop_faces(frames: Tensor, boxes: Tensor, size: int) -> Tensor:
    """Cut faces out of frames and resample them to one size.

    Resampling is bilinear, widened to an area filter where it shrinks, so that no
    pixel of a large face is skipped. Beyond the frame's border the nearest pixel is
    repeated. A box that lies on whole pixels with a side of ``size`` is cut exactly.

    Args:
        frames (Tensor): (F, C, H, W) or (N, C, T, H, W), of any value range.
        boxes (Tensor): (K, 5), as ``(frame, x1, y1, x2, y2)`` in pixels.
        size (int): S.

    Returns:
        Tensor: (K, C, S, S), differentiable in ``frames``.

    Raises:
        ValueError: When a box is empty, not finite or names a frame that is not there.

    Example:
        >>> frames = torch.rand(2, 3, 64, 64)
        >>> crop_faces(frames, torch.tensor([[1, 8., 8., 24., 24.]]), 16).shape
        torch.Size([1, 3, 16, 16])
    """
    boxes = _check(frames, boxes)
    origin, planes = _layout(frames)
    height, width = frames.shape[-2:]
    flat = frames.reshape(-1)
    faces = flat.new_zeros(len(boxes), len(planes), size, size)
    for chosen, window in _windows_by_size(boxes):
        some = boxes[chosen]
        frame, xs, ys = _window_pixels(some, window)
        to_x = resampling_weights(
            some[:, 1] - xs[:, 0], some[:, 3] - some[:, 1], size, window
        )
        to_y = resampling_weights(
            some[:, 2] - ys[:, 0], some[:, 4] - some[:, 2], size, window
        )
        index = ys.clamp(0, height - 1)[:, :, None] * width
        index = index + xs.clamp(0, width - 1)[:, None] + origin[frame][:, None, None]
        index = index[:, None] + planes[:, None, None]
        to_x, to_y = to_x.to(frames)[:, None], to_y.to(frames)[:, None]
        pixels = flat.index_select(0, index.flatten().to(flat.device))
        part = to_y @ pixels.view(index.shape) @ to_x.transpose(2, 3)
        faces = faces.index_copy(0, chosen.to(flat.device), part.to(faces.dtype))
    return faces


def paste_faces(
    frames: Tensor, faces: Tensor, boxes: Tensor, feather: float = 0.0
) -> Tensor:
    """Put face crops back in the place of what their boxes show.

    Inside a box the frame is replaced, never added to, so nothing of what was there
    stays visible but in the feather: a band along the box's inner edge in which the
    crop fades out. Outside all boxes a frame stays bit-identical. Where boxes overlap,
    their crops are mixed by weight, whatever their order.

    Args:
        frames (Tensor): (F, C, H, W) or (N, C, T, H, W), of any value range.
        faces (Tensor): (K, C, S, S), in the frames' value range.
        boxes (Tensor): (K, 5), as ``(frame, x1, y1, x2, y2)`` in pixels.
        feather (float): Width of the band as a fraction of the box's side, in
            [0, 0.5). See :func:`widest_feather`.

    Returns:
        Tensor: Of the shape of ``frames``, differentiable in frames and faces.

    Raises:
        ValueError: As :func:`crop_faces`, and when faces and boxes differ in number.

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
    origin, planes = _layout(frames)
    height, width = frames.shape[-2:]
    size = faces.shape[-1]
    painted, fades, index, plane_index = [], [], [], []
    for chosen, window in _windows_by_size(boxes):
        some = boxes[chosen]
        frame, xs, ys = _window_pixels(some, window)
        from_x, fade_x = _unsampling(xs, some[:, 1], some[:, 3], size, feather, width)
        from_y, fade_y = _unsampling(ys, some[:, 2], some[:, 4], size, feather, height)
        fade = torch.minimum(fade_y[:, :, None], fade_x[:, None, :]).flatten()
        seen = fade.nonzero()[:, 0]
        pixel = ys[:, :, None] * width + xs[:, None]
        index.append((pixel + origin[frame][:, None, None]).flatten()[seen])
        plane = frame * height * width
        plane_index.append((pixel + plane[:, None, None]).flatten()[seen])
        fades.append(fade[seen])
        from_x, from_y = from_x.to(frames)[:, None], from_y.to(frames)[:, None]
        part = from_y @ faces[chosen.to(faces.device)].to(frames.dtype)
        part = (part @ from_x.transpose(2, 3)).transpose(0, 1)
        painted.append(part.flatten(1).index_select(1, seen.to(frames.device)))
    # What is left of the frame: 1 outside the boxes, where pixels keep every bit.
    fade, plane = torch.cat(fades), torch.cat(plane_index)
    weight = fade.new_zeros(len(origin) * height * width).index_add(0, plane, fade)
    share = fade / weight[plane].clamp(min=1)
    left = (1 - weight.clamp(max=1)).to(frames)
    left = left.view(len(frames), 1, -1, height, width).view_as(frames[:, :1])
    index = (torch.cat(index) + planes[:, None]).flatten().to(frames.device)
    painted = torch.cat(painted, 1) * share.to(frames)
    pasted = (frames * left).flatten().scatter_add(0, index, painted.flatten())
    return pasted.view(frames.shape)


def _layout(frames: Tensor) -> tuple[Tensor, Tensor]:
    """Where each frame (F,) and each channel (C,) begins in the flattened frames."""
    if frames.ndim == 4:
        count, channels, height, width = frames.shape
        plane = height * width
        return torch.arange(count) * channels * plane, torch.arange(channels) * plane
    count, channels, length, height, width = frames.shape
    plane = height * width
    clips = torch.arange(count)[:, None] * channels * length * plane
    origin = (clips + torch.arange(length) * plane).flatten()
    return origin, torch.arange(channels) * length * plane


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
    """Group faces whose windows differ by less than a half: (indices, P) each."""
    side = (boxes[:, 3:] - boxes[:, 1:3]).amax(1)
    group = (side.clamp(min=1).log2() * 2).ceil()
    for one in group.unique():
        chosen = (group == one).nonzero()[:, 0]
        # One pixel for a box that begins within a pixel, one of overlap on each side.
        yield chosen, math.ceil(side[chosen].max().item()) + 3


def _window_pixels(boxes: Tensor, window: int) -> tuple[Tensor, Tensor, Tensor]:
    """Frames (K,), columns (K, P) and rows (K, P) of the windows around boxes."""
    steps = torch.arange(window)
    left = boxes[:, 1].floor().long() - 1
    top = boxes[:, 2].floor().long() - 1
    return boxes[:, 0].long(), left[:, None] + steps, top[:, None] + steps


def resampling_weights(start: Tensor, side: Tensor, size: int, window: int) -> Tensor:
    """Weights of a row's pixels in the samples that are spread evenly over a side.

    Bilinear, widened to an area filter where a sample spans more than a pixel.

    Args:
        start (Tensor): Where each side begins, (K,), in pixels of the row.
        side (Tensor): How long it is, (K,), in pixels.
        size (int): S, samples over a side.
        window (int): P, pixels of the row.

    Returns:
        Tensor: (K, S, P), each sample's weights summing to 1.
    """
    step = side / size
    centre = start[:, None] + (torch.arange(size) + 0.5) * step[:, None]
    pixel = torch.arange(window) + 0.5
    reach = step.clamp(min=1)[:, None, None]
    weight = (1 - (pixel - centre[:, :, None]).abs() / reach).clamp(min=0)
    return weight / weight.sum(2, keepdim=True)


def _unsampling(
    pixels: Tensor, low: Tensor, high: Tensor, size: int, feather: float, bound: int
) -> tuple[Tensor, Tensor]:
    """Weights (K, P, S) of a crop's samples in a window's pixels, and the fade (K, P).

    The fade is 0 at pixels outside the box or the frame.
    """
    side = high - low
    step = (side / size)[:, None]
    place = pixels + 0.5
    position = (place - low[:, None]) / step
    sample = torch.arange(size) + 0.5
    reach = (1 / step).clamp(min=1)[:, :, None]
    # Half a sample beyond the crop's edge the last sample holds.
    position = position.clamp(0.5, size - 0.5)
    weight = (1 - (sample - position[:, :, None]).abs() / reach).clamp(min=0)
    depth = torch.minimum(place - low[:, None], high[:, None] - place)
    fade = depth / (side[:, None] * feather) if feather else torch.ones_like(depth)
    fade = fade.clamp(0, 1) * (depth > 0) * (pixels >= 0) * (pixels < bound)
    return weight / weight.sum(2, keepdim=True), fade
