"""The faces of a sample's frames, carried through its pipeline.

mmaction2's transforms record what they keep of the frames (``crop_quadruple`` and
``flip``), mmdet's the map from the image's pixels to the final ones
(``homography_matrix``): the boxes, known as fractions of the frame, are put through
that once at the end. Those of mmdet's that mix images record nothing; through them the
annotated boxes carry the faces (:mod:`.boxes_with_faces`).
"""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from weakref import WeakSet

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.dataset import BaseDataset, Compose
from mmengine.logging import MMLogger

from mmanon.registry import TRANSFORMS
from mmanon.structures.face_table import FaceTable, VideoInfo

_VIDEO_EXTENSION = re.compile(r'\.(mp4|avi|mkv|webm|mov|m4v|mpe?g|wmv|flv|3gp)$', re.I)
_PACKERS = {'PackActionInputs', 'PackDetInputs'}
_OURS = {'AttachFaces', 'LoadFaces'}
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
    # RandomAffine and MinIoURandomCrop do not even tell the annotated boxes where none
    # is annotated.
    'mmdet': {
        'Albu',
        'CopyPaste',
        'CutHeight',
        'InstaBoost',
        'MinIoURandomCrop',
        'MultiBranch',
        'RandomAffine',
        'RandomCenterCropPad',
    },
}
# Transforms of mmdet that tell the annotated boxes alone where pixels go.
_CARRIED_BY_BOXES = {'CachedMixUp', 'CachedMosaic', 'Expand', 'RandomShift'}
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

# The data sets of training and validation may share a table.
_loaders: WeakSet[LoadFaces] = WeakSet()


