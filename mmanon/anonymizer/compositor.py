"""Draws over the faces of pictures in their place.

Faces are cut out and put back as :mod:`mmanon.models.layers.face_crops` does it for
training, here in NumPy: without gradients, for one face at a time, and without PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from mmanon.structures.crop_geometry import CropGeometry, widest_feather
from mmanon.utils.deprecation import renamed_arguments, renamed_attributes

from .backends.base import ModifierBackend
from .crop_sampling import cut_out, spread
from .mask_planner import FaceMask

__all__ = [
    'Cut',
    'FaceCompositor',
    'Region',
    'ellipse_in',
    'mask_whole',
    'widest_fade',
]

Region = tuple[int, int, int, int]
"""x1, y1, x2, y2 in whole pixels within a picture."""

# Sine of the angle up to which a head is as wide and as high as its box; and how many
# times as long as wide heads are.
_UPRIGHT, _LONG = 0.3, 1.3


def widest_fade(margin: float, shape: str, align: bool) -> float:
    """The widest feather with which no part of a face box shows through.

    An ellipse needs no such limit: its fade ends where the face begins, whatever the
    feather.

    Args:
        margin (float): Of the crop.
        shape (str), align (bool): As of :class:`FaceCompositor`.
    """
    if shape == 'ellipse':
        return 0.5
    if not align:
        return widest_feather(margin)
    # Between the circle in the crop, however it leans, and the one around the face box.
    return (1 - 2**0.5 / (1 + 2 * margin)) / 2


def mask_whole(image: np.ndarray) -> None:
    """Paint a picture mid-grey, in place."""
    image[:] = np.iinfo(image.dtype).max // 2


class Place(NamedTuple):
    """Where a face is drawn over.

    Attributes:
        square (np.ndarray): That of its crop, x1, y1, x2, y2 in pixels.
        region (Region): The pixels around what is changed.
        source (Region): The pixels of which the crop is made.
        track (int): The number of the face's track; -1 outside all tracks.
        tilt (float): By how many radians the square leans about its middle, clockwise.
        axes (np.ndarray, optional): Half the width and half the height of an ellipse
            about the same middle, in pixels, outside of which nothing is changed.
        lean (float): By how many radians the ellipse leans.
    """

    square: np.ndarray
    region: Region
    source: Region
    track: int
    tilt: float = 0.0
    axes: np.ndarray | None = None
    lean: float = 0.0


class Cut(NamedTuple):
    """The faces of one picture, cut out: (3, S, S) in [-1, 1] for each place.

    There are no crops where nothing but grey is drawn. ``frame`` is the number of
    the picture in its source.
    """

    places: list[Place]
    crops: list[np.ndarray]
    frame: int


@renamed_attributes(redraw='apply', covered='masked', drawer='backend')
class FaceCompositor:
    """Cuts faces out, has them modified, and puts the result in their place.

    Args:
        backend (ModifierBackend, optional): What modifies faces; they are mid-grey by
            default.
        geometry (CropGeometry): What it is shown.
        shape (str): ``'square'`` replaces the whole crop, ``'ellipse'`` an ellipse
            around the face, which leans as the head does. Defaults to ``'square'``.
        align (bool): Whether crops lean as the heads do, so that the backend is shown
            upright faces. Defaults to ``False``.
        mask_scale (float): Width and height of the ellipse in parts of the face box's,
            at least 1, and at most what the crop holds. Defaults to 1.12.
        key_per (str): What has a key, and noise, of its own, one of
            :data:`.options.KEY_PER`. Defaults to ``'track'``.

    Attributes:
        masked (int): Faces so far that a learned modifier would have let through, and
            that got a solid mask.

    Raises:
        ValueError: When the shape is another, or would let part of a face box show.
    """

    @renamed_arguments(drawer='backend')
    def __init__(
        self,
        backend: ModifierBackend | None,
        geometry: CropGeometry,
        shape: str = 'square',
        align: bool = False,
        mask_scale: float = 1.12,
        key_per: str = 'track',
    ) -> None:
        if not (1 <= mask_scale < math.inf):
            raise ValueError(f'mask_scale must be at least 1, got {mask_scale}')
        if shape not in ('square', 'ellipse'):
            raise ValueError(f"shape must be 'square' or 'ellipse', got {shape!r}")
        widest = widest_fade(geometry.margin, shape, align)
        if not 0 <= geometry.feather <= widest:
            raise ValueError(
                f'with margin={geometry.margin}, shape={shape!r} and align={align} a '
                f'feather of {geometry.feather} would let part of a face show through: '
                f'it must be in [0, {max(widest, 0):.3f}]'
                + (', with a margin of at least 0.21' if widest < 0 else '')
            )
        self.backend, self.geometry, self.shape = backend, geometry, shape
        self.align, self.key_per = align, key_per
        self.mask_scale = min(mask_scale, 1 + 2 * geometry.margin)
        self.masked = 0
        self._source = ''
        self._masked_tracks: set[int] = set()

    @property
    def frames_at_once(self) -> int:
        """The faces of how many frames the backend is best given in one call."""
        return getattr(self.backend, 'frames_at_once', 1)

    def begin(self, source: str) -> None:
        """Begin a picture or video; its tracks are others than those before.

        Args:
            source (str): Its name. Where seeds are the same, so are the keys of the
                tracks of a source of this name.
        """
        self._source = source
        self._masked_tracks.clear()

    def places(self, size: Sequence[int], masks: Sequence[FaceMask]) -> list[Place]:
        """Where the masks that meet a picture are drawn.

        Args:
            size (Sequence[int]): Width and height of the picture.
            masks (Sequence[FaceMask]): Which.

        Returns:
            list[Place]: One for each mask that meets the picture.
        """
        places = []
        for mask in masks:
            low, high = mask.box[:2], mask.box[2:]
            half = (high - low).max() * (0.5 + self.geometry.margin)
            centre = (low + high) / 2
            square = np.concatenate([centre - half, centre + half])
            tilt = mask.tilt if self.align else 0.0
            axes, lean = None, 0.0
            reach = np.repeat(half * (abs(np.cos(tilt)) + abs(np.sin(tilt))), 2)
            source = region = _within(centre, reach, size)
            if self.shape == 'ellipse':
                axes, lean = ellipse_in((high - low) / 2, mask.tilt)
                axes = np.minimum(axes * self.mask_scale, half)
                cos, sin = np.cos(lean), np.sin(lean)
                reach = np.hypot(*(axes[:, None] * [[cos, sin], [sin, cos]]))
                region = _within(centre, reach, size)
            if region[0] < region[2] and region[1] < region[3]:
                place = Place(square, region, source, mask.track, tilt, axes, lean)
                places.append(place)
        return places

    def apply(
        self, image: np.ndarray, masks: Sequence[FaceMask], frame: int = 0
    ) -> list[Region]:
        """Draw masks over the faces of a picture, in place.

        Args:
            image (np.ndarray): (H, W, 3) RGB, uint8 or uint16, upright.
            masks (Sequence[FaceMask]): Where.
            frame (int): Which of its source's pictures it is. Defaults to 0.

        Returns:
            list[Region]: The changed pixels, one for each mask that meets the picture.
        """
        cut = self.cut(image, masks, frame)
        self.put_back(image, cut, self.drawn([cut])[0])
        return [place.region for place in cut.places]

    def cut(self, image: np.ndarray, masks: Sequence[FaceMask], frame: int = 0) -> Cut:
        """Cut the faces out: what M sees is the original, wherever masks overlap.

        Args:
            image, masks, frame: As of :meth:`apply`.
        """
        places, size = self.places(image.shape[1::-1], masks), self.geometry.crop_size
        shown = places if self.backend is not None else ()
        return Cut(places, [cut_out(image, place, size) for place in shown], frame)

    def drawn(self, cuts: Sequence[Cut]) -> list[list[np.ndarray]]:
        """What is to be put in each place of several pictures, of one call of M.

        Args:
            cuts (Sequence[Cut]): Of the pictures, in the order they are shown.

        Returns:
            list: For each picture, (S, S, 3) in [-1, 1] for each of its places; grey is
            one pixel.
        """
        tracks = [place.track for cut in cuts for place in cut.places]
        if self.backend is None or not tracks:
            return [[np.zeros((1, 1, 3), np.float32)] * len(one.places) for one in cuts]
        crops = np.stack([crop for cut in cuts for crop in cut.crops])
        numbers = [
            self._number(one.track, cut.frame) for cut in cuts for one in cut.places
        ]
        drawn, masked = self.backend.modify(crops, numbers)
        shown, masked = list(drawn.transpose(0, 2, 3, 1)), masked.copy()
        for index, track in enumerate(tracks):
            # A face that had to be masked once stays so: its mask does not flicker.
            if track >= 0 and masked[index]:
                self._masked_tracks.add(track)
            elif track in self._masked_tracks:
                shown[index] = np.zeros_like(shown[index])
                masked[index] = True
        self.masked += int(masked.sum())
        faces = iter(shown)
        return [[next(faces) for _ in cut.places] for cut in cuts]

    def put_back(
        self, image: np.ndarray, cut: Cut, faces: Sequence[np.ndarray]
    ) -> None:
        """Put what was drawn in the place of the faces, in the picture itself.

        Args:
            image (np.ndarray): The picture of which ``cut`` was cut out.
            cut (Cut): Where.
            faces (Sequence[np.ndarray]): Of :meth:`drawn`.
        """
        for place, face in zip(cut.places, faces, strict=True):
            self._put_back(image, place, face)

    def _number(self, track: int, frame: int) -> int:
        """The number of what has a key of its own, among all sources.

        -1 stays where it is a face of no track: its key comes of its pixels.
        """
        if self.key_per == 'video':
            about = 'all'
        elif track < 0:
            return track
        elif self.key_per == 'frame':
            about = f'{track} in {frame}'
        elif not self._source:
            return track
        else:
            about = str(track)
        digest = blake2b(f'{about} of {self._source}'.encode(), digest_size=8).digest()
        return int.from_bytes(digest, 'little') >> 2

    def _put_back(self, image: np.ndarray, place: Place, face: np.ndarray) -> None:
        x1, y1, x2, y2 = place.region
        face = spread(face, place)
        peak = np.iinfo(image.dtype).max / 2
        part = image[y1:y2, x1:x2].astype(np.float32)
        part += self._fade(place)[..., None] * ((face + 1) * peak - part)
        image[y1:y2, x1:x2] = part.round().clip(0, 2 * peak).astype(image.dtype)

    def _fade(self, place: Place) -> np.ndarray:
        """How much of each pixel is replaced, (h, w) float32 in [0, 1]."""
        square, (x1, y1, x2, y2) = place.square, place.region
        side, feather = square[2:] - square[:2], self.geometry.feather
        half, lean = side / 2, place.tilt
        if place.axes is not None:
            half, lean = place.axes, place.lean
        # In pixels from the middle, along the axes.
        x = (np.arange(x1, x2) + 0.5 - square[[0, 2]].mean()).astype(np.float32)
        y = (np.arange(y1, y2) + 0.5 - square[[1, 3]].mean()).astype(np.float32)
        y = y[:, None]
        if lean:
            cos, sin = np.float32(np.cos(lean)), np.float32(np.sin(lean))
            x, y = cos * x + sin * y, cos * y - sin * x
        x, y = x / np.float32(half[0]), y / np.float32(half[1])
        # From 0 in the middle to 1 at the edge.
        if place.axes is None:
            away = np.maximum(np.abs(x), np.abs(y))
            fade = 2 * feather
        else:
            away = np.sqrt(x**2 + y**2)
            # What lies in the face box stays outside the edge that fades.
            fade = min(
                feather * float(side.max() / half.min()), 1 - 1 / self.mask_scale
            )
        if not fade:
            return (away < 1).astype(np.float32)
        return ((1 - away) / fade).clip(0, 1)


def _within(centre: np.ndarray, reach: np.ndarray, size: Sequence[int]) -> Region:
    """The whole pixels of a picture within a reach; none where x1 >= x2 or y1 >= y2."""
    x1, y1 = np.floor(centre - reach).astype(int).clip(0).tolist()
    x2, y2 = np.minimum(np.ceil(centre + reach), size).astype(int).tolist()
    return x1, y1, x2, y2


def ellipse_in(half: np.ndarray, tilt: float) -> tuple[np.ndarray, float]:
    """The ellipse of a head in the box around it.

    Args:
        half (np.ndarray): Half the width and half the height of the box, in pixels.
        tilt (float): Radians by which the head leans, clockwise.

    Returns:
        tuple[np.ndarray, float]: Half the ellipse's width and half its height, across
        and along the head, and the radians by which it leans. It reaches as far to each
        side as the box, or farther.
    """
    if abs(np.sin(tilt)) < _UPRIGHT and np.cos(tilt) > 0:
        return half, tilt
    # Of one that leans the box does not tell how long it is: as long as heads are.
    cos, sin = np.cos(tilt) ** 2, np.sin(tilt) ** 2
    across = max(
        half[0] / np.sqrt(cos + _LONG**2 * sin),
        half[1] / np.sqrt(_LONG**2 * cos + sin),
    )
    return np.array([across, _LONG * across]), tilt
