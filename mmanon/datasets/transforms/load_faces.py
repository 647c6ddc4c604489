"""The faces of a sample's frames, carried through its pipeline.

mmaction2's transforms record what they keep of the frames (``crop_quadruple`` and
``flip``), mmdet's the map from the image's pixels to the final ones
(``homography_matrix``): the boxes, known as fractions of the frame, are put through
that once at the end.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.dataset import BaseDataset
from mmengine.logging import MMLogger

from mmanon.registry import TRANSFORMS

from ..face_table import FaceTable

_VIDEO_EXTENSION = re.compile(r'\.(mp4|avi|mkv|webm|mov|m4v|mpe?g|wmv|flv|3gp)$', re.I)
_PACKERS = {'PackActionInputs', 'PackDetInputs'}
_CROPS = {
    'CenterCrop',
    'MultiScaleCrop',
    'RandomCrop',
    'RandomResizedCrop',
    'TenCrop',
    'ThreeCrop',
}
# Transforms that move pixels and do not record how.
_UNCARRIED = {
    'mmaction': {'ImgAug', 'MMCompact', 'PoseCompact', 'PytorchVideoWrapper'},
    'mmcv': {'CenterCrop', 'RandomFlip', 'Resize'},
    'mmdet': {
        'Albu',
        'CachedMixUp',
        'CachedMosaic',
        'CopyPaste',
        'CutHeight',
        'Expand',
        'InstaBoost',
        'MinIoURandomCrop',
        'MixUp',
        'Mosaic',
        'MultiBranch',
        'RandomAffine',
        'RandomCenterCropPad',
        'RandomShift',
    },
}
_STATIONARY_TORCHVISION = {
    'ColorJitter',
    'GaussianBlur',
    'Grayscale',
    'RandomAdjustSharpness',
    'RandomAutocontrast',
    'RandomEqualize',
    'RandomErasing',
    'RandomGrayscale',
    'RandomInvert',
    'RandomPosterize',
    'RandomSolarize',
}
_KNOWN_PACKAGES = {'mmaction', 'mmanon', 'mmcv', 'mmdet', 'mmengine'}


@TRANSFORMS.register_module()
class LoadFaces(BaseTransform):
    """Add the faces of the sampled frames, in pixels of the frames as they are now.

    It stands right before the packing transform; :func:`insert_load_faces` puts it
    there. A frame that the table does not know is covered as a whole, see
    :meth:`mmanon.datasets.FaceTable.lookup`.

    Required Keys of a clip (mmaction2):

    - imgs, img_shape, original_shape, frame_inds
    - video_id, frame_dir or filename
    - offset, scale_factor, crop_quadruple, crop_bbox, flip, flip_direction (optional)

    Required Keys of an image (mmdet), which is the frame whose number ends its name:

    - img_path, img_shape, ori_shape
    - homography_matrix (optional)

    Added Keys:

    - faces: float32 (K, 5), the frame's position in ``imgs`` as the pipeline produced
      them (crops first, then clips, then frames), and x1, y1, x2, y2 in pixels of that
      frame. A box may leave its frame; one wholly outside is left out.

    Args:
        face_table: Parquet file made by ``tools/detect_faces.py``.

    Raises:
        KeyError: If a video is not in the table.
        ValueError: If the pipeline has moved pixels without recording how.
    """

    def __init__(self, face_table: str) -> None:
        self.table = FaceTable(face_table)
        self._names: dict[str, str] = {}

    def transform(self, results: dict) -> dict:
        """Add ``faces`` to ``results``."""
        if 'frame_inds' in results:
            results['faces'] = self._clip_faces(results)
        elif isinstance(results.get('img_path'), str):
            results['faces'] = self._image_faces(results)
        else:
            raise ValueError(
                'LoadFaces needs "frame_inds" (a clip of mmaction2) or "img_path" (an '
                f'image of mmdet) in the results; they have {sorted(results)}'
            )
        return results

    def video_name(self, info: Mapping[str, Any]) -> str:
        """The table's name of the video a sample belongs to.

        It is the sample's ``video_id``, or else the longest ending of its path that the
        table knows.

        Args:
            info: A data set's record or a pipeline's results.

        Raises:
            KeyError: If the table has no such video.
        """
        candidates = list(_video_candidates(info))
        key = candidates[0]
        if key not in self._names:
            known = (name for name in candidates if name in self.table)
            name = next(known, None)
            if name is None:
                self.table.check([key])
            self._names[key] = name
        return self._names[key]

    def _clip_faces(self, results: dict) -> np.ndarray:
        if results.get('modality', 'RGB') != 'RGB':
            raise ValueError(
                f'LoadFaces works on RGB frames, got modality {results["modality"]!r}'
            )
        needed = {'imgs', 'img_shape', 'original_shape'} - set(results)
        if needed:
            raise ValueError(
                f'LoadFaces needs {sorted(needed)} in the results of a clip; the '
                'decoding transforms of mmaction2 add them'
            )
        if 'lazy' in results:
            raise ValueError('LoadFaces needs Fuse between lazy transforms and itself')
        video = self.video_name(results)
        # What the decoder read: RawFrameDecode adds the offset to its files' numbers.
        numbers = np.asarray(results['frame_inds']).reshape(-1)
        if 'frame_dir' in results:
            numbers = numbers + results.get('offset', 0)
        views = _clip_views(results, len(numbers))
        h, w = results['img_shape']
        found: dict[int, np.ndarray] = {}
        for number in set(numbers.tolist()):
            found[number] = self.table.lookup(video, number).boxes
        rows = [np.zeros((0, 5), np.float32)]
        for v, view in enumerate(views):
            for t, number in enumerate(numbers.tolist()):
                boxes = _inside(view.project(found[number]), h, w)
                position = np.full((len(boxes), 1), v * len(numbers) + t)
                rows.append(np.hstack([position, boxes]))
        return np.concatenate(rows).astype(np.float32)

    def _image_faces(self, results: dict) -> np.ndarray:
        path = results['img_path']
        number = re.search(r'(\d+)$', os.path.splitext(os.path.basename(path))[0])
        if number is None:
            raise ValueError(
                f'LoadFaces takes the frame from the number at the end of the file '
                f'name, {path} has none'
            )
        video = self.video_name({'img_path': path})
        h, w = results['ori_shape'][:2]
        matrix = results.get('homography_matrix')
        if matrix is None:
            # Padding leaves the pixels where they are.
            padded = tuple(results.get('pad_shape', ())[:2])
            if tuple(results['img_shape'][:2]) not in ((h, w), padded):
                raise ValueError(
                    f'{path}: the image went from {(h, w)} to '
                    f'{tuple(results["img_shape"])} pixels and no transform recorded a '
                    'homography_matrix; use the resizing and cropping transforms of '
                    'mmdet'
                )
            matrix = np.eye(3)
        matrix = np.asarray(matrix, np.float64)
        if matrix.shape != (3, 3):
            raise ValueError(
                f'{path}: homography_matrix has shape {matrix.shape}, not (3, 3)'
            )
        boxes = self.table.lookup(video, int(number.group(1))).boxes * [w, h, w, h]
        boxes = _inside(_project(boxes, matrix), *results['img_shape'][:2])
        rows = np.hstack([np.zeros((len(boxes), 1)), boxes])
        return rows.astype(np.float32)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(face_table={self.table.path!r})'


def insert_load_faces(dataset: Any, face_table: str) -> None:
    """Make a built data set deliver its samples' faces as the metainfo ``faces``.

    Puts :class:`LoadFaces` right before the packing transform of the pipeline and adds
    ``faces`` to the packed meta keys; where that is done already, nothing changes.
    Makes sure beforehand that the table has all videos of the data set and that the
    boxes can be carried through the pipeline.

    Args:
        dataset: A data set of mmaction2 or mmdet, or a wrapper around some
            (concatenated, repeated, class-balanced).
        face_table: Parquet file made by ``tools/detect_faces.py``.

    Raises:
        KeyError: If videos of the data set are not in the table.
        ValueError: If the pipeline has no packing transform, or one of its transforms
            moves pixels without recording how.
        TypeError: If ``dataset`` is of an unknown kind.
    """
    for leaf in _leaves(dataset):
        transforms = leaf.pipeline.transforms
        packers = [i for i, t in enumerate(transforms) if _names(t) & _PACKERS]
        if not packers:
            raise ValueError(
                f'the pipeline of {type(leaf).__name__} has no packing transform '
                f'({" or ".join(sorted(_PACKERS))}) to put LoadFaces before; it is '
                f'{[type(t).__name__ for t in transforms]}'
            )
        _check_carried(transforms[: packers[-1]])
        present = [t for t in transforms if isinstance(t, LoadFaces)]
        loader = present[0] if present else LoadFaces(face_table)
        _check_videos(leaf, loader)
        if not present:
            transforms.insert(packers[-1], loader)
        packer = next(t for t in transforms[::-1] if _names(t) & _PACKERS)
        if 'faces' not in packer.meta_keys:
            packer.meta_keys = (*packer.meta_keys, 'faces')


class _ClipView:
    """Where one crop of a clip lies in the frame, and what became of it.

    Args:
        region: x, y, width and height of the crop in fractions of the frame.
        size: Width and height of the final frame in pixels.
        flips: Directions, ``'horizontal'`` or ``'vertical'``, applied after it.
    """

    def __init__(
        self, region: Iterable[float], size: tuple[float, float], flips: list[str]
    ) -> None:
        self.region = np.asarray(region, np.float64)
        self.size = np.asarray(size, np.float64)
        self.flips = flips

    def project(self, boxes: np.ndarray) -> np.ndarray:
        """Boxes (k, 4) in fractions of the frame as pixels of the final one."""
        points = (boxes.reshape(-1, 2, 2) - self.region[:2]) / self.region[2:]
        for direction in self.flips:
            axis = {'horizontal': 0, 'vertical': 1}[direction]
            points[..., axis] = 1 - points[:, ::-1, axis]
        return (points * self.size).reshape(-1, 4)


def _clip_views(results: dict, num_frames: int) -> list[_ClipView]:
    """What each crop of a clip (three for ThreeCrop, else one) shows of the frame."""
    size = np.array(results['img_shape'][::-1], np.float64)
    region = np.asarray(results.get('crop_quadruple', (0, 0, 1, 1)), np.float64)
    original = np.array(results['original_shape'][:2][::-1], np.float64)
    scale = np.asarray(results.get('scale_factor', (1, 1)), np.float64)
    flips = [results['flip_direction']] if results.get('flip') else []
    # Size of the frames after all resizing, with the crops of `crop_quadruple` alone.
    uncropped = original * region[2:] * scale

    count = _count_frames(results)
    crop_bbox = np.asarray(results.get('crop_bbox', ()))
    if count == num_frames and crop_bbox.ndim < 2:
        if np.abs(uncropped - size).max() > 1:
            raise ValueError(
                f'the frames are {size[0]:g}x{size[1]:g} pixels, but what the pipeline '
                f'recorded of its crops and scales makes {uncropped[0]:.1f}x'
                f'{uncropped[1]:.1f}: one of its transforms moves pixels without '
                'recording how, LoadFaces cannot follow it'
            )
        return [_ClipView(region, size, flips)]

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
                f'a crop reaches to {(x2, y2)} in frames of {tuple(extent)} pixels: a '
                'transform moves pixels without recording how, LoadFaces cannot follow'
            )
        corner = region[:2] + region[2:] * (x1, y1) / extent
        part = region[2:] * (x2 - x1, y2 - y1) / extent
        # TenCrop follows each of its five crops by the same one mirrored.
        mirrored = ['horizontal'] if crops == 10 and crop % 2 else []
        views.append(_ClipView([*corner, *part], size, mirrored + flips))
    return views


def _count_frames(results: dict) -> int:
    """How many frames ``imgs`` holds, as a list or as FormatShape left it."""
    imgs, (h, w) = results['imgs'], results['img_shape'][:2]
    if isinstance(imgs, list | tuple):
        shape, count = imgs[0].shape[:2], len(imgs)
    else:
        shape = imgs.shape[1:3] if imgs.shape[-1] == 3 else imgs.shape[-2:]
        count = imgs.size // (3 * h * w)
    if tuple(shape) != (h, w):
        raise ValueError(
            f'the frames are {shape[1]}x{shape[0]} pixels, but img_shape says {w}x{h}: '
            'a transform resizes without recording it, LoadFaces cannot follow it'
        )
    return count


def _project(boxes: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Boxes (k, 4) that enclose the given ones after a homography (3, 3)."""
    corners = boxes[:, [0, 1, 2, 1, 0, 3, 2, 3]].reshape(-1, 4, 2)
    points = np.concatenate([corners, np.ones((len(boxes), 4, 1))], 2) @ matrix.T
    points = points[..., :2] / points[..., 2:]
    return np.concatenate([points.min(1), points.max(1)], 1)


