"""Which modifier, with which weights and geometry."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mmanon.structures.crop_geometry import CropGeometry
from mmanon.utils.extras import require
from mmanon.utils.log import print_log

if TYPE_CHECKING:
    from mmanon.models.modifiers import BaseModifier

__all__ = ['DEFAULT_MODIFIER', 'CropGeometry', 'build_modifier']

DEFAULT_MODIFIER = 'SolidMaskModifier'
"""Leaves nothing of a face for any recognizer, and needs no weights."""


def build_modifier(
    modifier: str | Path | Mapping | BaseModifier | None = None,
    weights: str | Path | None = None,
) -> tuple[BaseModifier, CropGeometry]:
    """Build a modifier for use.

    Args:
        modifier (str, Path, Mapping or BaseModifier, optional): The name of a
            registered modifier (``'PixelateModifier'``, or ``'pixelate'`` for short),
            its config, or a config file: one that says ``modifier = dict(...)``, or a
            training config with an ``AdversarialAnonymizationHook``, whose geometry of
            crops is taken over too. Defaults to :data:`DEFAULT_MODIFIER`.
        weights (str or Path, optional): Weights of a learned modifier: a file of
            ``tools/export_checkpoint.py``, or a training checkpoint.

    Returns:
        tuple[BaseModifier, CropGeometry]: M in evaluation mode, and what to show it.

    Raises:
        FileNotFoundError: When a file does not exist.
        ValueError: When nothing is registered by that name, a config file names no
            modifier, or the weights are not this modifier's.
        ImportError: When PyTorch or mmengine is not installed.
    """
    said = 'the default modifier' if modifier is None else f'modifier {modifier}'
    require(said, ('torch', 'mmengine'), 'train')
    from mmanon.models.modifiers import BaseModifier
    from mmanon.registry import MODELS

    geometry = CropGeometry()
    if modifier is None:
        modifier = DEFAULT_MODIFIER
        print_log(
            f'no modifier was named: faces are covered by {modifier}, which leaves '
            'nothing of them and needs no download',
        )
    if isinstance(modifier, (str, Path)):
        if str(modifier).endswith(('.py', '.json', '.yaml', '.yml')):
            modifier, geometry = _from_file(Path(modifier))
        else:
            modifier = dict(type=_registered_name(str(modifier)))
    if isinstance(modifier, Mapping):
        modifier = MODELS.build(dict(modifier))
        modifier.init_weights()
    if not isinstance(modifier, BaseModifier):
        raise ValueError(f'{type(modifier).__name__} is not a modifier')
    if weights is not None:
        _load(modifier, Path(weights).expanduser())
    modifier.eval().requires_grad_(False)
    if modifier.is_untrained:
        print_log(
            f'{type(modifier).__name__} has no trained weights: faces are covered by a '
            'solid mask; name its file by `weights`',
            level=logging.WARNING,
        )
    return modifier, geometry


def _registered_name(name: str) -> str:
    """The full name of a modifier in the registry."""
    from mmanon.registry import MODELS

    bare = name.removeprefix('mmanon.')
    known = _modifier_names()
    short = {one.removesuffix('Modifier').lower(): one for one in known}
    chosen = bare if bare in known else short.get(bare.lower().replace('_', ''))
    if chosen is not None:
        return f'mmanon.{chosen}'
    if MODELS.get(name) is not None:
        return name
    raise ValueError(
        f'no modifier is registered as {name!r}; there are {", ".join(sorted(known))}'
    )


def _modifier_names() -> set[str]:
    from mmanon.models.modifiers import BaseModifier
    from mmanon.registry import MODELS

    MODELS.get(f'mmanon.{DEFAULT_MODIFIER}')  # imports mmanon's own
    return {
        name
        for name, one in MODELS.module_dict.items()
        if isinstance(one, type) and issubclass(one, BaseModifier)
    }


def _from_file(path: Path) -> tuple[Mapping, CropGeometry]:
    from mmengine.config import Config

    if not path.is_file():
        raise FileNotFoundError(f'modifier config {path} does not exist')
    config = Config.fromfile(path)
    hooks = [
        hook
        for hook in config.get('custom_hooks', [])
        if str(hook.get('type', '')).endswith('AdversarialAnonymizationHook')
    ]
    if 'modifier' in config:
        found, said = config.modifier, config
    elif hooks:
        # The hook's own defaults, which hold where a config does not say otherwise.
        found = hooks[0].modifier
        said = {'crop_size': 256, 'margin': 0.6, 'feather': 0.1, **hooks[0]}
    else:
        raise ValueError(
            f'{path} names no modifier: it needs `modifier = dict(type=...)` or an '
            'AdversarialAnonymizationHook in `custom_hooks`'
        )
    default = CropGeometry()
    return found.to_dict(), CropGeometry(
        said.get('crop_size', default.crop_size),
        said.get('margin', default.margin),
        said.get('feather', default.feather),
    )


def _load(modifier: BaseModifier, path: Path) -> None:
    import torch

    from mmanon.models.modifiers import LearnedModifier
    from mmanon.models.weight_files import EMA, MODIFIER, extract_part, load_weights

    name = type(modifier).__name__
    if not isinstance(modifier, LearnedModifier):
        raise ValueError(f'{name} has no weights to load; leave out {path}')
    if not path.is_file():
        raise FileNotFoundError(f'weights {path} do not exist')
    state = load_weights(path)
    for prefix in (EMA, MODIFIER):
        if any(key.startswith(prefix) for key in state):
            state = extract_part(state, prefix)
            break
    own = modifier.state_dict()
    wrong = [
        key
        for key in sorted({*state, *own})
        if key not in own or key not in state or state[key].shape != own[key].shape
    ]
    if wrong:
        shapes = [
            tuple(one[wrong[0]].shape) if wrong[0] in one else 'nothing'
            for one in (state, own)
        ]
        raise ValueError(
            f'{path} does not hold the weights of this {name}: {len(wrong)} differ, '
            f'such as {wrong[0]}, {shapes[0]} in the file and {shapes[1]} here; name '
            'the config it was trained with'
        )
    if not all(
        torch.isfinite(one).all() for one in state.values() if one.is_floating_point()
    ):
        raise ValueError(f'{path} holds weights that are not finite')
    modifier.load_state_dict(state)
