"""Cover the faces of pictures.

Faces are cut out and put back as :mod:`mmanon.models.layers.face_crops` does it for
training, but in NumPy, without gradients and without PyTorch.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from mmanon.structures.crop_geometry import CropGeometry
from mmanon.utils.deprecation import renamed_arguments, renamed_attributes

from .backends.base import DEFAULT_MODIFIER, ModifierBackend
from .backends.numpy_modifier import find_numpy_modifier
from .crop_sampling import cut_out, spread
from .mask_planner import FaceMask
from .places import (
    Place,
    Region,
    ellipse_in,
    ellipse_place,
    square_place,
    widest_fade,
)

__all__ = [
    'Cut',
    'Drawn',
    'FaceCompositor',
    'Region',
    'ellipse_in',
    'mask_whole',
    'widest_fade',
]

Drawn = tuple[Place, np.ndarray]
"""A place and the pixels to put there, (3, S, S) in [-1, 1]; grey is a single pixel."""

# For learned modifiers: the largest angle of a head in their crops, as in training, and
# the smallest longer side of a face box that they draw, in pixels. For a track that is
# already drawn the limit is lower, so that it does not flicker.
_LEAN = math.radians(20)
_SMALLEST, _GOES_ON = 24, 20
# The geometry of the default cover, for faces that the modifier does not draw.
_COVER = CropGeometry(crop_size=32)


def mask_whole(image: np.ndarray) -> None:
    """Fill a picture with mid-grey, in place."""
    image[:] = np.iinfo(image.dtype).max // 2


class Cut(NamedTuple):
    """The crops of one picture, (3, S, S) in [-1, 1] for each place.

    There are no crops if faces become grey. ``frame`` is the number of the picture in
    its source.
    """

    places: list[Place]
    crops: list[np.ndarray]
    frame: int


@renamed_attributes(redraw='apply', covered='masked', drawer='backend')
class FaceCompositor:
    """Cuts faces out, lets the backend modify them, and puts the result back.

    A learned modifier gets crops like those of its training: a square around the
    detected face, in which the head leans by at most 20 degrees. Faces smaller than
    those of the training get the anonymizer's default cover. Faces that the modifier
    leaves nearly unchanged get a solid mask. Both covers are ellipses.

    Args:
        backend (ModifierBackend, optional): Modifies faces; by default they become
            mid-grey.
        geometry (CropGeometry): The geometry of its crops.
        shape (str): ``'square'`` replaces the whole crop, ``'ellipse'`` an ellipse
            around the face, which leans as the head does. Defaults to ``'square'``.
        align (bool): Whether crops lean with the heads, so that the backend gets
            upright faces. Defaults to ``False``.
        mask_scale (float): Size of the ellipse as a multiple of the face box, at least
            1; it is limited by the crop. Defaults to 1.12.
        key_per (str): The scope of a key and of noise, one of :data:`.options.KEY_PER`.
            Defaults to ``'track'``.

    Attributes:
        masked (int): Number of faces so far that a learned modifier left nearly
            unchanged and that got a solid mask.
        covers (Counter): Number of faces of this source that a learned modifier did not
            draw, by reason: ``'too small'`` and ``'let through'``.

    Raises:
        ValueError: When the shape is unknown, or part of a face box would show.
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
        self.covers: Counter[str] = Counter()
        # This attribute of a backend is optional.
        self._learned = bool(getattr(backend, 'learned', False))
        self._cover = find_numpy_modifier(DEFAULT_MODIFIER)
        self._source = ''
        self._masked_tracks: set[int] = set()
        self._drawn_tracks: set[int] = set()

    @property
    def frames_at_once(self) -> int:
        """The number of frames for which one call of the backend is most efficient."""
        return getattr(self.backend, 'frames_at_once', 1)

    def begin(self, source: str) -> None:
        """Begin a picture or video, whose tracks are new ones.

        Args:
            source (str): Its name. With the same seed and the same name, tracks get the
                same keys again.
        """
        self._source = source
        self.covers.clear()
        self._masked_tracks.clear()
        self._drawn_tracks.clear()

    def places(self, size: Sequence[int], masks: Sequence[FaceMask]) -> list[Place]:
        """Where masks are drawn.

        Args:
            size (Sequence[int]): Width and height of the picture.
            masks (Sequence[FaceMask]): The masks.

        Returns:
            list[Place]: One for each mask that overlaps the picture.
        """
        places = (self._place(size, mask) for mask in masks)
        return [place for place in places if place.is_seen]

    def _place(self, size: Sequence[int], mask: FaceMask) -> Place:
        geometry = self.geometry
        drawn, face, tilt, shape = True, None, 0.0, self.shape
        if self._learned:
            face = mask.box if mask.face is None else mask.face
            drawn = self._is_drawn(mask.track, float((face[2:] - face[:2]).max()))
            tilt = math.copysign(max(abs(mask.tilt) - _LEAN, 0), mask.tilt)
        if self.align:
            tilt = mask.tilt
        if not drawn:
            geometry, face, tilt, shape = _COVER, None, 0.0, 'ellipse'
        place = square_place(
            mask.box, size, geometry.margin, mask.track, tilt, face, geometry.feather
        )._replace(drawn=drawn)
        if shape == 'square':
            return place
        return ellipse_place(place, size, mask.tilt, self.mask_scale)

    def _is_drawn(self, track: int, side: float) -> bool:
        """Whether a learned modifier draws a face with a longer side, in pixels."""
        drawn = side >= (_GOES_ON if track in self._drawn_tracks else _SMALLEST)
        if drawn and track >= 0:
            self._drawn_tracks.add(track)
        else:
            self._drawn_tracks.discard(track)
        return drawn

    def apply(
        self, image: np.ndarray, masks: Sequence[FaceMask], frame: int = 0
    ) -> list[Region]:
        """Cover the faces of a picture, in place.

        Args:
            image (np.ndarray): (H, W, 3) RGB, uint8 or uint16, upright.
            masks (Sequence[FaceMask]): The masks.
            frame (int): The number of the picture in its source. Defaults to 0.

        Returns:
            list[Region]: The changed rectangles, one for each mask that overlaps the
            picture.
        """
        cut = self.cut(image, masks, frame)
        self.put_back(image, self.drawn([cut])[0])
        return [place.region for place in cut.places]

    def cut(self, image: np.ndarray, masks: Sequence[FaceMask], frame: int = 0) -> Cut:
        """Cut the faces out of the original picture, also where masks overlap.

        Args:
            image, masks, frame: As for :meth:`apply`.
        """
        places = self.places(image.shape[1::-1], masks)
        sizes = {True: self.geometry.crop_size, False: _COVER.crop_size}
        shown = places if self.backend is not None else ()
        crops = [cut_out(image, place, sizes[place.drawn]) for place in shown]
        return Cut(places, crops, frame)

    def drawn(self, cuts: Sequence[Cut]) -> list[list[Drawn]]:
        """Draw the faces of several pictures in one call of M.

        Args:
            cuts (Sequence[Cut]): The pictures, in the order in which they are shown.

        Returns:
            list[list[Drawn]]: For each picture, the drawn face of each place; the place
            may have become smaller.
        """
        places = [place for cut in cuts for place in cut.places]
        faces: list[Drawn] = [
            (place, np.zeros((3, 1, 1), np.float32)) for place in places
        ]
        if self.backend is not None:
            crops = [crop for cut in cuts for crop in cut.crops]
            numbers = [
                self._number(one.track, cut.frame) for cut in cuts for one in cut.places
            ]
            for index, face in self._modified(places, crops, numbers):
                faces[index] = face
        each = iter(faces)
        return [[next(each) for _ in cut.places] for cut in cuts]

    def _modified(
        self,
        places: Sequence[Place],
        crops: Sequence[np.ndarray],
        numbers: Sequence[int],
    ) -> Iterator[tuple[int, Drawn]]:
        """Crops drawn by the modifier, or by the default cover if it does not draw."""
        for drawn, backend in ((True, self.backend), (False, self._cover)):
            chosen = [i for i, place in enumerate(places) if place.drawn == drawn]
            if not chosen or backend is None:
                continue
            faces, masked = backend.modify(
                np.stack([crops[index] for index in chosen]),
                [numbers[index] for index in chosen],
            )
            if drawn:
                tracks = [places[index].track for index in chosen]
                masked = self._masked_along_tracks(masked, tracks)
            else:
                self.covers['too small'] += len(chosen)
            for index, face, hidden in zip(chosen, faces, masked, strict=True):
                place = places[index]
                if hidden:
                    # A solid mask covers less than a drawn head with its surroundings.
                    place = self._in_its_ellipse(place)
                    face = np.zeros_like(face)
                yield index, (place, face)

    def _masked_along_tracks(
        self, masked: np.ndarray, tracks: Sequence[int]
    ) -> np.ndarray:
        """Keep the solid mask for the rest of a track, so that it does not flicker."""
        masked = masked.copy()
        for index, track in enumerate(tracks):
            if track >= 0 and masked[index]:
                self._masked_tracks.add(track)
            elif track in self._masked_tracks:
                masked[index] = True
        count = int(masked.sum())
        self.masked += count
        if count:
            self.covers['let through'] += count
        return masked

    def _in_its_ellipse(self, place: Place) -> Place:
        if not self._learned or place.axes is not None:
            return place
        return place.with_ellipse(0.0, self.mask_scale)

    def _number(self, track: int, frame: int) -> int:
        """The number that determines a key, different for each scope and source.

        It stays -1 for a face without a track, whose key is derived from its pixels.
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

    def put_back(self, image: np.ndarray, faces: Sequence[Drawn]) -> None:
        """Put the drawn faces into the picture, in place.

        Where places overlap, a pixel shows the place in which it lies deepest, as in
        :func:`mmanon.models.layers.face_crops.paste_faces`. The crop of one face
        therefore does not restore its original neighbour.

        Args:
            image (np.ndarray): The picture from which the faces were cut out.
            faces (Sequence[Drawn]): The result of :meth:`drawn`.
        """
        feathers = {True: self.geometry.feather, False: _COVER.feather}
        places = [place for place, _ in faces]
        fades = [one.fade(feathers[one.drawn], self.mask_scale) for one in places]
        peak = np.float32(np.iinfo(image.dtype).max / 2)
        for (place, face), fade in zip(faces, _shared(places, fades), strict=True):
            x1, y1, x2, y2 = place.region
            part = image[y1:y2, x1:x2]
            planes = part.transpose(2, 0, 1).astype(np.float32, order='C')
            planes += fade * ((spread(face, place) + 1) * peak - planes)
            part[:] = planes.round().clip(0, 2 * peak).transpose(1, 2, 0)


def _shared(
    places: Sequence[Place], fades: Sequence[np.ndarray]
) -> Sequence[np.ndarray]:
    """The weight of each place in each pixel, for overlapping places."""
    if not any(
        _meet(one.region, other.region)
        for index, one in enumerate(places)
        for other in places[:index]
    ):
        return fades
    regions = np.array([place.region for place in places])
    left, top = regions[:, :2].min(0)
    width, height = regions[:, 2:].max(0) - (left, top)
    whole = np.zeros((height, width), np.float32)
    deepest = np.full((height, width), -1, np.float32)
    owner = np.full((height, width), -1)
    inside = [
        np.s_[y1 - top : y2 - top, x1 - left : x2 - left] for x1, y1, x2, y2 in regions
    ]
    for index, (place, fade) in enumerate(zip(places, fades, strict=True)):
        here, depth = inside[index], place.depth()
        whole[here] += fade
        takes = (depth > deepest[here]) & (fade > 0)
        owner[here][takes] = index
        deepest[here][takes] = depth[takes]
    whole = whole.clip(0, 1)
    return [
        np.where(owner[here] == index, whole[here], np.float32(0))
        for index, here in enumerate(inside)
    ]


def _meet(one: Region, other: Region) -> bool:
    return all(one[i] < other[i + 2] and other[i] < one[i + 2] for i in (0, 1))