def _inside(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """The boxes (k, 4) that have some part in the frame."""
    kept = (boxes[:, 2:] > 0).all(1) & (boxes[:, :2] < (width, height)).all(1)
    return boxes[kept]


def _video_candidates(info: Mapping[str, Any]) -> Iterator[str]:
    """Names a video may have in the table, the most certain first."""
    if 'video_id' in info:
        yield _VIDEO_EXTENSION.sub('', str(info['video_id']))
    path = info.get('frame_dir') or info.get('filename')
    if path is None and 'img_path' in info:
        path = os.path.dirname(info['img_path'])
    elif path is None:
        if 'video_id' in info:
            return
        raise ValueError(
            'LoadFaces needs "video_id", "frame_dir", "filename" or "img_path" to name '
            f'the video; the sample has {sorted(info)}'
        )
    path = os.path.normpath(path).replace(os.sep, '/')
    parts = [part for part in path.split('/') if part not in ('', '.', '..')]
    parts[-1] = _VIDEO_EXTENSION.sub('', parts[-1])
    for i in range(len(parts)):
        yield '/'.join(parts[i:])


def _leaves(dataset: Any) -> Iterator[Any]:
    """The data sets inside wrappers."""
    if hasattr(dataset, 'datasets'):
        for part in dataset.datasets:
            yield from _leaves(part)
    elif 'MultiImageMixDataset' in _names(dataset):
        raise ValueError(
            'MultiImageMixDataset mixes several images into one; faces cannot be '
            'carried through it: train on the data set it wraps'
        )
    elif hasattr(dataset, 'dataset'):
        yield from _leaves(dataset.dataset)
    elif hasattr(getattr(dataset, 'pipeline', None), 'transforms'):
        yield dataset
    else:
        raise TypeError(
            f'{type(dataset).__name__} is neither a data set with a pipeline nor a '
            'wrapper around some'
        )


def _names(item: Any) -> set[str]:
    return {kind.__name__ for kind in type(item).__mro__}


def _flatten(transforms: Iterable[Any]) -> Iterator[Any]:
    """Transforms and those that they hold (RandomChoice, RandomApply, RandomResize)."""
    for transform in transforms:
        yield transform
        yield from _flatten(getattr(transform, 'transforms', ()))
        if 'resize' in vars(transform):
            yield transform.resize


def _check_carried(transforms: Iterable[Any]) -> None:
    """Refuse a pipeline through which boxes cannot be carried."""
    flipped = False
    for transform in _flatten(transforms):
        name = type(transform).__name__
        package = type(transform).__module__.split('.')[0]
        inherited = {
            (kind.__module__.split('.')[0], kind.__name__)
            for kind in type(transform).__mro__
        }
        if (
            name in _UNCARRIED.get(package, ())
            or _moves_by_torchvision(transform)
            or any(
                kind in _UNCARRIED.get(owner, ())
                for owner, kind in inherited
                if owner != 'mmcv'
            )
        ):
            raise ValueError(
                f'{package}.{name} moves pixels without recording how: faces cannot be '
                'carried through it. Leave it out of the pipeline'
            )
        if getattr(transform, 'mode', None) == 'efficient':
            raise ValueError(
                f"{name}(mode='efficient') reads other frames than those asked for, so "
                "that their faces are not known; use mode='accurate'"
            )
        if ('mmaction', 'Flip') in inherited:
            if flipped:
                raise ValueError('LoadFaces follows one Flip, the pipeline has several')
            flipped = True
        elif flipped and any(('mmaction', crop) in inherited for crop in _CROPS):
            raise ValueError(
                f'{name} comes after Flip; mmaction2 records crops rightly only where '
                'Flip comes after them. Move Flip behind it'
            )
        if package not in _KNOWN_PACKAGES:
            MMLogger.get_current_instance().warning(
                f'LoadFaces does not know the transform {name}: if it moves pixels '
                'without recording crop_quadruple (clips) or homography_matrix '
                '(images), faces are left uncovered'
            )


def _moves_by_torchvision(transform: Any) -> bool:
    if 'TorchVisionWrapper' not in _names(transform):
        return False
    return type(transform.trans).__name__ not in _STATIONARY_TORCHVISION


def _check_videos(dataset: Any, loader: LoadFaces) -> None:
    """Make sure that the table has every video of a data set."""
    if not isinstance(dataset, BaseDataset):
        return
    dataset.full_init()
    known, seen, missing = loader.table.videos(), set(), set()
    for i in range(len(dataset)):
        # The bare record: subclasses add boxes and proposals, which cost time.
        info = BaseDataset.get_data_info(dataset, i)
        candidates = _video_candidates(info)
        first = next(candidates)
        if first not in seen:
            seen.add(first)
            if first not in known and not any(name in known for name in candidates):
                missing.add(first)
    if missing:
        loader.table.check(missing)
