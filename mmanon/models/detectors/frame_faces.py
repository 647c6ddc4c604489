"""The face boxes and the unexamined frames of a batch.

Shape letters are those of :mod:`mmanon.models.layers.face_crops`.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

__all__ = ['FrameFaces', 'boxes_of_samples', 'fill_boxes', 'neighbours']


class FrameFaces(NamedTuple):
    """The faces in the frames of a batch.

    Attributes:
        boxes (Tensor): Face boxes, (K, 5) float64 as ``(frame, x1, y1, x2, y2)``, with
            the frame's index in the batch: frame ``t`` of clip ``n`` is frame
            ``n * T + t``.
        unexamined (Tensor): Boxes to fill, in the same format.
        tracks (Tensor): Track numbers from 0, (K,) int64; a face without a track has a
            number of its own.
    """

    boxes: Tensor
    unexamined: Tensor
    tracks: Tensor


def boxes_of_samples(inputs: Tensor, data_samples: Sequence[Any] | None) -> FrameFaces:
    """Collect the boxes and tracks of data samples for the frames of the batch.

    Args:
        inputs (Tensor): Frames, (N, C, H, W), or clips, (N, C, T, H, W).
        data_samples (Sequence): N data samples. Their metainfo ``faces`` holds boxes,
            (K, 5) as ``(frame, x1, y1, x2, y2)`` in pixels, with the frame's index in
            its clip. ``covers``, (K,) bool, optional, marks boxes that are not faces
            but unexamined frames. ``face_tracks``, (K,), optional, holds track numbers
            within the sample, or -1 for no track.

    Raises:
        KeyError: If a data sample has no ``faces``.
        ValueError: If ``covers`` or ``face_tracks`` differ from ``faces`` in length.
    """
    if data_samples is None or any('faces' not in sample for sample in data_samples):
        raise KeyError(
            'data samples have no `faces`, so faces would stay visible: load them by '
            'mmanon.LoadFaces before the packing transform, as the '
            'AdversarialAnonymizationHook does'
        )
    length = inputs.shape[2] if inputs.ndim == 5 else 1
    boxes, covers, tracks = [], [], []
    for index, sample in enumerate(data_samples):
        named = np.asarray(sample.metainfo['faces'], dtype=np.float64).reshape(-1, 5)
        marked = sample.metainfo.get('covers', np.zeros(len(named)))
        along = sample.metainfo.get('face_tracks', np.full(len(named), -1))
        for key, given in (('covers', marked), ('face_tracks', along)):
            if len(given) != len(named):
                raise ValueError(
                    f'a data sample has {len(named)} `faces`, but {len(given)} '
                    f'`{key}`: there must be one for each'
                )
        boxes.append(named + [index * length, 0, 0, 0, 0])
        covers.append(np.asarray(marked, dtype=bool))
        own = np.asarray(along, dtype=np.int64).reshape(-1)
        tracks.append(np.stack([np.full_like(own, index), own], 1))
    all_boxes, filled = np.concatenate(boxes), np.concatenate(covers)
    pairs = np.concatenate(tracks)[~filled]
    # A face without a track gets a pair that no other face has.
    alone = pairs[:, 1] < 0
    pairs[alone] = np.stack([np.full(alone.sum(), -1), np.arange(alone.sum())], 1)
    numbers = np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1)
    return FrameFaces(
        torch.from_numpy(all_boxes[~filled]),
        torch.from_numpy(all_boxes[filled]),
        torch.from_numpy(numbers.astype(np.int64)),
    )


def neighbours(boxes: Tensor, tracks: Tensor) -> Tensor:
    """Find consecutive faces of each track in the sampled frames.

    Args:
        boxes (Tensor): (K, 5), as ``(frame, x1, y1, x2, y2)``.
        tracks (Tensor): Track numbers as in :class:`FrameFaces`, (K,).

    Returns:
        Tensor: Indices of the earlier and the later face of each pair, (P, 2) int64.
    """
    order = torch.from_numpy(np.lexsort((boxes[:, 0].numpy(), tracks.numpy())))
    along = torch.stack([order[:-1], order[1:]], 1)
    return along[tracks[along[:, 0]] == tracks[along[:, 1]]]


def fill_boxes(inputs: Tensor, boxes: Tensor, color: Tensor) -> Tensor:
    """Fill boxes with one colour.

    Args:
        inputs (Tensor): Frames, (N, C, H, W), or clips, (N, C, T, H, W).
        boxes (Tensor): (K, 5), as ``(frame, x1, y1, x2, y2)`` in pixels. All pixels
            that they touch are filled, and one more on each side, because resizing may
            have blended the content of the box into it.
        color (Tensor): (C,), in the value range of the frames.

    Returns:
        Tensor: New frames of the same shape; ``inputs`` itself if there are no boxes.
    """
    if not len(boxes):
        return inputs
    filled = inputs.clone()
    # A view of shape (N, C, T, H, W) in both cases; writing to it changes `filled`.
    clips = filled if filled.ndim == 5 else filled[:, :, None]
    length = clips.shape[2]
    color = color.to(clips)[:, None, None]
    low = (boxes[:, 1:3].floor() - 1).clamp(min=0)
    high = boxes[:, 3:5].ceil() + 1
    for frame, (left, top), (right, bottom) in zip(
        boxes[:, 0].long().tolist(),
        low.long().tolist(),
        high.long().tolist(),
        strict=True,
    ):
        clip, step = divmod(frame, length)
        clips[clip, :, step, top:bottom, left:right] = color
    return filled
