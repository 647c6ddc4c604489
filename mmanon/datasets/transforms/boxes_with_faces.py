"""Annotated boxes that carry the faces of their image through transforms.

mmdet's transforms that mix images (Mosaic, MixUp) do not record where pixels go, but
they move the annotated boxes of every image by methods of a box class. The methods of
this class also move the faces of the image.
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

    Transforms can clip, select and remove annotated boxes. All faces stay, unclipped,
    and follow the pixels. Operations that this class does not support for faces raise a
    TypeError.

    Args:
        data (Tensor): Annotated boxes, (n, 4), x1, y1, x2, y2 in pixels.
        faces (HorizontalBoxes): Face boxes, (k, 4) in pixels.
        covers (np.ndarray): Which of them are whole, unexamined frames, bool (k,).
    """

    def __init__(
        self, data: Any, faces: HorizontalBoxes, covers: np.ndarray, **kwargs: Any
    ) -> None:
        super().__init__(data, **kwargs)
        self.faces = faces
        self.covers = covers

    @property
    def plain(self) -> HorizontalBoxes:
        """The annotated boxes without the faces."""
        return HorizontalBoxes(self.tensor, clone=False)

    def _beside(self, boxes: BaseBoxes) -> BoxesWithFaces:
        """Combine other annotated boxes with the same faces."""
        faces = self.faces.clone()
        return BoxesWithFaces(boxes.tensor, faces, self.covers.copy(), clone=False)

    # Methods that move pixels.

    def flip_(self, img_shape: tuple[int, int], direction: str = 'horizontal') -> None:
        """Flip boxes and faces in an image of (height, width)."""
        super().flip_(img_shape, direction)
        self.faces.flip_(img_shape, direction)

    def translate_(self, distances: tuple[float, float]) -> None:
        """Shift boxes and faces by (x, y)."""
        super().translate_(distances)
        self.faces.translate_(distances)

    def rotate_(self, center: tuple[float, float], angle: float) -> None:
        """Rotate boxes and faces."""
        super().rotate_(center, angle)
        self.faces.rotate_(center, angle)

    def project_(self, homography_matrix: Any) -> None:
        """Apply a homography, (3, 3), to boxes and faces."""
        super().project_(homography_matrix)
        self.faces.project_(homography_matrix)

    def rescale_(self, scale_factor: tuple[float, float]) -> None:
        """Scale the image of boxes and faces by (x, y)."""
        super().rescale_(scale_factor)
        self.faces.rescale_(scale_factor)

    # Methods that select, copy and join boxes.

    def __getitem__(self, index: Any) -> BoxesWithFaces:
        return self._beside(self.plain[index])

    def clone(self) -> BoxesWithFaces:
        """Copy boxes and faces."""
        return self._beside(self.plain.clone())

    def __deepcopy__(self, memo: dict) -> BoxesWithFaces:
        return self.clone()

    @classmethod
    def cat(cls, box_list: Sequence[BoxesWithFaces], dim: int = 0) -> BoxesWithFaces:
        """Join the boxes, and the faces, of images that become one image.

        Raises:
            TypeError: If the faces of one image are not known.
        """
        if not all(isinstance(boxes, BoxesWithFaces) for boxes in box_list):
            raise TypeError(
                'a transform mixes images whose faces are known with an image whose '
                'faces are not known'
            )
        return BoxesWithFaces(
            HorizontalBoxes.cat([boxes.plain for boxes in box_list], dim).tensor,
            HorizontalBoxes.cat([boxes.faces for boxes in box_list]),
            np.concatenate([boxes.covers for boxes in box_list]),
            clone=False,
        )

    def convert_to(self, dst_type: str | type) -> BaseBoxes:
        """Convert the annotated boxes to another type, without the faces."""
        return self.plain.convert_to(dst_type)


class AttachFaces(BaseTransform):
    """Attach the faces of an image to its annotated boxes, which then carry them.

    Required Keys:

    - gt_bboxes, of type ``HorizontalBoxes`` of mmdet
    - the keys that :class:`LoadFaces` requires of an image

    Modified Keys:

    - gt_bboxes: :class:`BoxesWithFaces`

    Added Keys:

    - faces_attached: True

    Args:
        loader (LoadFaces): Looks up the faces.
    """

    def __init__(self, loader: Any) -> None:
        self.loader = loader

    def transform(self, results: dict) -> dict:
        """Attach the faces to ``gt_bboxes``."""
        boxes: Any = results.get('gt_bboxes')
        if type(boxes) is not HorizontalBoxes:
            raise ValueError(
                f'annotated boxes carry the faces through transforms that mix images, '
                f'so they must be of mmdet\'s box_type "hbox", the default of '
                f'LoadAnnotations; got {type(boxes).__name__}'
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
    """Detach the faces from ``gt_bboxes``, which become plain boxes.

    Args:
        results (dict): Results of :class:`AttachFaces` and the transforms after it.

    Returns:
        tuple[np.ndarray, np.ndarray]: Face boxes, float32 (k, 4) in pixels, and which
        of them are covers, bool (k,).

    Raises:
        ValueError: If a transform has replaced the boxes that carry the faces.
    """
    boxes = results.get('gt_bboxes')
    if not isinstance(boxes, BoxesWithFaces):
        raise ValueError(
            f'a transform of the pipeline has replaced the annotated boxes that carry '
            f'the faces by {type(boxes).__name__}: faces cannot be carried through it. '
            'Leave it out of the pipeline'
        )
    results['gt_bboxes'] = boxes.plain
    return boxes.faces.numpy().astype(np.float32), boxes.covers
