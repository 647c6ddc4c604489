"""Inserts LoadFaces into the pipelines of data sets, and checks these pipelines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from mmengine.dataset import BaseDataset, Compose

from .known_videos import VideoPlace, warn
from .load_faces import LoadFaces

__all__ = ['complete_pipeline', 'insert_load_faces']

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
    # RandomAffine and MinIoURandomCrop skip the annotated boxes if there are none.
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
# Transforms of mmdet that move only the annotated boxes with the pixels.
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


def insert_load_faces(dataset: Any, face_table: str) -> None:
    """Make a built data set add the faces of its samples to their metainfo.

    It inserts :class:`LoadFaces` directly before the packing transform of the pipeline,
    or moves an existing one there, and adds its keys to the packed meta keys. A second
    call changes nothing. It first checks that the table contains all videos of the data
    set, that they are the same videos, and that boxes can be carried through the
    pipeline.

    Args:
        dataset: A data set of mmaction2 or mmdet, or a wrapper around some
            (concatenated, repeated, class-balanced).
        face_table: Parquet file of ``mmanon detect-faces``.

    Raises:
        KeyError: If videos of the data set are not in the table.
        ValueError: If the pipeline has no packing transform, a transform moves pixels
            without recording how, the pipeline has LoadFaces with another table or
            inside another transform, or the table has another video of the same name.
        TypeError: If ``dataset`` is of an unknown type.
    """
    for leaf in _leaves(dataset):
        transforms = leaf.pipeline.transforms
        completed, loader = _with_load_faces(transforms, face_table)
        _check_videos(leaf, loader)
        transforms[:] = completed


def complete_pipeline(pipeline: Sequence[Any], face_table: str) -> list[Any]:
    """Insert LoadFaces into a pipeline to which a data set switches later.

    Args:
        pipeline: Its transforms, or their configs.
        face_table: As in :func:`insert_load_faces`.

    Returns:
        The built transforms.

    Raises:
        ValueError: As in :func:`insert_load_faces`.
    """
    return _with_load_faces(Compose(pipeline).transforms, face_table)[0]


def _with_load_faces(
    transforms: Sequence[Any], face_table: str
) -> tuple[list[Any], LoadFaces]:
    """Return the transforms with LoadFaces at its place, and this LoadFaces."""
    present = [t for t in _flatten(transforms) if isinstance(t, LoadFaces)]
    others = [t for t in transforms if not _names(t) & _OURS]
    packers = [i for i, t in enumerate(others) if _names(t) & _PACKERS]
    if not packers:
        raise ValueError(
            f'the pipeline has no packing transform ({" or ".join(sorted(_PACKERS))}), '
            'before which LoadFaces belongs; it is '
            f'{[type(t).__name__ for t in transforms]}'
        )
    _check_present(present, transforms, face_table)
    before, packer = others[: packers[-1]], others[packers[-1]]
    _check_carried(before)
    loader = present[0] if present else LoadFaces(face_table)
    if any(_names(t) & _CARRIED_BY_BOXES for t in _flatten(before)):
        before = _with_attached_faces(before, loader)
    more = [
        key for key in ('faces', 'covers', 'face_tracks') if key not in packer.meta_keys
    ]
    packer.meta_keys = (*packer.meta_keys, *more)
    # Directly before the packer, boxes are in pixels of the packed frames.
    return [*before, loader, packer, *others[packers[-1] + 1 :]], loader


def _with_attached_faces(transforms: list[Any], loader: LoadFaces) -> list[Any]:
    """Insert AttachFaces directly after the annotated boxes are loaded."""
    from .boxes_with_faces import AttachFaces

    loading = [i for i, t in enumerate(transforms) if 'LoadAnnotations' in _names(t)]
    if not loading:
        raise ValueError(
            f'{", ".join(sorted(_CARRIED_BY_BOXES))} move only annotated boxes with '
            'the pixels, and the pipeline loads none: add LoadAnnotations to it'
        )
    place = loading[-1] + 1
    return [*transforms[:place], AttachFaces(loader), *transforms[place:]]


def _check_present(
    present: list[LoadFaces], transforms: Sequence[Any], face_table: str
) -> None:
    """Check that an existing LoadFaces has this table and is at the top level."""
    for loader in present:
        if not loader.table.is_same_file(face_table):
            raise ValueError(
                f'the pipeline has LoadFaces with {loader.table.path}, but the face '
                f'table of this data set is {face_table}: leave LoadFaces out of the '
                'pipeline, or give this table as `face_table` of the hook'
            )
        if not any(loader is transform for transform in transforms):
            raise ValueError(
                'the pipeline has LoadFaces within another transform, which may skip '
                'it or move pixels after it: leave it out; it is inserted before the '
                'packing transform automatically'
            )


def _leaves(dataset: Any) -> Iterator[Any]:
    """Yield the data sets inside wrappers."""
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
    """Yield transforms and the transforms inside them (RandomChoice, RandomResize)."""
    for transform in transforms:
        yield transform
        yield from _flatten(getattr(transform, 'transforms', ()))
        if 'resize' in vars(transform):
            yield transform.resize


def _check_carried(transforms: Iterable[Any]) -> None:
    """Check that boxes can be carried through a pipeline."""
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
                f"{name}(mode='efficient') does not read the sampled frames, so "
                "the faces are not known; use mode='accurate'"
            )
        if ('mmaction', 'Flip') in inherited:
            if flipped:
                raise ValueError(
                    'LoadFaces can follow only one Flip, but the pipeline has several'
                )
            flipped = True
        elif flipped and any(('mmaction', crop) in inherited for crop in _CROPS):
            raise ValueError(
                f'{name} comes after Flip; mmaction2 records crops correctly only '
                'before Flip. Move Flip behind it'
            )
        if package not in _KNOWN_PACKAGES:
            warn(
                f'LoadFaces does not know the transform {name}: if it moves pixels '
                'without recording crop_quadruple (clips) or homography_matrix '
                '(images), faces are left uncovered'
            )


def _moves_by_torchvision(transform: Any) -> bool:
    if 'TorchVisionWrapper' not in _names(transform):
        return False
    return type(transform.trans).__name__ not in _STATIONARY_TORCHVISION


def _check_videos(dataset: Any, loader: LoadFaces) -> None:
    """Check that the table contains every video of a data set."""
    if not isinstance(dataset, BaseDataset):
        return
    dataset.full_init()
    known, seen, missing = loader.table.videos(), set(), set()
    for i in range(len(dataset)):
        # The plain record: subclasses add boxes and proposals, which takes time.
        info = BaseDataset.get_data_info(dataset, i)
        place = VideoPlace.of(info)
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
