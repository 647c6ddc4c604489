"""Modifiers in PyTorch: which one, with which weights and geometry, and how it runs."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmanon.structures.crop_geometry import GAME_GEOMETRY, CropGeometry
from mmanon.utils.deprecation import renamed_attributes
from mmanon.utils.extras import require
from mmanon.utils.log import print_log

from .numpy_modifier import NUMPY_MODIFIERS

if TYPE_CHECKING:
    from torch import Tensor

    from mmanon.models.modifiers import BaseModifier

__all__ = ['DEFAULT_MODIFIER', 'TorchModifier', 'build_modifier']

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
    others = ', '.join(one.removesuffix('Modifier') for one in NUMPY_MODIFIERS)
    require(
        f'modifier {modifier} (none of {others}, which do without)',
        ('torch', 'mmengine'),
        'train',
    )
    from mmanon.models.modifiers import BaseModifier
    from mmanon.registry import MODELS

    geometry = CropGeometry()
    if modifier is None:
        modifier = DEFAULT_MODIFIER
        print_log(
            f'no modifier was named: faces are masked by {modifier}, which leaves '
            'nothing of them and needs no download',
        )
    if isinstance(modifier, str | Path):
        if str(modifier).endswith(('.py', '.json', '.yaml', '.yml')):
            modifier, geometry = _from_file(Path(modifier))
        else:
            modifier = dict(type=_registered_name(str(modifier)))
    built: Any = modifier
    if isinstance(modifier, Mapping):
        built = MODELS.build(dict(modifier))
        built.init_weights()
    if not isinstance(built, BaseModifier):
        raise ValueError(f'{type(built).__name__} is not a modifier')
    if weights is not None:
        _load(built, Path(weights).expanduser())
    built.eval().requires_grad_(False)
    if built.is_untrained:
        print_log(
            f'{type(built).__name__} has no trained weights: faces are masked by a '
            'solid mask; name its file by `weights`',
            level=logging.WARNING,
        )
    return built, geometry


def _registered_name(name: str) -> str:
    """The full name of a modifier in the registry."""
    from mmanon.registry import MODELS

    bare = name.removeprefix('mmanon.')
    known = _modifier_names()
    short = {name.removesuffix('Modifier').lower(): name for name in known}
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
        for name, kind in MODELS.module_dict.items()
        if isinstance(kind, type) and issubclass(kind, BaseModifier)
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
    default = CropGeometry()
    if 'modifier' in config:
        found, said = config.modifier, config
    elif hooks:
        found, said, default = hooks[0].modifier, hooks[0], GAME_GEOMETRY
    else:
        raise ValueError(
            f'{path} names no modifier: it needs `modifier = dict(type=...)` or an '
            'AdversarialAnonymizationHook in `custom_hooks`'
        )
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
            tuple(weights[wrong[0]].shape) if wrong[0] in weights else 'nothing'
            for weights in (state, own)
        ]
        raise ValueError(
            f'{path} does not hold the weights of this {name}: {len(wrong)} differ, '
            f'such as {wrong[0]}, {shapes[0]} in the file and {shapes[1]} here; name '
            'the config it was trained with'
        )
    values = [value for value in state.values() if value.is_floating_point()]
    if not all(torch.isfinite(value).all() for value in values):
        raise ValueError(f'{path} holds weights that are not finite')
    modifier.load_state_dict(state)


@renamed_attributes(draw='modify')
class TorchModifier:
    """Lets a modifier draw, in PyTorch.

    A modifier that draws noise gets the same for all faces of a track, so that a face
    does not flicker; the seed is secret, since noise that can be drawn again can be
    taken away again.

    Args:
        modifier (BaseModifier): M.
        margin (float): By how much a face box was enlarged on each side for the crop.
        seed (int, optional): Makes noise repeatable. Defaults to a secret one.
        device (str): Where M runs. Defaults to ``'cpu'``.
    """

    def __init__(
        self,
        modifier: BaseModifier,
        margin: float,
        seed: int | None = None,
        device: str = 'cpu',
    ) -> None:
        self.modifier = modifier.to(device)
        self.margin, self.device = margin, device
        self.seed = secrets.randbits(62) if seed is None else seed
        self._draws_noise = self._makes_noise()

    def modify(
        self, faces: np.ndarray, tracks: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Modify faces; see :class:`.base.ModifierBackend`."""
        import torch

        with torch.inference_mode():
            crops = torch.from_numpy(faces).to(self.device)
            if self._draws_noise:
                # A lone face has no track: each gets noise of its own.
                seeds = [
                    track if track >= 0 else secrets.randbits(62) for track in tracks
                ]
                drawn, masked = self._drawn(crops, seeds)
            else:
                drawn, masked = self._redrawn(crops)
        return drawn.float().cpu().numpy(), masked.cpu().numpy()

    def _redrawn(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        from mmanon.models.modifiers.covering import redraw_or_cover

        return redraw_or_cover(self.modifier, crops, self.margin)

    def _makes_noise(self) -> bool:
        """Whether M answers twice differently."""
        import torch

        with torch.inference_mode():
            face = torch.linspace(-1, 1, 3 * 32 * 32, device=self.device)
            face = face.view(1, 3, 32, 32)
            first, second = (self._drawn(face, [number])[0] for number in (0, 1))
            return not torch.equal(first, second)

    def _drawn(self, faces: Tensor, seeds: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Each face modified by noise of its own seed."""
        import torch

        answers = []
        devices = [faces.device] if faces.is_cuda else []
        for face, seed in zip(faces, seeds, strict=True):
            with torch.random.fork_rng(devices):
                torch.manual_seed((self.seed + seed) % 2**63)
                answers.append(self._redrawn(face[None]))
        drawn, masked = zip(*answers, strict=True)
        return torch.cat(drawn), torch.cat(masked)
