"""Maps positions in the original frame to positions in transformed frames.

Transforms of mmaction2 record the part of the frames that they keep
(``crop_quadruple``) and ``flip``; those of mmdet record the map from the pixels of the
image to the final ones (``homography_matrix``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

__all__ = ['ClipView', 'clip_views', 'inside', 'project']


class ClipView:
    """The region of the frame that one crop of a clip shows, its size and flips.

    Args:
        region: x, y, width and height of the crop in fractions of the frame.
        size: Width and height of the final frame in pixels.
        flips: Directions, ``'horizontal'`` or ``'vertical'``, applied after it.
    """

    def __init__(self, region: ArrayLike, size: ArrayLike, flips: list[str]) -> None:
        self.region = np.asarray(region, np.float64)
        self.size = np.asarray(size, np.float64)
        self.flips = flips

    def project(self, boxes: np.ndarray) -> np.ndarray:
        """Map boxes (k, 4) from fractions of the frame to pixels of the final frame."""
        points = (boxes.reshape(-1, 2, 2) - self.region[:2]) / self.region[2:]
        for direction in self.flips:
            axis = {'horizontal': 0, 'vertical': 1}[direction]
            points[..., axis] = 1 - points[:, ::-1, axis]
        return (points * self.size).reshape(-1, 4)


def clip_views(results: dict, num_frames: int) -> list[ClipView]:
    """Return the view of each crop of a clip.

    Args:
        results: Results of a pipeline of mmaction2.
        num_frames: Number of sampled frames.

    Returns:
        One view; three after ThreeCrop, ten after TenCrop.

    Raises:
        ValueError: If a transform has moved pixels without recording how.
    """
    size = np.array(results['img_shape'][::-1], np.float64)
    region = np.asarray(results.get('crop_quadruple', (0, 0, 1, 1)), np.float64)
    original = np.array(results['original_shape'][:2][::-1], np.float64)
    scale = np.asarray(results.get('scale_factor', (1, 1)), np.float64)
    flips = [results['flip_direction']] if results.get('flip') else []
    # Size of the frames after all resizing and the crops of `crop_quadruple` only.
    uncropped = original * region[2:] * scale

    count = _count_frames(results)
    crop_bbox = np.asarray(results.get('crop_bbox', ()))
    if count == num_frames and crop_bbox.ndim < 2:
        if np.abs(uncropped - size).max() > 1:
            raise ValueError(
                f'the frames have {size[0]:g}x{size[1]:g} pixels, but the recorded '
                f'crops and scales of the pipeline give {uncropped[0]:.1f}x'
                f'{uncropped[1]:.1f}: one of its transforms moves pixels without '
                'recording how, and LoadFaces cannot follow it'
            )
        return [ClipView(region, size, flips)]

    crops = count // num_frames
    if (
        crops not in (3, 10)
        or count != crops * num_frames
        or crop_bbox.shape != (count, 4)
    ):
        raise ValueError(
            f'LoadFaces cannot follow a pipeline that makes {count} frames of '
            f'{num_frames}: ThreeCrop or TenCrop must be its last crop'
        )
    views = []
    for crop in range(crops):
        x1, y1, x2, y2 = crop_bbox[crop * num_frames].astype(np.float64)
        # These crops are not in `crop_quadruple`; a resize may have come after them.
        extent = np.round(uncropped / (size / (x2 - x1, y2 - y1)))
        if x2 > extent[0] + 1 or y2 > extent[1] + 1:
            raise ValueError(
                f'a crop extends to {(x2, y2)} in frames of {tuple(extent)} pixels: a '
                'transform moves pixels without recording how, and LoadFaces cannot '
                'follow it'
            )
        corner = region[:2] + region[2:] * (x1, y1) / extent
        part = region[2:] * (x2 - x1, y2 - y1) / extent
        # TenCrop adds a mirrored copy after each of its five crops.
        mirrored = ['horizontal'] if crops == 10 and crop % 2 else []
        views.append(ClipView([*corner, *part], size, mirrored + flips))
    return views


def _count_frames(results: dict) -> int:
    """Count the frames in ``imgs``, a list or an array of FormatShape."""
    imgs, (h, w) = results['imgs'], results['img_shape'][:2]
    if isinstance(imgs, list | tuple):
        shape, count = imgs[0].shape[:2], len(imgs)
    else:
        shape = imgs.shape[1:3] if imgs.shape[-1] == 3 else imgs.shape[-2:]
        count = imgs.size // (3 * h * w)
    if tuple(shape) != (h, w):
        raise ValueError(
            f'the frames have {shape[1]}x{shape[0]} pixels, but img_shape is {w}x{h}: '
            'a transform resizes without recording it, and LoadFaces cannot follow it'
        )
    return count


def project(boxes: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Apply a homography (3, 3) to boxes (k, 4); the results enclose their corners."""
    corners = boxes[:, [0, 1, 2, 1, 0, 3, 2, 3]].reshape(-1, 4, 2)
    points = np.concatenate([corners, np.ones((len(boxes), 4, 1))], 2) @ matrix.T
    points = points[..., :2] / points[..., 2:]
    return np.concatenate([points.min(1), points.max(1)], 1)


def inside(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """Which boxes (k, 4) overlap the frame, bool (k,)."""
    some = (boxes[:, 2:] > 0) & (boxes[:, :2] < (width, height))
    return np.asarray(some.all(1))
