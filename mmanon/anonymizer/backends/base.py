"""Backends that modify faces: in NumPy, in ONNX Runtime, or in PyTorch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mmanon.shipped import find_modifier, list_modifiers
from mmanon.structures.crop_geometry import CropGeometry
from mmanon.utils.devices import torch_place

from .numpy_modifier import SHORT_NAMES, find_numpy_modifier

if TYPE_CHECKING:
    from mmanon.models.modifiers import BaseModifier

__all__ = [
    'DEFAULT_MODIFIER',
    'FRAMES_AT_ONCE',
    'ModifierBackend',
    'build_backend',
    'known_names',
    'parts_of',
]

DEFAULT_MODIFIER = {'type': 'DownsampleModifier', 'size': 4}
"""The default cover: 16 mean colours of the crop with smooth transitions: a face
becomes a blob of its own colours."""


FRAMES_AT_ONCE = 8
"""Number of video frames whose faces a GPU gets in one call. With one frame it is
idle most of the time."""

_FACES_AT_ONCE = 64


def parts_of(count: int) -> Iterator[slice]:
    """Split a number of faces into parts that fit into a GPU's memory."""
    for start in range(0, count, _FACES_AT_ONCE):
        yield slice(start, start + _FACES_AT_ONCE)


class ModifierBackend(Protocol):
    """Draws new faces instead of the original ones.

    A backend may have three more attributes:

    - ``place`` (Place): where it runs;
    - ``frames_at_once`` (int): for how many frames one call is most efficient. Defaults
      to 1.
    - ``learned`` (bool): whether it gets crops as in training; see
      :class:`mmanon.anonymizer.compositor.FaceCompositor`. Defaults to ``False``.
    """

    def modify(
        self, faces: np.ndarray, tracks: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Modify faces.

        Args:
            faces (np.ndarray): RGB face crops, (K, 3, S, S) float32 in [-1, 1], K >= 1.
            tracks (Sequence[int]): The number of each face's track, or -1.

        Returns:
            tuple[np.ndarray, np.ndarray]: The drawn faces, of the same shape and range,
            and which of them are a solid mask because the modifier left them nearly
            unchanged, (K,) bool.
        """


def build_backend(
    modifier: str | Path | Mapping | BaseModifier | None = None,
    weights: str | Path | None = None,
    crop_size: int | None = None,
    margin: float | None = None,
    feather: float | None = None,
    device: str = 'cpu',
    seed: int | None = None,
) -> tuple[ModifierBackend, CropGeometry]:
    """Build the backend of a modifier.

    Args:
        modifier (str, Path, Mapping or BaseModifier, optional): An ONNX file of
            :func:`.onnx_modifier.export_modifier`; the name or config of a modifier
            of :data:`.numpy_modifier.NUMPY_MODIFIERS`, which need no PyTorch
            (``'pixelate'``, ``'blur'``, ``'downsample'``, ``'grey'``); the name of a
            learned one (:func:`mmanon.shipped.list_modifiers`), which needs no PyTorch
            on the CPU; or any argument of :func:`.torch_modifier.build_modifier`.
            Defaults to :data:`DEFAULT_MODIFIER`.
        weights (str or Path, optional): Weights of a learned modifier.
        crop_size, margin, feather (optional): The crop geometry, if it is to differ
            from the modifier's own.
        device (str): Where the modifier runs, as for :func:`.devices.check_device`.
            Modifiers that exist only in NumPy stay on the CPU. So does the default: to
            compute its 16 colours is faster than to send them to a GPU.
        seed (int, optional): Makes noise and keys repeatable. Defaults to a secret
            one.

    Returns:
        tuple[ModifierBackend, CropGeometry]: The backend, and the geometry of its
        crops.

    Raises:
        FileNotFoundError: When a file does not exist.
        ImportError: When a package that the modifier needs is not installed.
        ValueError: When arguments contradict each other, or a file has another format.
    """
    backend: ModifierBackend
    geometry = CropGeometry()
    if isinstance(modifier, str) and find_numpy_modifier(modifier) is None:
        modifier = _named_file(modifier, device) or modifier
    if modifier is None:
        if weights is not None:
            raise ValueError(
                f'the weights {weights} need the name of their modifier; or give the '
                'file itself as the modifier'
            )
        default = find_numpy_modifier(DEFAULT_MODIFIER)
        assert default is not None
        backend = default
        # Sixteen colours need no larger crop, and a small crop takes little time.
        geometry = CropGeometry(crop_size=32)
    elif isinstance(modifier, str | Path) and str(modifier).endswith('.onnx'):
        from .onnx_modifier import OnnxModifier

        if weights is not None:
            raise ValueError(f'{modifier} contains its weights; leave out {weights}')
        backend = OnnxModifier(modifier, seed, device)
        geometry = backend.geometry
        if crop_size not in (None, geometry.crop_size) or margin not in (
            None,
            geometry.margin,
        ):
            raise ValueError(
                f'{modifier} was made for crops of {geometry.crop_size} pixels with a '
                f'margin of {geometry.margin:g}: leave out crop_size and margin, or '
                'export it again'
            )
    elif (
        weights is None
        and isinstance(modifier, str | Path | Mapping)
        and (found := find_numpy_modifier(modifier)) is not None
    ):
        drawn_there, missing = _on_gpu(modifier, seed, device)
        found.place = replace(found.place, missing=missing)
        backend = drawn_there or found
    else:
        from .torch_modifier import TorchModifier, build_modifier

        built, geometry = build_modifier(modifier, weights)
        margin = geometry.margin if margin is None else margin
        backend = TorchModifier(built, margin, seed, device)
    return backend, CropGeometry(
        geometry.crop_size if crop_size is None else crop_size,
        geometry.margin if margin is None else margin,
        geometry.feather if feather is None else feather,
    )


def known_names() -> list[str]:
    """The names of the modifiers that need no PyTorch, learned ones first."""
    learned = [one.name for one in list_modifiers() if one.onnx is not None]
    return [*learned, *SHORT_NAMES]


def _named_file(name: str, device: str) -> Path | None:
    """The file of the learned modifier with this name; None if there is none."""
    named = find_modifier(name)
    if named is None:
        return None
    # PyTorch if it can use the requested GPU; otherwise ONNX Runtime, which starts
    # faster.
    if device == 'cpu' or torch_place(device).missing is not None:
        return named.onnx or named.weights
    return named.weights or named.onnx


def _on_gpu(
    modifier: str | Path | Mapping, seed: int | None, device: str
) -> tuple[ModifierBackend | None, str | None]:
    """A hand-crafted modifier in PyTorch on a GPU, or None and what is missing for it.

    Nothing is missing if no GPU is requested, or for a modifier that exists only in
    NumPy.
    """
    from .numpy_modifier import registered_config

    config = registered_config(modifier)
    if device == 'cpu' or config is None:
        return None, None
    missing = torch_place(device).missing
    if missing is None and find_spec('mmengine') is None:
        missing = 'MMEngine is not installed'
    if missing is not None:
        return None, missing
    from .torch_modifier import TorchModifier, build_modifier

    built, geometry = build_modifier({**config, 'type': f'mmanon.{config["type"]}'})
    return TorchModifier(built, geometry.margin, seed, device), None
