"""NMS, soft NMS and the groups of NMS."""

import numpy as np
import torch
from torch import Tensor

from .shared import as_computed, kernels, of_float32

__all__ = ['nms', 'softnms', 'nms_match']


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Return the indices of the kept boxes, best first.

    A box is kept if it overlaps no kept box with a higher score by more than the
    threshold.

    Args:
        boxes: Corners, (boxes, 4).
        scores: Scores, (boxes,).
        iou_threshold: Largest overlap of boxes that are kept.
        offset: 1 if the last pixels belong to the box, otherwise 0.
    """
    boxes, scores = as_computed(boxes, scores)
    if offset:
        boxes = boxes + boxes.new_tensor([0, 0, offset, offset])
    return kernels.nms(boxes, scores, of_float32(iou_threshold))


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
    """Return the indices of the kept boxes, best first.

    Each box lowers the scores of the boxes that it overlaps and that are worse. Boxes
    whose score falls below ``min_score`` are removed.

    Args:
        boxes: Corners on the CPU, (boxes, 4).
        scores: Scores on the CPU, (boxes,).
        dets: Receives the kept boxes and their lowered scores, (boxes, 5).
        iou_threshold: Smallest overlap at which methods 0 and 1 lower a score.
        sigma: Width of the Gaussian of method 2.
        min_score: Lowest score of the boxes that are kept.
        method: How a score is lowered. 0: to zero; 1: by the overlap; 2: by a Gaussian
            of the overlap.
        offset: 1 if the last pixels belong to the box, otherwise 0.

    Reference:
        Bodla et al., Soft-NMS, ICCV 2017, https://arxiv.org/abs/1704.04503
    """
    corners = boxes.detach().float().numpy()
    lowered = scores.detach().float().numpy().copy()
    order: np.ndarray = np.arange(len(corners))
    best = 0
    while best < len(order):
        # As in mmcv, the positions in `order` decide between equal scores: the best is
        # swapped to the front, and the last box replaces a removed one.
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
    """Return, for each kept box, its index and those of the boxes it suppresses.

    Args:
        dets: Corners and scores on the CPU, (boxes, 5).
        iou_threshold: Smallest overlap at which a box is suppressed.
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
    """Compute the IoU of one box, (4,), with others, (boxes, 4)."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    shared = (high - low + offset).clip(min=0).prod(1)
    area = (box[2:] - box[:2] + offset).prod()
    areas = (boxes[:, 2:] - boxes[:, :2] + offset).prod(1)
    with np.errstate(divide='ignore', invalid='ignore'):  # boxes without an area
        return shared / (area + areas - shared)
