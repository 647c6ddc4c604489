"""Annotated boxes that take the faces of their image along, wherever its pixels go.

mmdet's transforms that mix images (Mosaic, MixUp) record no map of the pixels, but they
move the annotated boxes of every image by the methods of a box class. Here those
methods move the image's faces as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.structures.bbox import BaseBoxes, HorizontalBoxes

__all__ = ['AttachFaces', 'BoxesWithFaces']


class BoxesWithFaces(HorizontalBoxes):
    """The annotated boxes of an image, together with its faces.

    Boxes can be clipped, chosen and left out; all faces stay, whole, and follow the
    pixels. What this class does not know how to do with faces raises a TypeError.

    Args:
        data (Tensor): Annotated boxes (n, 4), x1, y1, x2, y2 in pixels.
        faces (HorizontalBoxes): Boxes of the faces (k, 4) in pixels.
        covers (np.ndarray): bool (k,), which of them are whole frames that nobody has
            examined.
    """

    def __init__(
        self, data: Any, faces: HorizontalBoxes, covers: np.ndarray, **kwargs: Any
    ) -> None:
        super().__init__(data, **kwargs)
        self.faces = faces
        self.covers = covers

    @property
    def plain(self) -> HorizontalBoxes:
        """The annotated boxes alone."""
        return HorizontalBoxes(self.tensor, clone=False)

    def _beside(self, boxes: BaseBoxes) -> BoxesWithFaces:
        """The same faces with other annotated boxes."""
        faces = self.faces.clone()
        return BoxesWithFaces(boxes.tensor, faces, self.covers.copy(), clone=False)

    # What moves pixels.

    def flip_(self, img_shape: tuple[int, int], direction: str = 'horizontal') -> None:
        """Flip boxes and faces in an image of (height, width)."""
        super().flip_(img_shape, direction)
        self.faces.flip_(img_shape, direction)

    def translate_(self, distances: tuple[float, float]) -> None:
        """Shift boxes and faces by (x, y)."""
        super().translate_(distances)
        self.faces.translate_(distances)

    def rotate_(self, center: tuple[float, float], angle: float) -> None:
        """Turn boxes and faces."""
        super().rotate_(center, angle)
        self.faces.rotate_(center, angle)

    def project_(self, homography_matrix: Any) -> None:
        """Send boxes and faces through a homography (3, 3)."""
        super().project_(homography_matrix)
        self.faces.project_(homography_matrix)

    def rescale_(self, scale_factor: tuple[float, float]) -> None:
        """Scale the image of boxes and faces by (x, y)."""
        super().rescale_(scale_factor)
        self.faces.rescale_(scale_factor)

    # What chooses, copies and joins boxes.

    def __getitem__(self, index: Any) -> BoxesWithFaces:
        return self._beside(self.plain[index])

    def clone(self) -> BoxesWithFaces:
        """A copy of boxes and faces."""
        return self._beside(self.plain.clone())

    def __deepcopy__(self, memo: dict) -> BoxesWithFaces:
        return self.clone()

    @classmethod
    def cat(cls, box_list: Sequence[BoxesWithFaces], dim: int = 0) -> BoxesWithFaces:
        """Join the boxes, and the faces, of images that become one.

        Raises:
            TypeError: If the faces of one are not known.
        """
        if not all(isinstance(boxes, BoxesWithFaces) for boxes in box_list):
            raise TypeError(
                'images whose faces are known are mixed with one whose faces are not'
            )
        return BoxesWithFaces(
            HorizontalBoxes.cat([boxes.plain for boxes in box_list], dim).tensor,
            HorizontalBoxes.cat([boxes.faces for boxes in box_list]),
            np.concatenate([boxes.covers for boxes in box_list]),
            clone=False,
        )

    def convert_to(self, dst_type: str | type) -> BaseBoxes:
        """The annotated boxes as boxes of another type."""
        return self.plain.convert_to(dst_type)


class AttachFaces(BaseTransform):
    """Let the annotated boxes of an image carry its faces from here on.

    Required Keys:

    - gt_bboxes, of mmdet's ``HorizontalBoxes``
    - those of an image for :class:`LoadFaces`

    Modified Keys:

    - gt_bboxes: :class:`BoxesWithFaces`

    Added Keys:

    - faces_attached: True

    Args:
        loader (LoadFaces): Knows the faces.
    """

    def __init__(self, loader: Any) -> None:
        self.loader = loader

    def transform(self, results: dict) -> dict:
        """Attach the faces to ``gt_bboxes``."""
        boxes: Any = results.get('gt_bboxes')
        if type(boxes) is not HorizontalBoxes:
            raise ValueError(
                f'faces are carried through images that are mixed by their annotated '
                f'boxes, which must be of mmdet\'s box_type "hbox", as LoadAnnotations '
                f'gives them by default; got {type(boxes).__name__}'
            )
        faces, covers = self.loader.image_faces(results)
        results['gt_bboxes'] = BoxesWithFaces(
            boxes.tensor, HorizontalBoxes(faces[:, 1:]), covers, clone=False
        )
        results['faces_attached'] = True
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self.loader!r})'


def detach_faces(results: dict) -> tuple[np.ndarray, np.ndarray]:
    """Take the faces back from ``gt_bboxes``, which become plain boxes.

    Args:
        results (dict): After :class:`AttachFaces` and the transforms behind it.

    Returns:
        tuple[np.ndarray, np.ndarray]: Boxes of the faces, float32 (k, 4) in pixels, and
        bool (k,), which of them are covers.

    Raises:
        ValueError: If a transform has put other boxes in place of those with the faces.
    """
    boxes = results.get('gt_bboxes')
    if not isinstance(boxes, BoxesWithFaces):
        raise ValueError(
            f'a transform of the pipeline has made {type(boxes).__name__} of the '
            'annotated boxes that carry the faces: faces cannot be carried through it. '
            'Leave it out of the pipeline'
        )
    results['gt_bboxes'] = boxes.plain
    return boxes.faces.numpy().astype(np.float32), boxes.covers
