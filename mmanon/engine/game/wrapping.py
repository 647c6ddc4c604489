"""Wraps a runner's detector for the game, and prepares its data sets."""

import copy
from collections.abc import Collection, Sequence
from pathlib import Path

from mmengine.logging import print_log
from mmengine.model import BaseModule, is_model_wrapper
from mmengine.runner import BaseLoop, Runner
from torch import nn
from torch.utils.data import Dataset

from mmanon.datasets.transforms import complete_pipeline, insert_load_faces
from mmanon.evaluation.face_set import FaceSet
from mmanon.models.detectors import AnonymizedDetector
from mmanon.models.discriminators import BaseDiscriminator, discriminator_parts
from mmanon.registry import MODELS

from .run_switches import check_wrapper

__all__ = [
    'build_discriminator',
    'check_people',
    'insert_faces',
    'is_built',
    'learns',
    'load_named_weights',
    'wrap_detector',
]


def is_built(loop: BaseLoop | dict | None) -> bool:
    """Whether a runner's loop is built, and not only a config."""
    return loop is not None and not isinstance(loop, dict)


def learns(module: nn.Module) -> bool:
    """Whether a network has trainable weights."""
    return any(parameter.requires_grad for parameter in module.parameters())


def insert_faces(runner: Runner, face_table: dict[str, str | None]) -> None:
    """Add the faces of the videos to the pipelines of a runner's loops.

    Args:
        runner (Runner): A runner whose loops for this run are built.
        face_table (dict): Face tables for ``train``, ``val`` and ``test``; a missing
            one is ``faces.parquet`` next to the folder of the videos.

    Raises:
        ValueError: If a table is missing and the data set does not name the folder of
            its videos; and as in :func:`insert_load_faces`.
    """
    loops = dict(train=runner._train_loop, val=runner._val_loop, test=runner._test_loop)
    for stage, loop in loops.items():
        if not is_built(loop):
            continue
        dataset = loop.dataloader.dataset
        table = face_table.get(stage) or _table_beside(dataset, stage)
        insert_load_faces(dataset, table)
        if stage != 'train':
            continue
        for hook in runner.hooks:
            # mmdet's PipelineSwitchHook sets another pipeline later.
            later = getattr(hook, 'switch_pipeline', None)
            if later is not None:
                hook.switch_pipeline = complete_pipeline(later, table)


def build_discriminator(
    cfg: dict, margin: float, datasets: Sequence[FaceSet]
) -> nn.Module:
    """Build D for the people of face data sets.

    Args:
        cfg (dict): Config of a :class:`FaceClassifier` with a ``head``, or of a
            :class:`DiscriminatorEnsemble`.
        margin (float): Enlargement of the face box on each side of the crops, as a
            fraction of its side.
        datasets (Sequence[FaceSet]): At least one; all with the same people.

    Raises:
        ValueError: If there is only one person, the data sets have different people,
            or the head is for another number of people.
    """
    first, *others = datasets
    classes = first.metainfo['classes']
    for other in others:
        if list(other.metainfo['classes']) != list(classes):
            odd = sorted(set(other.metainfo['classes']) ^ set(classes))
            raise ValueError(
                f'faces, in {first.data_root}, and val_faces, in {other.data_root}, '
                'must have the same identities; these are only in one of them: '
                f'{odd[:5]}'
            )
    if len(classes) < 2:
        raise ValueError(
            f'{first.data_root} has only one person, {classes[0]!r}: a '
            'discriminator learns to tell people apart, and needs at least two, with a '
            'folder of images for each'
        )
    kind = MODELS.get(cfg['type']) if isinstance(cfg['type'], str) else cfg['type']
    complete = getattr(kind, 'complete', BaseDiscriminator.complete)
    return MODELS.build(complete(cfg, margin, len(classes), str(first.data_root)))


def check_people(theirs: Sequence[str], faces: FaceSet) -> None:
    """Check that a checkpoint's discriminator names the people of a face set.

    Args:
        theirs (Sequence[str]): The people of the checkpoint.
        faces (FaceSet): The face set.

    Raises:
        ValueError: If the people differ.
    """
    ours = faces.metainfo['classes']
    if list(theirs) != list(ours):
        odd = sorted(set(theirs) ^ set(ours))
        raise ValueError(
            f'the discriminator of the checkpoint names {len(theirs)} people, but '
            f'{faces.data_root} has {len(ours)}; these are only in one of them: '
            f'{odd[:5]}'
        )