@TRANSFORMS.register_module()
class LoadFaces(BaseTransform):
    """Add the faces of the sampled frames, in pixels of the frames as they are now.

    It stands right before the packing transform; :func:`insert_load_faces` puts it
    there. A frame that was never examined is one box over all of it, marked in
    ``covers``, unless the faces before and after it tell what it shows; see
    :meth:`mmanon.datasets.FaceTable.lookup`.

    A video is known by its ``video_id`` or by the end of its path. That it is the one
    whose faces the table holds, and not another of that name, is made sure by its
    kind (file or folder), its shape, the number of frames of a file, and by refusing
    that two paths share a name.

    Required Keys of a clip (mmaction2):

    - imgs, img_shape, original_shape, frame_inds
    - video_id, frame_dir or filename
    - offset, scale_factor, crop_quadruple, crop_bbox, flip, flip_direction (optional)

    Required Keys of an image (mmdet), which is the frame whose number ends its name:

    - img_path, img_shape, ori_shape
    - homography_matrix (optional)
    - gt_bboxes, where they carry the faces

    Added Keys:

    - faces: float32 (K, 5), the frame's position in ``imgs`` as the pipeline produced
      them (crops first, then clips, then frames), and x1, y1, x2, y2 in pixels of that
      frame. A box may leave its frame; one wholly outside is left out.
    - covers: bool (K,), which of them are no faces but whole frames that nobody has
      examined.

    Args:
        face_table: Parquet file made by ``tools/detect_faces.py``.

    Raises:
        KeyError: If a video is not in the table.
        ValueError: If the pipeline has moved pixels without recording how, or a video
            is not the one that the table has by its name.
    """

    def __init__(self, face_table: str) -> None:
        self.table = FaceTable(face_table, _warn)
        self._reset()

    def _reset(self) -> None:
        self._names: dict[str, str] = {}
        self._paths: dict[str, str] = {}
        self._warned_of_age = False
        _loaders.add(self)

    def __getstate__(self) -> dict:
        return {'table': self.table}

    def __setstate__(self, state: dict) -> None:
        self.table = state['table']
        self._reset()

    def transform(self, results: dict) -> dict:
        """Add ``faces`` and ``covers`` to ``results``."""
        if 'frame_inds' in results:
            faces, covers = self._clip_faces(results)
        elif isinstance(results.get('img_path'), str):
            faces, covers = self.image_faces(results)
        else:
            raise ValueError(
                'LoadFaces needs "frame_inds" (a clip of mmaction2) or "img_path" (an '
                f'image of mmdet) in the results; they have {sorted(results)}'
            )
        results['faces'], results['covers'] = faces, covers
        return results

    def video_name(self, info: Mapping[str, Any]) -> str:
        """The table's name of the video a sample belongs to.

        It is the sample's ``video_id``, or else the longest ending of its path that the
        table knows.

        Args:
            info: A data set's record or a pipeline's results.

        Raises:
            KeyError: If the table has no such video.
            ValueError: If it has another video of that name.
        """
        place = _Place.of(info)
        name = self._names.get(place.key)
        if name is None:
            candidates = list(place.candidates())
            name = next((one for one in candidates if one in self.table), None)
            if name is None:
                self.table.check(candidates[:1])
            self._make_sure(name, place)
            self._names[place.key] = name
        return name

    def _make_sure(self, name: str, place: _Place) -> None:
        """Refuse a video that cannot be the one that the table has by its name."""
        where = place.path or place.video_id
        if place.path is not None:
            path = os.path.realpath(place.path)
            self._paths.setdefault(name, path)
            other = self._other_path(name, path)
            if other is not None:
                raise ValueError(
                    f'face table {self.table.path}: {path} and {other} would both get '
                    f'the faces of its video {name!r}. Make a table for each folder '
                    'of videos, and name them by '
                    '`face_table=dict(train=..., val=..., test=...)`, or one of the '
                    'folder above, so that their names differ'
                )
        info = self.table.info(name)
        if info is None:
            self._accept_unknown(name, place)
            return
        if place.kind not in (None, info.kind):
            raise ValueError(
                f'face table {self.table.path} has the faces of a {info.kind} '
                f'{name!r}, but the sample is a {place.kind}, {where}: its frames are '
                'counted otherwise. Make a table of what the data set reads'
            )
        if info.turned == 'no' or place.kind != 'file':
            return
        # The shape tells at each sample what the decoder has done, where it can.
        if (
            info.turned == 'other'
            or info.width is None
            or info.has_shape(info.width, info.height)
        ):
            raise ValueError(
                f'{where} is stored upside down, mirrored or lying on its side, and '
                'decoders disagree on such files: its faces may be somewhere else in '
                'the frames that the pipeline gets. Store it upright by `ffmpeg -i '
                'FILE OUT`, or extract its frames, and make the table again'
            )

    def _other_path(self, name: str, path: str) -> str | None:
        """Another path that stands for a name of the table, in any data set in use."""

        def find() -> str | None:
            for one in list(_loaders):
                other = one._paths.get(name, path)
                if other != path and one.table.is_same_file(self.table.path):
                    return other
            return None

        if find() is None:
            return None
        # It may belong to a data set that is gone, but not cleared away yet.
        gc.collect()
        return find()

    def _accept_unknown(self, name: str, place: _Place) -> None:
        if place.kind == 'file':
            raise ValueError(
                f'face table {self.table.path} does not say what the video {name!r} '
                'was, so that its faces may be somewhere else in a turned video file: '
                'it was made by an earlier release. Make it again by tools/'
                'detect_faces.py'
            )
        if not self._warned_of_age:
            self._warned_of_age = True
            _warn(
                f'face table {self.table.path} does not say what its videos were: that '
                'they are those of the data set is not made sure. Make it again by '
                'tools/detect_faces.py'
            )

    def _check_shape(self, name: str, shape: tuple[int, int], what: str) -> None:
        info = self.table.info(name)
        if info is None or info.has_shape(*shape):
            return
        message = (
            f'{what}: its frames come as {shape[1]}x{shape[0]} pixels (width x '
            f'height), but {info.width}x{info.height} stand upright in face table '
            f'{self.table.path}: their faces are somewhere else. '
        )
        if info.turned != 'no':
            message += (
                'The file says that it is to be turned, which the decoder has not '
                'done: decode it by DecordInit and DecordDecode'
            )
        else:
            message += 'Make a table of these very videos'
        raise ValueError(message)

    def _clip_faces(self, results: dict) -> tuple[np.ndarray, np.ndarray]:
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
        what = str(results.get('frame_dir') or results.get('filename') or video)
        self._check_shape(video, results['original_shape'][:2], what)
        _check_length(self.table.info(video), results, what)
        # What the decoder read: RawFrameDecode adds the offset to its files' numbers.
        numbers = np.asarray(results['frame_inds']).reshape(-1)
        if 'frame_dir' in results:
            numbers = numbers + results.get('offset', 0)
        views = _clip_views(results, len(numbers))
        h, w = results['img_shape']
        found = {
            number: self.table.lookup(video, number) for number in set(numbers.tolist())
        }
        rows, covers = [np.zeros((0, 5), np.float32)], [np.zeros(0, bool)]
        for v, view in enumerate(views):
            for t, number in enumerate(numbers.tolist()):
                boxes = view.project(found[number].boxes)
                boxes = boxes[_inside(boxes, h, w)]
                position = np.full((len(boxes), 1), v * len(numbers) + t)
                rows.append(np.hstack([position, boxes]))
                covers.append(np.full(len(boxes), found[number].is_cover))
        return np.concatenate(rows).astype(np.float32), np.concatenate(covers)

    def image_faces(self, results: dict) -> tuple[np.ndarray, np.ndarray]:
        """The faces of an image of mmdet, as they would be added to its results.

        Returns:
            ``faces`` and ``covers``.
        """
        if results.get('faces_attached'):
            from .boxes_with_faces import detach_faces

            boxes, covers = detach_faces(results)
            return _rows_inside(boxes, covers, results['img_shape'])
        path = results['img_path']
        number = re.search(r'(\d+)$', os.path.splitext(os.path.basename(path))[0])
        if number is None:
            raise ValueError(
                f'LoadFaces takes the frame from the number at the end of the file '
                f'name, {path} has none'
            )
        video = self.video_name({'img_path': path})
        h, w = results['ori_shape'][:2]
        self._check_shape(video, (h, w), path)
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
        found = self.table.lookup(video, int(number.group(1)))
        boxes = _project(found.boxes * [w, h, w, h], matrix)
        covers = np.full(len(boxes), found.is_cover)
        return _rows_inside(boxes, covers, results['img_shape'])

    def __repr__(self) -> str:
        return f'{type(self).__name__}(face_table={self.table.path!r})'


