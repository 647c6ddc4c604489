"""Redraws the faces of a picture in their place."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from mmanon.models.face_crops import (
    crop_faces,
    paste_faces,
    square_boxes,
    widest_feather,
)
from mmanon.models.modifiers import BaseModifier
from mmanon.models.modifiers.covering import redraw_or_cover

from .face_tracks import Cover
from .modifiers import CropGeometry

__all__ = ['FaceRedrawer', 'cover_whole']

_LARGEST = 1024  # pixels a side; a crop has far fewer, and larger windows cost memory


def cover_whole(image: np.ndarray) -> None:
    """Paint a picture mid-grey, in place."""
    image[:] = np.iinfo(image.dtype).max // 2


class FaceRedrawer:
    """Cuts faces out, modifies them, and puts them back.

    A modifier that draws noise gets the same for all faces of a track, so that a face
    does not flicker; the seed is secret, since noise that can be drawn again can be
    taken away again.

    Args:
        modifier (BaseModifier): M.
        geometry (CropGeometry): What M is shown.
        shape (str): ``'square'`` replaces the whole crop, ``'ellipse'`` its inner
            circle. Defaults to ``'square'``.
        seed (int, optional): Makes noise repeatable. Defaults to a secret one.
        device (str): Where M runs. Defaults to ``'cpu'``.

    Attributes:
        covered (int): Faces so far that a learned M would have let through, and that
            got a solid mask.

    Raises:
        ValueError: When the shape is another, or would let part of a face box show.
    """

    def __init__(
        self,
        modifier: BaseModifier,
        geometry: CropGeometry,
        shape: str = 'square',
        seed: int | None = None,
        device: str = 'cpu',
    ) -> None:
        if shape not in ('square', 'ellipse'):
            raise ValueError(f"shape must be 'square' or 'ellipse', got {shape!r}")
        widest = widest_feather(geometry.margin)
        if shape == 'ellipse':
            # Between the circle in the crop and the one around the square face box.
            widest = (1 - 2**0.5 / (1 + 2 * geometry.margin)) / 2
        if not 0 <= geometry.feather <= widest:
            raise ValueError(
                f'with margin={geometry.margin} and shape={shape!r} a feather of '
                f'{geometry.feather} would let part of a face show through: it must '
                f'be in [0, {max(widest, 0):.3f}]'
                + (', with a margin of at least 0.21' if widest < 0 else '')
            )
        self.geometry, self.shape = geometry, shape
        self.modifier = modifier.to(device)
        self.device = device
        self.seed = secrets.randbits(62) if seed is None else seed
        self.covered = 0
        self._draws_noise = self._makes_noise()

    @torch.no_grad()
    def _makes_noise(self) -> bool:
        """Whether M answers twice differently."""
        face = torch.linspace(-1, 1, 3 * 32 * 32, device=self.device)
        face = face.view(1, 3, 32, 32)
        first, second = (self._drawn(face, [number])[0] for number in (0, 1))
        return not torch.equal(first, second)

    def _drawn(self, faces: Tensor, seeds: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Each face modified by noise of its own seed."""
        answers = []
        devices = [faces.device] if faces.is_cuda else []
        for face, seed in zip(faces, seeds, strict=True):
            with torch.random.fork_rng(devices):
                torch.manual_seed((self.seed + seed) % 2**63)
                answers.append(
                    redraw_or_cover(self.modifier, face[None], self.geometry.margin)
                )
        return tuple(torch.cat(one) for one in zip(*answers, strict=True))

    @torch.no_grad()
    def redraw(
        self, image: np.ndarray, covers: Sequence[Cover]
    ) -> list[tuple[int, int, int, int]]:
        """Redraw faces in place.

        Args:
            image (np.ndarray): (H, W, 3) RGB, uint8 or uint16, upright.
            covers (Sequence[Cover]): Where.

        Returns:
            list[tuple]: (x1, y1, x2, y2) of the changed pixels, one for each cover
            that meets the picture.
        """
        height, width = image.shape[:2]
        squares, regions, tracks = [], [], []
        for cover in covers:
            box = torch.tensor([[0.0, *cover.box.tolist()]], dtype=torch.float64)
            square = square_boxes(box, self.geometry.margin)[0, 1:].numpy()
            x1, y1 = np.floor(square[:2]).astype(int).clip(0).tolist()
            x2, y2 = np.ceil(square[2:]).astype(int).clip(0).tolist()
            region = (x1, y1, min(x2, width), min(y2, height))
            if region[0] < region[2] and region[1] < region[3]:
                squares.append(square)
                regions.append(region)
                tracks.append(cover.track)
        if not regions:
            return []
        # All are cut out before any is put back: what M sees is the original.
        windows = [
            self._window(image, square, region)
            for square, region in zip(squares, regions, strict=True)
        ]
        size = self.geometry.crop_size
        crops = torch.cat([crop_faces(*window, size) for window in windows])
        crops = crops.to(self.device)
        if self._draws_noise:
            # A lone face has no track: each gets noise of its own.
            seeds = [one if one >= 0 else secrets.randbits(62) for one in tracks]
            drawn, covered = self._drawn(crops, seeds)
        else:
            drawn, covered = redraw_or_cover(self.modifier, crops, self.geometry.margin)
        self.covered += int(covered.sum())
        for face, (window, box), square, region in zip(
            drawn.cpu()[:, None].float(), windows, squares, regions, strict=True
        ):
            self._put_back(image, face, window, box, square, region)
        return regions

    def _window(
        self, image: np.ndarray, square: np.ndarray, region: tuple[int, int, int, int]
    ) -> tuple[Tensor, Tensor]:
        """The part of the picture a square shows, (1, 3, h, w), and the square in it.

        A large window is made smaller by a whole factor.
        """
        x1, y1, x2, y2 = region
        shrink = -(-max(x2 - x1, y2 - y1) // _LARGEST)
        part = image[y1:y2, x1:x2]
        size = (max(1, (x2 - x1) // shrink), max(1, (y2 - y1) // shrink))
        if shrink > 1:
            part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
        scale = np.tile([size[0] / (x2 - x1), size[1] / (y2 - y1)], 2)
        box = (square - [x1, y1, x1, y1]) * scale
        peak = np.iinfo(image.dtype).max / 2
        window = torch.from_numpy(part.astype(np.float32) / peak - 1)
        return window.permute(2, 0, 1)[None], torch.tensor([[0.0, *box.tolist()]])

    def _put_back(
        self,
        image: np.ndarray,
        face: Tensor,
        window: Tensor,
        box: Tensor,
        square: np.ndarray,
        region: tuple[int, int, int, int],
    ) -> None:
        x1, y1, x2, y2 = region
        pasted = paste_faces(window, face, box)[0].permute(1, 2, 0).numpy()
        if pasted.shape[:2] != (y2 - y1, x2 - x1):
            pasted = cv2.resize(
                pasted, (x2 - x1, y2 - y1), interpolation=cv2.INTER_LINEAR
            )
        peak = np.iinfo(image.dtype).max / 2
        fade = self._fade(square, region)[..., None]
        part = image[y1:y2, x1:x2]
        mixed = part + fade * ((pasted + 1) * peak - part)
        image[y1:y2, x1:x2] = mixed.round().clip(0, 2 * peak).astype(image.dtype)

    def _fade(
        self, square: np.ndarray, region: tuple[int, int, int, int]
    ) -> np.ndarray:
        """How much of each pixel is replaced, (h, w) float32 in [0, 1]."""
        x1, y1, x2, y2 = region
        # From -1 at one edge of the square to 1 at the other.
        side = square[2:] - square[:2]
        x = 2 * (np.arange(x1, x2) + 0.5 - square[0]) / side[0] - 1
        y = 2 * (np.arange(y1, y2) + 0.5 - square[1]) / side[1] - 1
        if self.shape == 'ellipse':
            away = np.sqrt(x**2 + y[:, None] ** 2)
        else:
            away = np.maximum(np.abs(x), np.abs(y)[:, None])
        depth = (1 - away) / 2
        if not self.geometry.feather:
            return (depth > 0).astype(np.float32)
        return (depth / self.geometry.feather).clip(0, 1).astype(np.float32)
