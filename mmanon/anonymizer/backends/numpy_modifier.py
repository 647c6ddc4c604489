"""Hand-crafted modifiers in NumPy, to anonymize without PyTorch.

Each modifier multiplies the rows and then the columns of a crop by one matrix of
weights. :mod:`mmanon.models.modifiers.handcrafted` does the same in PyTorch for
training; a test compares the two.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmanon.utils.devices import Place

__all__ = [
    'NUMPY_MODIFIERS',
    'SHORT_NAMES',
    'MixingModifier',
    'SolidModifier',
    'find_numpy_modifier',
    'registered_config',
]


def pixelating(size: int, blocks: int) -> np.ndarray:
    """Weights (size, size) that draw a mosaic of squares of one colour."""
    nearest = np.floor((np.arange(size) + 0.5) * (blocks / size)).astype(int)
    return _averaging(size, blocks)[nearest.clip(0, blocks - 1)]


def downsampling(size: int, left: int) -> np.ndarray:
    """Weights (size, size) that shrink a side to ``left`` and enlarge it bilinearly."""
    place = ((np.arange(size) + 0.5) * (left / size) - 0.5).clip(0, left - 1)
    first = np.floor(place).astype(int)
    part = (place - first)[:, None]
    small = _averaging(size, left)
    return (1 - part) * small[first] + part * small[(first + 1).clip(max=left - 1)]


def blurring(size: int, sigma: float) -> np.ndarray:
    """Weights (size, size) that blur by a fraction of the side and reflect borders."""
    # A reflection cannot extend beyond the opposite edge.
    reach = min(math.ceil(3 * sigma * size), size - 1)
    away = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (away / (sigma * size)) ** 2)
    kernel /= kernel.sum()
    weights = np.zeros((size, size))
    rows = np.arange(size)
    for step, weight in zip(away, kernel, strict=True):
        place = np.abs(rows + step)
        place = np.where(place >= size, 2 * (size - 1) - place, place)
        np.add.at(weights, (rows, place), weight)
    return weights


def _averaging(size: int, parts: int) -> np.ndarray:
    """Weights (parts, size) of pixels in the mean of each part; parts may overlap."""
    first = np.floor(np.arange(parts) * (size / parts))[:, None]
    behind = np.ceil(np.arange(1, parts + 1) * (size / parts))[:, None]
    places = np.arange(size)
    weights = ((places >= first) & (places < behind)).astype(float)
    return weights / weights.sum(1, keepdims=True)


_PLACE = Place('cpu', 'NumPy')


class MixingModifier:
    """Mixes the pixels of faces; a :class:`.base.ModifierBackend`.

    Args:
        weights (callable): Maps the side of a face, S, to weights (S, S). Each row has
            the weights of a pixel for the pixels of its row or column.
    """

    place, frames_at_once = _PLACE, 1

    def __init__(self, weights: Callable[[int], np.ndarray]) -> None:
        self._weights = lru_cache(maxsize=4)(weights)

    def modify(
        self, faces: np.ndarray, tracks: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Modify faces; see :class:`.base.ModifierBackend`."""
        weights = self._weights(faces.shape[-1]).astype(np.float32)
        drawn = np.matmul(np.matmul(weights, faces), weights.T).clip(-1, 1)
        return drawn, np.zeros(len(faces), bool)


class SolidModifier:
    """Fills faces with one colour; a :class:`.base.ModifierBackend`.

    Args:
        color (Sequence[float]): RGB in [-1, 1]. Defaults to mid-grey.

    Raises:
        ValueError: When the colour is not RGB in [-1, 1].
    """

    place, frames_at_once = _PLACE, 1

    def __init__(self, color: Sequence[float] = (0.0, 0.0, 0.0)) -> None:
        if len(color) != 3 or not all(-1 <= part <= 1 for part in color):
            raise ValueError(f'color must be RGB in [-1, 1], got {color}')
        self.color = np.array(color, np.float32).reshape(3, 1, 1)

    def modify(
        self, faces: np.ndarray, tracks: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Modify faces; see :class:`.base.ModifierBackend`."""
        drawn = np.broadcast_to(self.color, faces.shape)
        return drawn, np.zeros(len(faces), bool)


def _pixelate(blocks: int = 8) -> MixingModifier:
    _check_whole('blocks', blocks)
    return MixingModifier(lambda size: pixelating(size, blocks))


def _downsample(size: int = 8) -> MixingModifier:
    _check_whole('size', size)
    return MixingModifier(lambda side: downsampling(side, size))


def _blur(sigma: float = 0.06) -> MixingModifier:
    # This form also rejects NaN.
    if not 0 < sigma < math.inf:
        raise ValueError(f'sigma must be a finite number above 0, got {sigma!r}')
    return MixingModifier(lambda size: blurring(size, sigma))


def _check_whole(name: str, value: int) -> None:
    if not isinstance(value, int) or value < 1:
        raise ValueError(f'{name} must be a whole number >= 1, got {value!r}')


class _Kind(NamedTuple):
    build: Callable[..., MixingModifier | SolidModifier]
    short: tuple[str, ...]  # short names


_KINDS = {
    'PixelateModifier': _Kind(_pixelate, ('pixelate', 'mosaic')),
    'DownsampleModifier': _Kind(_downsample, ('downsample',)),
    'GaussianBlurModifier': _Kind(_blur, ('blur', 'gaussianblur')),
    'SolidMaskModifier': _Kind(SolidModifier, ('mask', 'solidmask', 'grey', 'gray')),
}
# Solid colours; users can replace green by something of their own.
_COLOURS = {
    'black': (-1.0, -1.0, -1.0),
    'white': (1.0, 1.0, 1.0),
    'green': (-1.0, 1.0, -1.0),
}
SHORT_NAMES = (*(kind.short[0] for kind in _KINDS.values()), *_COLOURS)
"""Short names of the modifiers that need no PyTorch."""
NUMPY_MODIFIERS = tuple(_KINDS)
"""Names of the registered modifiers that need no PyTorch."""


def find_numpy_modifier(
    modifier: str | Path | Mapping[str, Any],
) -> MixingModifier | SolidModifier | None:
    """Build a modifier that needs no PyTorch.

    Args:
        modifier (str, Path or Mapping): Its full or short name, or its config.

    Returns:
        MixingModifier, SolidModifier or None: ``None`` for any other modifier.

    Raises:
        TypeError: When the config has an unknown argument.
        ValueError: When an argument is out of its range.
    """
    config = modifier if isinstance(modifier, Mapping) else {'type': str(modifier)}
    name = config.get('type')
    if isinstance(name, str) and len(config) == 1 and _short(name) in _COLOURS:
        return SolidModifier(_COLOURS[_short(name)])
    found = registered_config(config)
    if found is None:
        return None
    return _KINDS[found.pop('type')].build(**found)


def registered_config(
    modifier: str | Path | Mapping[str, Any],
) -> dict[str, Any] | None:
    """The config of a modifier that exists both in NumPy and in PyTorch.

    Args:
        modifier (str, Path or Mapping): Its full or short name, or its config.

    Returns:
        dict or None: The config with the full name of the registered modifier as
        ``type``; ``None`` for any other modifier and for the named colours.
    """
    config = modifier if isinstance(modifier, Mapping) else {'type': str(modifier)}
    name = config.get('type')
    if not isinstance(name, str):
        return None
    for full, kind in _KINDS.items():
        if name.removeprefix('mmanon.') == full or _short(name) in kind.short:
            return {**config, 'type': full}
    return None


def _short(name: str) -> str:
    return name.removeprefix('mmanon.').lower().replace('_', '')