def insert_load_faces(dataset: Any, face_table: str) -> None:
    """Make a built data set deliver its samples' faces in their metainfo.

    Puts :class:`LoadFaces` right before the packing transform of the pipeline and adds
    ``faces`` and ``covers`` to the packed meta keys; one that stands elsewhere in the
    pipeline is moved there, and where all is done already, nothing changes. Makes sure
    beforehand that the table has all videos of the data set, that they are those of
    the table, and that the boxes can be carried through the pipeline.

    Args:
        dataset: A data set of mmaction2 or mmdet, or a wrapper around some
            (concatenated, repeated, class-balanced).
        face_table: Parquet file made by ``tools/detect_faces.py``.

    Raises:
        KeyError: If videos of the data set are not in the table.
        ValueError: If the pipeline has no packing transform, one of its transforms
            moves pixels without recording how, it has a LoadFaces of another table or
            within another transform, or a video is not the one that the table has by
            its name.
        TypeError: If ``dataset`` is of an unknown kind.
    """
    for leaf in _leaves(dataset):
        transforms = leaf.pipeline.transforms
        completed, loader = _with_load_faces(transforms, face_table)
        _check_videos(leaf, loader)
        transforms[:] = completed


def complete_pipeline(pipeline: Sequence[Any], face_table: str) -> list[Any]:
    """A pipeline that a data set switches to later, with its samples' faces.

    Args:
        pipeline: Its transforms, or their configs.
        face_table: As for :func:`insert_load_faces`.

    Returns:
        The built transforms.

    Raises:
        ValueError: As :func:`insert_load_faces`.
    """
    return _with_load_faces(Compose(pipeline).transforms, face_table)[0]


def _with_load_faces(
    transforms: Sequence[Any], face_table: str
) -> tuple[list[Any], LoadFaces]:
    """The transforms with LoadFaces where it belongs, and that LoadFaces."""
    present = [one for one in _flatten(transforms) if isinstance(one, LoadFaces)]
    others = [one for one in transforms if not _names(one) & _OURS]
    packers = [i for i, t in enumerate(others) if _names(t) & _PACKERS]
    if not packers:
        raise ValueError(
            f'the pipeline has no packing transform ({" or ".join(sorted(_PACKERS))}) '
            f'to put LoadFaces before; it is {[type(t).__name__ for t in transforms]}'
        )
    _check_present(present, transforms, face_table)
    before, packer = others[: packers[-1]], others[packers[-1]]
    _check_carried(before)
    loader = present[0] if present else LoadFaces(face_table)
    if any(_names(one) & _CARRIED_BY_BOXES for one in _flatten(before)):
        before = _with_attached_faces(before, loader)
    more = [key for key in ('faces', 'covers') if key not in packer.meta_keys]
    packer.meta_keys = (*packer.meta_keys, *more)
    # Where it stands it says where faces are in the frames that are packed.
    return [*before, loader, packer, *others[packers[-1] + 1 :]], loader


