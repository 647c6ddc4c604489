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
        similarity (np.ndarray, optional): Of each face to the people searched for,
            (k,); NaN if unknown.
        luma (np.ndarray, optional): The upright picture's brightness, uint8 (H, W), for
            following faces that were not searched for or not found.
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
    """A box to mask.

    Attributes:
        box (np.ndarray): x1, y1, x2, y2 in pixels; it may leave the frame.
        track (int): The number of the face's track; -1 outside all tracks.
        seen (bool): Whether the detector saw the face in this frame.
        score (float): The detector's confidence; 0 where it saw nothing.
        tilt (float): By how many radians the head leans, clockwise; 0 where that is
            not known.
        face (np.ndarray, optional): The box of the face itself, as a detector reports
            it and steady along its track, without what is masked to be safe.
        kind (str): What kind of thing it is; numbers of tracks are those of its kind.
    """

    box: np.ndarray
    track: int
    seen: bool
    score: float
    tilt: float = 0.0
    face: np.ndarray | None = None
    kind: str = FACES

    def moved(self, steps: np.ndarray) -> FaceMask:
        """The same, so many pixels (2,) farther to the right and down."""
        steps = np.tile(steps, 2)
        face = None if self.face is None else self.face + steps
        return replace(self, box=self.box + steps, face=face)


@renamed_attributes(covers='masks')
@dataclass
class FramePlan:
    """A frame and what of it to mask.

    Attributes:
        picture: As it came in.
        whole (bool): Whether all of it must be masked, since nobody has examined it.
        masks (list[FaceMask]): The faces, and things of other kinds.
        spared (int): Faces left visible because of who they are.
        index (int): Which of the frames it is, from 0.
        polygons (list[np.ndarray]): More that is covered, each (n, 2), x and y.
    """

    picture: Any
    whole: bool
    masks: list[FaceMask]
    spared: int = 0
    index: int = 0
    polygons: list[np.ndarray] = field(default_factory=list)

    def faces(self) -> list[FaceMask]:
        """The masks of faces alone."""
        return [mask for mask in self.masks if mask.kind == FACES]

    def filled(self) -> FramePlan:
        """The same to be drawn: what is no face is a polygon, its box.

        A modifier has learned to draw faces, and what is read off a plate may come
        through a mosaic.
        """
        others = [mask for mask in self.masks if mask.kind != FACES]
        if not others:
            return self
        corners = [mask.box[[0, 1, 2, 1, 2, 3, 0, 3]].reshape(4, 2) for mask in others]
        return replace(self, masks=self.faces(), polygons=[*self.polygons, *corners])


def tilts(landmarks: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """By how much heads lean, by the line through the eyes.

    Args:
        landmarks (np.ndarray): (k, 5, 2) in fractions of the picture, as of ``Faces``.
        size (Sequence[int]): Width and height of the picture.

    Returns:
        np.ndarray: Radians, clockwise, (k,); 0 where landmarks are not known.
    """
    across, down = ((landmarks[:, 1] - landmarks[:, 0]) * np.asarray(size)).T
    return np.nan_to_num(np.arctan2(down, across))
