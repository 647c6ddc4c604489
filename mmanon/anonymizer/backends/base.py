"""What draws the new faces: grey, a modifier in PyTorch, or one in an ONNX file."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mmanon.structures.crop_geometry import CropGeometry
from mmanon.utils.log import print_log

if TYPE_CHECKING:
    from torch import Tensor

    from mmanon.models.modifiers import BaseModifier

__all__ = ['FaceDrawer', 'ModifierDrawer', 'build_drawer']


class FaceDrawer(Protocol):
    """Draws new faces in the place of faces."""

    def draw(
        self, faces: np.ndarray, tracks: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw.

        Args:
            faces (np.ndarray): RGB face crops, (K, 3, S, S) float32 in [-1, 1], K >= 1.
            tracks (Sequence[int]): The number of each face's track, or -1.

        Returns:
            tuple[np.ndarray, np.ndarray]: What to show, of the same shape and range,
            and which of them were covered, since they would have come through nearly
            unchanged, (K,) bool.
        """


def build_drawer(
    modifier: str | Path | Mapping | BaseModifier | None = None,
    weights: str | Path | None = None,
    crop_size: int | None = None,
    margin: float | None = None,
    feather: float | None = None,
    device: str = 'cpu',
    seed: int | None = None,
) -> tuple[FaceDrawer | None, CropGeometry]:
    """Build what draws faces.

    Args:
        modifier (str, Path, Mapping or BaseModifier, optional): An ONNX file of
            :func:`mmanon.anonymizer.backends.onnx_modifier.export_modifier`, or what
            :func:`mmanon.anonymizer.backends.torch_modifier.build_modifier` takes.
            Defaults to grey.
        weights (str or Path, optional): Weights of a learned modifier.
        crop_size, margin, feather (optional): Where the geometry shall differ from
            what the modifier's config says.
        device (str): Where a modifier of PyTorch runs.
        seed (int, optional): Makes noise repeatable. Defaults to a secret one.

    Returns:
        tuple[FaceDrawer or None, CropGeometry]: What draws, ``None`` for one that
        covers faces by mid-grey; and what to show it.

    Raises:
        FileNotFoundError: When a file does not exist.
        ValueError: When arguments do not go together, or a file is not what it should
            be.
    """
    drawer: FaceDrawer | None = None
    geometry = CropGeometry()
    if modifier is None:
        if weights is not None:
            raise ValueError(f'name the modifier that {weights} are weights of')
        print_log(
            'no modifier was named: faces are covered by grey, which leaves nothing of '
            'them and needs no download'
        )
    elif isinstance(modifier, (str, Path)) and str(modifier).endswith('.onnx'):
        from .onnx_modifier import OnnxDrawer

        if weights is not None:
            raise ValueError(f'{modifier} has its weights in it; leave out {weights}')
        drawer = OnnxDrawer(modifier)
        geometry = drawer.geometry
        if (crop_size or geometry.crop_size, geometry.margin) != (
            geometry.crop_size,
            geometry.margin if margin is None else margin,
        ):
            raise ValueError(
                f'{modifier} was made for crops of {geometry.crop_size} pixels with a '
                f'margin of {geometry.margin:g}: leave out crop_size and margin, or '
                'export it anew'
            )
    else:
        from .torch_modifier import build_modifier

        built, geometry = build_modifier(modifier, weights)
        margin = geometry.margin if margin is None else margin
        drawer = ModifierDrawer(built, margin, seed, device)
    geometry = CropGeometry(
        crop_size or geometry.crop_size,
        geometry.margin if margin is None else margin,
        geometry.feather if feather is None else feather,
    )
    return drawer, geometry


class ModifierDrawer:
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

    def draw(
        self, faces: np.ndarray, tracks: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw; see :class:`FaceDrawer`."""
        import torch

        with torch.inference_mode():
            crops = torch.from_numpy(faces).to(self.device)
            if self._draws_noise:
                # A lone face has no track: each gets noise of its own.
                seeds = [one if one >= 0 else secrets.randbits(62) for one in tracks]
                drawn, covered = self._drawn(crops, seeds)
            else:
                drawn, covered = self._redrawn(crops)
        return drawn.float().cpu().numpy(), covered.cpu().numpy()

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
        return tuple(torch.cat(one) for one in zip(*answers, strict=True))