def _with_attached_faces(transforms: list[Any], loader: LoadFaces) -> list[Any]:
    """Let the annotated boxes carry the faces, from where they are loaded."""
    from .boxes_with_faces import AttachFaces

    loading = [i for i, t in enumerate(transforms) if 'LoadAnnotations' in _names(t)]
    if not loading:
        raise ValueError(
            f'{", ".join(sorted(_CARRIED_BY_BOXES))} tell the annotated boxes alone '
            'where pixels go, and the pipeline loads none: it has no LoadAnnotations'
        )
    place = loading[-1] + 1
    return [*transforms[:place], AttachFaces(loader), *transforms[place:]]


def _check_present(
    present: list[LoadFaces], transforms: list[Any], face_table: str
) -> None:
    """Refuse a LoadFaces in the pipeline that contradicts what is asked for."""
    for one in present:
        if not one.table.is_same_file(face_table):
            raise ValueError(
                f'the pipeline has LoadFaces of {one.table.path}, but the face table '
                f'of this data set is {face_table}: leave LoadFaces out of the '
                'pipeline, or name its table by `face_table` of the hook'
            )
        if not any(one is transform for transform in transforms):
            raise ValueError(
                'the pipeline has LoadFaces within another transform, which may leave '
                'it out or move pixels after it: leave it out, it is put before the '
                'packing transform by itself'
            )


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
    """Which boxes (k, 4) have some part in the frame, (k,)."""
    return (boxes[:, 2:] > 0).all(1) & (boxes[:, :2] < (width, height)).all(1)


def _rows_inside(
    boxes: np.ndarray, covers: np.ndarray, shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """``faces`` and ``covers`` of an image of (height, width)."""
    kept = _inside(boxes, *shape[:2])
    rows = np.hstack([np.zeros((kept.sum(), 1)), boxes[kept]])
    return rows.astype(np.float32), covers[kept]


class _Place(NamedTuple):
    """Where a sample's video lies and what it is called.

    Attributes:
        video_id: Its name in the annotations, if it has one.
        path: Of its file or folder of frames, if it is known.
        kind: ``'file'`` or ``'folder'``, if that is known.
    """

    video_id: str | None
    path: str | None
    kind: str | None

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> _Place:
        """Read a data set's record or a pipeline's results."""
        video_id = info.get('video_id')
        path, kind = info.get('frame_dir'), 'folder'
        if not path:
            path, kind = info.get('filename'), 'file'
        if not path and 'img_path' in info:
            path, kind = os.path.dirname(info['img_path']), 'folder'
        if path:
            return cls(None if video_id is None else str(video_id), str(path), kind)
        if video_id is None:
            raise ValueError(
                'LoadFaces needs "video_id", "frame_dir", "filename" or "img_path" to '
                f'name the video; the sample has {sorted(info)}'
            )
        return cls(str(video_id), None, None)

    @property
    def key(self) -> str:
        """What tells videos apart."""
        return self.video_id if self.path is None else self.path

    def candidates(self) -> Iterator[str]:
        """Names the video may have in the table, the most certain first."""
        if self.video_id is not None:
            yield self._without_extension(self.video_id)
        if self.path is None:
            return
        path = os.path.normpath(self.path).replace(os.sep, '/')
        parts = [part for part in path.split('/') if part not in ('', '.', '..')]
        if parts:
            parts[-1] = self._without_extension(parts[-1])
        for i in range(len(parts)):
            yield '/'.join(parts[i:])

    def _without_extension(self, name: str) -> str:
        # A folder may be called `clip.avi`, and is in the table as well.
        return name if self.kind == 'folder' else _VIDEO_EXTENSION.sub('', name)


def _check_length(info: VideoInfo | None, results: dict, what: str) -> None:
    """Refuse a video file of another number of frames, such as at another rate."""
    have = results.get('total_frames')
    if info is None or info.kind != 'file' or not info.num_frames or not have:
        return
    # Decoders count the frames of damaged or unusual files differently.
    if abs(have - info.num_frames) > max(3, 0.05 * info.num_frames):
        raise ValueError(
            f'{what} has {have} frames, but {info.num_frames} when its faces were '
            'found: they belong to others of its frames. Make the face table again'
        )


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
            _warn(
                f'LoadFaces does not know the transform {name}: if it moves pixels '
                'without recording crop_quadruple (clips) or homography_matrix '
                '(images), faces are left uncovered'
            )


def _warn(text: str) -> None:
    """Warn in the log of the run."""
    MMLogger.get_current_instance().warning(text)


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
        place = _Place.of(info)
        if place.key in seen:
            continue
        seen.add(place.key)
        candidates = list(place.candidates())
        if known.isdisjoint(candidates):
            missing.update(candidates[:1])
        else:
            loader.video_name(info)
    if missing:
        loader.table.check(missing)