def wrap_detector(
    runner: Runner, model_cfg: dict, discriminator: nn.Module | None, training: bool
) -> AnonymizedDetector:
    """Replace a runner's detector by an anonymized detector.

    Args:
        runner (Runner): Its model is a detector, or mmengine's data-parallel wrapper
            of one; then all networks that learn get their own wrappers.
        model_cfg (dict): Arguments of :class:`AnonymizedDetector`.
        discriminator (nn.Module, optional): D.
        training (bool): Whether the run trains.

    Returns:
        AnonymizedDetector: The new model of the runner.

    Raises:
        ValueError: If the wrapper cannot be used in the game.
    """
    detector = runner.model
    wrapper = detector if is_model_wrapper(detector) else None
    if wrapper is not None:
        check_wrapper(wrapper)
        detector = wrapper.module
    model = AnonymizedDetector(
        detector=detector, discriminator=discriminator, **copy.deepcopy(model_cfg)
    )
    model.to(next(detector.parameters()).device)
    if wrapper is not None:
        model.parallel['detector'] = wrapper
        for name, part in model.learners.items():
            if name != 'detector' and learns(part) and training:
                model.parallel[name] = runner.wrap_model(
                    runner.cfg.get('model_wrapper_cfg'), part
                )
    runner.model = model
    against = ' and '.join(
        type(getattr(part, 'backbone', part)).__name__
        for part in discriminator_parts(model.discriminator).values()
    )
    against = f' against {against}' if against else ''
    print_log(
        f'{type(detector).__name__} sees faces redrawn by '
        f'{type(model.modifier).__name__}{against}',
        logger='current',
    )
    return model


def load_named_weights(model: AnonymizedDetector, held: Collection[str]) -> None:
    """Load the weights in ``init_cfg`` for networks that a checkpoint does not contain.

    mmengine initializes weights only in training. Without this, the modifier would stay
    random in a test and cover faces, although its config names trained weights. The
    average of M starts as M, as in training.

    Args:
        model (AnonymizedDetector): Model whose checkpoint is loaded already.
        held (Collection[str]): Names of the networks that the checkpoint contains:
            ``'modifier'``, ``'modifier_ema'``, ``'discriminator'``.

    Raises:
        FileNotFoundError: If a file of weights does not exist.
        ValueError: If a file has other weights than the network.
    """
    if not {'modifier', 'modifier_ema'} & set(held) and _load_named(model.modifier):
        if model.modifier_ema is not None:
            model.modifier_ema.module.load_state_dict(model.modifier.state_dict())
    if 'discriminator' not in held:
        for part in discriminator_parts(model.discriminator).values():
            _load_named(part)


def _load_named(network: nn.Module) -> bool:
    """Load the weights in ``init_cfg`` of a network or its parts, unless already done.

    Returns:
        bool: Whether weights were loaded.
    """
    cfgs = getattr(network, 'init_cfg', None)
    # One `init_cfg`, or several for different layers.
    for cfg in cfgs if isinstance(cfgs, Sequence) else [cfgs]:
        if cfg and cfg.get('type') == 'Pretrained':
            # The weights of a network include those of all its parts.
            assert isinstance(network, BaseModule)  # nothing else has an `init_cfg`
            fresh = not (network.is_init or getattr(network, 'has_loaded', False))
            if fresh:
                network.init_weights()
            return fresh
    return any([_load_named(part) for part in network.children()])


def _table_beside(dataset: Dataset | None, stage: str) -> str:
    while not getattr(dataset, 'data_prefix', None):
        inner = getattr(dataset, 'dataset', None) or getattr(
            dataset, 'datasets', [None]
        )
        dataset = inner[0] if isinstance(inner, Sequence) else inner
        if dataset is None:
            break
    prefixes = [
        prefix for prefix in getattr(dataset, 'data_prefix', {}).values() if prefix
    ]
    if not prefixes:
        raise ValueError(
            f'the {stage} data set does not name the folder of its videos: give their '
            "face table by the hook's `face_table`"
        )
    return str(Path(prefixes[0]).parent / 'faces.parquet')
