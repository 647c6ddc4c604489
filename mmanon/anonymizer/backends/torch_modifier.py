"""Build and run modifiers in PyTorch."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmanon.structures.crop_geometry import CropGeometry
from mmanon.structures.modifier_card import ModifierCard, find_game_hooks
from mmanon.utils.deprecation import renamed_attributes
from mmanon.utils.devices import torch_place
from mmanon.utils.extras import require
from mmanon.utils.log import print_log
from mmanon.utils.near_names import near_name

from .base import FRAMES_AT_ONCE, known_names, parts_of
from .track_keys import TrackKeys

if TYPE_CHECKING:
    from torch import Tensor

    from mmanon.models.modifiers import BaseModifier

__all__ = [
    'DEFAULT_MODIFIER',
    'TorchModifier',
    'build_modifier',
    'build_modifier_and_card',
]

_CONFIGS = ('.py', '.json', '.yaml', '.yml')
_CHECKPOINTS = ('.pth', '.pt')

DEFAULT_MODIFIER = 'SolidMaskModifier'
"""A solid mask, which removes the whole face and needs no weights."""


def build_modifier(
    modifier: str | Path | Mapping | BaseModifier | None = None,
    weights: str | Path | None = None,
) -> tuple[BaseModifier, CropGeometry]:
    """Build a modifier for use; see :func:`build_modifier_and_card`.

    Returns:
        tuple[BaseModifier, CropGeometry]: M in evaluation mode, and the geometry of its
        crops.
    """
    built, card = build_modifier_and_card(modifier, weights)
    return built, card.geometry


def build_modifier_and_card(
    modifier: str | Path | Mapping | BaseModifier | None = None,
    weights: str | Path | None = None,
) -> tuple[BaseModifier, ModifierCard]:
    """Build a modifier for use, and return its card.

    Args:
        modifier (str, Path, Mapping or BaseModifier, optional): The file of a modifier
            that ``mmanon export`` has written, or a training checkpoint (``*.pth``),
            whose card describes it; the name of a registered modifier
            (``'PixelateModifier'``, or ``'pixelate'`` for short); its config; or a
            config file. A config file contains ``modifier = dict(...)``, or is a
            training config with an ``AdversarialAnonymizationHook``, whose crop
            geometry is then used. Defaults to :data:`DEFAULT_MODIFIER`.
        weights (str or Path, optional): Weights of a learned modifier: such a file of a
            modifier, or a training checkpoint.

    Returns:
        tuple[BaseModifier, ModifierCard]: M in evaluation mode, and its card.

    Raises:
        FileNotFoundError: When a file does not exist.
        ValueError: When the name is not registered, a config file contains no modifier,
            or a file contains no modifier or another one.
        ImportError: When PyTorch or mmengine is not installed.
    """
    _check_file(modifier)
    require(f'modifier {modifier}{_without(modifier)}', ('torch', 'mmengine'), 'train')
    from mmanon.models.modifiers import BaseModifier

    if modifier is None:
        modifier = DEFAULT_MODIFIER
        print_log(
            f'no modifier is given: faces are covered by {modifier}, which leaves '
            'nothing of them and needs no download',
        )
    if isinstance(modifier, BaseModifier):
        built, card = modifier, ModifierCard({}, CropGeometry())
    elif isinstance(modifier, str | Path) and str(modifier).endswith(_CHECKPOINTS):
        if weights is not None:
            raise ValueError(f'{modifier} contains its weights; leave out {weights}')
        built, card = _from_checkpoint(Path(modifier).expanduser())
    else:
        built, card = _from_config(modifier)
    if weights is not None:
        own_geometry = str(modifier).endswith(_CONFIGS)
        card = _load(built, card, Path(weights).expanduser(), own_geometry)
    built.eval().requires_grad_(False)
    if built.is_untrained:
        print_log(
            f'{type(built).__name__} has no trained weights: faces are covered by a '
            'solid mask; give the file of weights as `weights`',
            level=logging.WARNING,
        )
    return built, card


def _from_checkpoint(path: Path) -> tuple[BaseModifier, ModifierCard]:
    from mmanon.models.modifier_files import load_modifier

    built, card = load_modifier(path)
    print_log(f'{path}: {_described(built, card)}')
    return built, card


def _from_config(
    modifier: str | Path | Mapping,
) -> tuple[BaseModifier, ModifierCard]:
    from mmanon.models.modifiers import BaseModifier
    from mmanon.registry import MODELS

    if isinstance(modifier, Mapping):
        card = ModifierCard(dict(modifier), CropGeometry())
        config = dict(modifier)
    elif str(modifier).endswith(_CONFIGS):
        config, card = _from_config_file(Path(modifier).expanduser())
    else:
        config = dict(type=_registered_name(str(modifier)))
        card = ModifierCard(config, CropGeometry())
    built = MODELS.build(config)
    if not isinstance(built, BaseModifier):
        raise ValueError(f'{type(built).__name__} is not a modifier')
    built.init_weights()
    return built, card


def _described(modifier: BaseModifier, card: ModifierCard) -> str:
    geometry = card.geometry
    words = [
        f'{type(modifier).__name__} for crops of {geometry.crop_size} pixels with a '
        f'margin of {geometry.margin:g}',
    ]
    if card.trained_on:
        words.append(f'trained on {card.trained_on}')
    if card.licence:
        words.append(f'licence: {card.licence}')
    return '; '.join(words)


def _check_file(modifier: object) -> None:
    """Check that a file exists if the modifier is a file, before PyTorch is needed."""
    if not isinstance(modifier, str | Path):
        return
    if str(modifier).endswith((*_CONFIGS, *_CHECKPOINTS)):
        path = Path(modifier).expanduser()
        if not path.is_file():
            raise FileNotFoundError(f'modifier {modifier} does not exist')


def _without(modifier: object) -> str:
    """The part of the message that names modifiers without PyTorch."""
    if not isinstance(modifier, str) or modifier.endswith((*_CONFIGS, *_CHECKPOINTS)):
        return ''
    known = known_names()
    near = near_name(modifier, known)
    if near is not None and near != modifier:
        return f' (did you mean {near}?)'
    return f' (unlike {", ".join(known)})'


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
        f'there is no modifier {name!r}; there are '
        + ', '.join([*known_names(), *sorted(known)])
    )


def _modifier_names() -> set[str]:
    from mmanon.models.modifiers import BaseModifier
    from mmanon.registry import MODELS

    MODELS.get(f'mmanon.{DEFAULT_MODIFIER}')  # imports mmanon's modifiers
    return {
        name
        for name, kind in MODELS.module_dict.items()
        if isinstance(kind, type) and issubclass(kind, BaseModifier)
    }


def _from_config_file(path: Path) -> tuple[dict[str, Any], ModifierCard]:
    from mmengine.config import Config

    if not path.is_file():
        raise FileNotFoundError(f'modifier config {path} does not exist')
    config = Config.fromfile(path).to_dict()
    card = ModifierCard.from_config(config)
    if card is None:
        raise ValueError(
            f'{path} contains no modifier: it needs `modifier = dict(type=...)` or an '
            'AdversarialAnonymizationHook in `custom_hooks`'
        )
    hooks = [hook for _, hook in find_game_hooks(config)]
    said = config if config.get('modifier') is not None else hooks[0]
    # With its init_cfg, which the card leaves out and which may name weights.
    return dict(said['modifier']), card


def _load(
    modifier: BaseModifier, card: ModifierCard, path: Path, own_geometry: bool
) -> ModifierCard:
    """Load weights, and return the card completed by the card in their file.

    Args:
        own_geometry (bool): Whether to keep the crop geometry of the modifier's config.
    """
    from mmanon.models.modifier_files import fill_modifier
    from mmanon.models.weight_files import load_checkpoint, modifier_card

    if not path.is_file():
        raise FileNotFoundError(f'weights {path} do not exist')
    checkpoint = load_checkpoint(path)
    fill_modifier(modifier, checkpoint, path)
    try:
        told = modifier_card(checkpoint)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from None
    if told is None:
        return card
    geometry = card.geometry if own_geometry else told.geometry
    return replace(told, modifier=card.modifier, geometry=geometry)


@renamed_attributes(draw='modify')
class TorchModifier:
    """Runs a modifier in PyTorch.

    A modifier that draws noise gets the same noise for all faces of a track, so that a
    face does not flicker. The seed is secret, because whoever can draw the noise again
    can also remove it. A modifier that takes keys gets the key of each track instead.

    Args:
        modifier (BaseModifier): M.
        margin (float): The face box was enlarged on each side by this fraction of its
            longer side.
        seed (int, optional): Makes noise and keys repeatable. Defaults to a secret
            one.
        device (str): Where M runs. Defaults to ``'cpu'``.

    Attributes:
        place (Place): Where it runs: on the CPU if PyTorch cannot use the device.
        frames_at_once (int): As for :class:`.base.ModifierBackend`.
        learned (bool): Whether it is a learned modifier.
    """

    def __init__(
        self,
        modifier: BaseModifier,
        margin: float,
        seed: int | None = None,
        device: str = 'cpu',
    ) -> None:
        self.place = torch_place(device)
        self.margin, self.device = margin, self.place.device
        self.modifier = modifier.to(self.device)
        self.frames_at_once = 1 if self.device == 'cpu' else FRAMES_AT_ONCE
        self.learned = _is_learned(modifier)
        self._repeatable = seed is not None
        self.seed = secrets.randbits(62) if seed is None else seed
        self._keys = None
        if modifier.key_size:
            self._keys = TrackKeys(modifier.key_size, seed)
        self._draws_noise = self._keys is None and self._makes_noise()

    def modify(
        self, faces: np.ndarray, tracks: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Modify faces; see :class:`.base.ModifierBackend`."""
        if self.device == 'cpu':
            return self._modified(faces, tracks)
        answers = [
            self._modified(faces[part], tracks[part]) for part in parts_of(len(faces))
        ]
        drawn, masked = (np.concatenate(one) for one in zip(*answers, strict=True))
        return drawn, masked

    def _modified(
        self, faces: np.ndarray, tracks: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        import torch

        with torch.inference_mode():
            crops = torch.from_numpy(faces).to(self.device)
            if self._draws_noise:
                # Each face without a track gets its own noise.
                seeds = [
                    track if track >= 0 else self._number_of(face)
                    for face, track in zip(faces, tracks, strict=True)
                ]
                drawn, masked = self._drawn(crops, seeds)
            elif self._keys is not None:
                keys = torch.from_numpy(self._keys(faces, tracks)).to(self.device)
                drawn, masked = self._redrawn(crops, keys)
            else:
                drawn, masked = self._redrawn(crops)
        return drawn.float().cpu().numpy(), masked.cpu().numpy()

    def _number_of(self, face: np.ndarray) -> int:
        """The seed for the noise of a face without a track."""
        if not self._repeatable:
            return secrets.randbits(62)
        digest = blake2b(face.tobytes(), digest_size=8).digest()
        return int.from_bytes(digest, 'little') >> 2

    def _redrawn(
        self, crops: Tensor, keys: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        from mmanon.models.modifiers.covering import redraw_or_cover

        return redraw_or_cover(self.modifier, crops, self.margin, keys)

    def _makes_noise(self) -> bool:
        """Whether M's output depends on the seed."""
        import torch

        with torch.inference_mode():
            face = torch.linspace(-1, 1, 3 * 32 * 32, device=self.device)
            face = face.view(1, 3, 32, 32)
            first, second = (self._drawn(face, [number])[0] for number in (0, 1))
            return not torch.equal(first, second)

    def _drawn(self, faces: Tensor, seeds: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Modify each face with the noise of its seed."""
        import torch

        answers = []
        devices = [faces.device] if faces.is_cuda else []
        for face, seed in zip(faces, seeds, strict=True):
            with torch.random.fork_rng(devices):
                torch.manual_seed((self.seed + seed) % 2**63)
                answers.append(self._redrawn(face[None]))
        drawn, masked = zip(*answers, strict=True)
        return torch.cat(drawn), torch.cat(masked)


def _is_learned(modifier: BaseModifier) -> bool:
    from mmanon.models.modifiers import LearnedModifier

    return isinstance(modifier, LearnedModifier)
