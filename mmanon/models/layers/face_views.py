"""The views of a recognizer: the face box, the whole crop, or the head in the frame.

A modifier redraws a crop around the face box. Features that identify people may also be
in the margin of the crop or outside the crop: hair, ears, neck, outline of the head.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from mmanon.models.layers.face_crops import crop_faces, paste_faces

__all__ = ['HEAD_MARGIN', 'VIEWS', 'FaceView']

VIEWS = ('face', 'crop', 'head')
"""The face box; the modifier's whole crop; the head in the frame, with the crop pasted
into it."""

HEAD_MARGIN = 0.5
"""Enlargement of the face box on each side that shows the head, as a fraction of its
side."""


@dataclass(frozen=True)
class FaceView:
    """A view of faces, for one geometry of the modifier's crops.

    Attributes:
        name (str): One of :data:`VIEWS`.
        crop_size (int): S, the side of the modifier's crops in pixels.
        margin (float): Enlargement of the face box on each side of these crops, as a
            fraction of its side.
        head_margin (float): Enlargement of the face box in images of the view
            ``'head'``; at least ``margin``.
        feather (float): Width of the band in which a pasted crop fades out, as a
            fraction of the crop's side.

    Raises:
        ValueError: If the view is unknown, or ``head_margin`` is less than ``margin``
            for the view ``'head'``.
    """

    name: str
    crop_size: int
    margin: float
    head_margin: float = HEAD_MARGIN
    feather: float = 0.0

    def __post_init__(self) -> None:
        if self.name not in VIEWS:
            raise ValueError(f'view must be one of {VIEWS}, got {self.name!r}')
        if self.name == 'head' and self.head_margin < self.margin:
            raise ValueError(
                f'head_margin={self.head_margin} is less than the margin {self.margin} '
                "of the modifier's crops: the view 'head' shows more than the crop; "
                'give a larger head_margin'
            )

    @cached_property
    def _edge(self) -> int:
        """Pixels of the frame on each side of the crop; whole pixels cut exactly."""
        if self.name != 'head':
            return 0
        wider = (1 + 2 * self.head_margin) / (1 + 2 * self.margin)
        return round(self.crop_size * (wider - 1) / 2)

    @property
    def image_size(self) -> int:
        """Side in pixels of the images of this view."""
        return self.crop_size + 2 * self._edge

    @property
    def image_margin(self) -> float:
        """Enlargement of the face box in these images, as a fraction of its side."""
        if not self._edge:
            return self.margin
        box = self.crop_size / (1 + 2 * self.margin)
        return (self.image_size / box - 1) / 2

    @property
    def shown_margin(self) -> float:
        """The margin to give a recognizer that cuts the face box out of its input.

        In the wider views it is 0: the recognizer uses the whole image as the face.
        """
        return self.margin if self.name == 'face' else 0.0

    def shows_the_same_as(self, other: 'FaceView') -> bool:
        """Whether a recognizer of the other view can use images of this view."""
        if (self.name, self.margin) != (other.name, other.margin):
            return False
        return self.name != 'head' or self == other

    def cut(self, images: Tensor) -> Tensor:
        """Cut the modifier's crops out of images.

        Args:
            images (Tensor): (K, 3, P, P) with P = :attr:`image_size`.

        Returns:
            Tensor: (K, 3, S, S).
        """
        if not self._edge:
            return images
        return crop_faces(images, self._boxes(images), self.crop_size)

    def put_back(self, images: Tensor, crops: Tensor) -> Tensor:
        """Paste crops back into images; shapes as in :meth:`cut`."""
        if not self._edge:
            return crops
        return paste_faces(images, crops, self._boxes(images), self.feather)

    def redraw(self, images: Tensor, redraw: Callable[[Tensor], Tensor]) -> Tensor:
        """Redraw the crops in images of this view.

        Args:
            images (Tensor): (K, 3, P, P) in [-1, 1].
            redraw (Callable): Maps crops (K, 3, S, S) to redrawn ones.

        Returns:
            Tensor: (K, 3, P, P) in [-1, 1].
        """
        return self.put_back(images, redraw(self.cut(images)))

    def _boxes(self, images: Tensor) -> Tensor:
        start, stop = float(self._edge), float(self._edge + self.crop_size)
        box = torch.tensor([0.0, start, start, stop, stop], dtype=torch.float64)
        boxes = box.repeat(len(images), 1)
        boxes[:, 0] = torch.arange(len(images))
        return boxes
