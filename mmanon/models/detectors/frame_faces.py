"""Which boxes of a batch's frames hold faces, and which nobody has examined.

Shape letters as in :mod:`mmanon.models.layers.face_crops`.
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
        boxes (Tensor): Of the faces, (K, 5) float64 as ``(frame, x1, y1, x2, y2)``,
            with the frame's index in the batch: frame ``t`` of clip ``n`` is frame
            ``n * T + t``.
        unexamined (Tensor): Boxes to fill, likewise.
        tracks (Tensor): (K,) int64, the same number for all faces of a track, counted
            from 0; a face without a track gets its own number.
    """

    boxes: Tensor
    unexamined: Tensor
    tracks: Tensor


def boxes_of_samples(inputs: Tensor, data_samples: Sequence[Any] | None) -> FrameFaces:
    """Boxes and tracks that data samples name, by the frames of the batch.

    Args:
        inputs (Tensor): Frames, (N, C, H, W), or clips, (N, C, T, H, W).
        data_samples (Sequence): One for each; their metainfo ``faces`` names boxes,
            (K, 5) as ``(frame, x1, y1, x2, y2)`` in pixels, with the frame's index in
            its clip; the optional ``covers``, (K,) bool, those that are no faces but
            frames that nobody has examined; and the optional ``face_tracks``, (K,), the
            numbers of tracks in this sample, or -1.

    Raises:
        KeyError: When a data sample has no ``faces``.
        ValueError: When ``covers`` or ``face_tracks`` and ``faces`` differ in length.
    """
    if data_samples is None or any('faces' not in sample for sample in data_samples):
        raise KeyError(
            'data samples name no `faces`, so faces would pass unseen: load them by '
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
    # A face of no track: a pair that no other has.
    alone = pairs[:, 1] < 0
    pairs[alone] = np.stack([np.full(alone.sum(), -1), np.arange(alone.sum())], 1)
    numbers = np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1)
    return FrameFaces(
        torch.from_numpy(all_boxes[~filled]),
        torch.from_numpy(all_boxes[filled]),
        torch.from_numpy(numbers.astype(np.int64)),
    )


def neighbours(boxes: Tensor, tracks: Tensor) -> Tensor:
    """Faces of a track that follow each other, in the frames that were sampled.

    Args:
        boxes (Tensor): (K, 5), as ``(frame, x1, y1, x2, y2)``.
        tracks (Tensor): (K,), as of :class:`FrameFaces`.

    Returns:
        Tensor: (P, 2) int64, places of the earlier and the later face of each pair.
    """
    order = torch.from_numpy(np.lexsort((boxes[:, 0].numpy(), tracks.numpy())))
    along = torch.stack([order[:-1], order[1:]], 1)
    return along[tracks[along[:, 0]] == tracks[along[:, 1]]]


def fill_boxes(inputs: Tensor, boxes: Tensor, color: Tensor) -> Tensor:
    """Frames in which boxes show one colour.

    Args:
        inputs (Tensor): Frames, (N, C, H, W), or clips, (N, C, T, H, W).
        boxes (Tensor): (K, 5), as ``(frame, x1, y1, x2, y2)`` in pixels. Whatever pixel
            they touch is filled, and one more on each side, into which resizing may
            have blended what they show.
        color (Tensor): (C,), in the frames' value range.

    Returns:
        Tensor: Of the shape of ``inputs``, which are not changed.
    """
    if not len(boxes):
        return inputs
    filled = inputs.clone()
    # (N, C, T, H, W) either way; a view, through which the frames are written.
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
