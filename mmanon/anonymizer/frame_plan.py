"""A searched frame, and the masks of a frame.

Coordinates are pixels of the upright picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mmanon.face_detectors.kinds import FACES
from mmanon.structures.faces import Faces
from mmanon.utils.deprecation import renamed_attributes

__all__ = ['FaceMask', 'FramePlan', 'SearchedFrame', 'tilts']


@renamed_attributes(likeness='similarity')
@dataclass
class SearchedFrame:
    """A frame after the search for faces.

    Attributes:
        picture: Any object for the frame; it is passed on.
        faces (Faces): The faces found.
        size (tuple[int, int]): Width and height.
        thumbnail (np.ndarray): See :func:`thumbnail`.
        similarity (np.ndarray, optional): The similarity of each face to the known
            people, (k,); NaN if unknown.
        luma (np.ndarray, optional): The upright picture's brightness, uint8 (H, W), to
            follow faces in frames that were not searched or in which they were not
            found.
        looked (bool): Whether the frame was searched for faces.
    """

    picture: Any
    faces: Faces
    size: tuple[int, int]
    thumbnail: np.ndarray
    similarity: np.ndarray | None = None
    luma: np.ndarray | None = None
    looked: bool = True


@dataclass(frozen=True)
class FaceMask:
    """A box to cover.

    Attributes:
        box (np.ndarray): x1, y1, x2, y2 in pixels; it may extend beyond the frame.
        track (int): The number of the face's track; -1 if it has none.
        seen (bool): Whether the detector saw the face in this frame.
        score (float): The detector's confidence; 0 if it did not see the face.
        tilt (float): Angle of the head in radians, clockwise; 0 if unknown.
        face (np.ndarray, optional): The box of the face itself, steady along its track
            and without the safety margin of ``box``.
        kind (str): The kind of object; each kind has its own numbers of tracks.
    """

    box: np.ndarray
    track: int
    seen: bool
    score: float
    tilt: float = 0.0
    face: np.ndarray | None = None
    kind: str = FACES

    def moved(self, steps: np.ndarray) -> FaceMask:
        """The same mask, moved to the right and down by ``steps`` pixels, (2,)."""
        steps = np.tile(steps, 2)
        face = None if self.face is None else self.face + steps
        return replace(self, box=self.box + steps, face=face)


@renamed_attributes(covers='masks')
@dataclass
class FramePlan:
    """A frame and its masks.

    Attributes:
        picture: The object that was passed in.
        whole (bool): Whether the whole frame is covered, because it was not examined.
        masks (list[FaceMask]): The masks of faces and of other kinds of objects.
        spared (int): Number of faces that stay visible because their people are known.
        index (int): The number of the frame, from 0.
        polygons (list[np.ndarray]): More areas to cover, each (n, 2), x and y in
            pixels.
    """

    picture: Any
    whole: bool
    masks: list[FaceMask]
    spared: int = 0
    index: int = 0
    polygons: list[np.ndarray] = field(default_factory=list)

    def faces(self) -> list[FaceMask]:
        """The masks of faces only."""
        return [mask for mask in self.masks if mask.kind == FACES]

    def filled(self) -> FramePlan:
        """The same plan, in which masks of other kinds are polygons (their boxes).

        Polygons are filled with one colour, because a modifier draws only faces, and a
        licence plate may still be readable through a mosaic.
        """
        others = [mask for mask in self.masks if mask.kind != FACES]
        if not others:
            return self
        corners = [mask.box[[0, 1, 2, 1, 2, 3, 0, 3]].reshape(4, 2) for mask in others]
        return replace(self, masks=self.faces(), polygons=[*self.polygons, *corners])


def tilts(landmarks: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """The angles of heads, from the line through the eyes.

    Args:
        landmarks (np.ndarray): (k, 5, 2) in fractions of the picture, as in ``Faces``.
        size (Sequence[int]): Width and height of the picture.

    Returns:
        np.ndarray: Radians, clockwise, (k,); 0 if landmarks are unknown.
    """
    across, down = ((landmarks[:, 1] - landmarks[:, 0]) * np.asarray(size)).T
    return np.nan_to_num(np.arctan2(down, across))
