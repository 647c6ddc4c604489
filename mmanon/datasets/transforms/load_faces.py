"""The faces of a sample's frames, in pixels of what its pipeline has made of them.

The boxes, known as fractions of the frame, are put through all that the transforms
recorded, once at the end (:mod:`.pixel_maps`). Those of mmdet's that mix images record
nothing; through them the annotated boxes carry the faces (:mod:`.boxes_with_faces`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmanon._moved import renamed
from mmanon.registry import TRANSFORMS
from mmanon.structures.face_table import FaceTable

from .known_videos import KnownVideos, VideoPlace, warn
from .pixel_maps import clip_views, inside, project

__all__ = ['LoadFaces']


_Found = tuple[np.ndarray, np.ndarray, np.ndarray]
"""``faces``, ``covers`` and ``face_tracks``."""


@TRANSFORMS.register_module()
class LoadFaces(BaseTransform):
    """Add the faces of the sampled frames, in pixels of the transformed frames.

    Put it directly before the packing transform; :func:`insert_load_faces` does that. A
    frame that was never examined gets one box over all of it, marked in ``covers``,
    unless the faces before and after it determine its faces; see
    :meth:`mmanon.datasets.FaceTable.lookup`.

    A video is known by its ``video_id`` or by the end of its path. That it is the one
    whose faces the table holds, and not another of that name, is made sure by its
    kind (file or folder), its shape, the number of frames of a file, and by refusing
    that two paths share a name.

    Required Keys of a clip (mmaction2):

    - imgs, img_shape, original_shape, frame_inds
    - video_id, frame_dir or filename
    - offset, scale_factor, crop_quadruple, crop_bbox, flip, flip_direction (optional)

    Required Keys of an image (mmdet), which is the frame whose number ends its name:

    - img_path, img_shape, ori_shape
    - homography_matrix (optional)
    - gt_bboxes, where they carry the faces

    Added Keys:

    - faces: float32 (K, 5), the frame's position in ``imgs`` as the pipeline produced
      them (crops first, then clips, then frames), and x1, y1, x2, y2 in pixels of that
      frame. A box may leave its frame; one wholly outside is left out.
    - covers: bool (K,), which of them are no faces but whole frames that nobody has
      examined.
    - face_tracks: int64 (K,), the number of each face's track in its video; -1 where
      the table has none, and for faces that annotated boxes have carried.

    Args:
        face_table: Parquet file made by ``tools/detect_faces.py``.

    Raises:
        KeyError: If a video is not in the table.
        ValueError: If the pipeline has moved pixels without recording how, or a video
            is not the one that the table has by its name.
    """

    def __init__(self, face_table: str) -> None:
        self.table = FaceTable(face_table, warn)
        self._videos = KnownVideos(self.table)

    def __getstate__(self) -> dict:
        return {'table': self.table}

    def __setstate__(self, state: dict) -> None:
        self.table = state['table']
        self._videos = KnownVideos(self.table)

    def transform(self, results: dict) -> dict:
        """Add ``faces``, ``covers`` and ``face_tracks`` to ``results``."""
        if 'frame_inds' in results:
            found = self._clip_faces(results)
        elif isinstance(results.get('img_path'), str):
            found = self._image_faces(results)
        else:
            raise ValueError(
                'LoadFaces needs "frame_inds" (a clip of mmaction2) or "img_path" (an '
                f'image of mmdet) in the results; they have {sorted(results)}'
            )
        results['faces'], results['covers'], results['face_tracks'] = found
        return results

    def video_name(self, info: Mapping[str, Any]) -> str:
        """The table's name of the video a sample belongs to.

        It is the sample's ``video_id``, or else the longest ending of its path that the
        table knows.

        Args:
            info: A data set's record or a pipeline's results.

        Raises:
            KeyError: If the table has no such video.
            ValueError: If it has another video of that name.
        """
        return self._videos.name_of(VideoPlace.of(info))

    def _clip_faces(self, results: dict) -> _Found:
        if results.get('modality', 'RGB') != 'RGB':
            raise ValueError(
                f'LoadFaces works on RGB frames, got modality {results["modality"]!r}'
            )
        needed = {'imgs', 'img_shape', 'original_shape'} - set(results)
        if needed:
            raise ValueError(
                f'LoadFaces needs {sorted(needed)} in the results of a clip; the '
                'decoding transforms of mmaction2 add them'
            )
        if 'lazy' in results:
            raise ValueError('LoadFaces needs Fuse between lazy transforms and itself')
        video = self.video_name(results)
        what = str(results.get('frame_dir') or results.get('filename') or video)
        self._videos.check_shape(video, results['original_shape'][:2], what)
        self._videos.check_length(video, results.get('total_frames'), what)
        # What the decoder read: RawFrameDecode adds the offset to its files' numbers.
        numbers = np.asarray(results['frame_inds']).reshape(-1)
        if 'frame_dir' in results:
            numbers = numbers + results.get('offset', 0)
        views = clip_views(results, len(numbers))
        h, w = results['img_shape']
        found = {
            number: self.table.lookup(video, number) for number in set(numbers.tolist())
        }
        rows, covers = [np.zeros((0, 5), np.float32)], [np.zeros(0, bool)]
        tracks = [np.zeros(0, np.int64)]
        for v, view in enumerate(views):
            for t, number in enumerate(numbers.tolist()):
                boxes = view.project(found[number].boxes)
                kept = inside(boxes, h, w)
                boxes = boxes[kept]
                position = np.full((len(boxes), 1), v * len(numbers) + t)
                rows.append(np.hstack([position, boxes]))
                covers.append(np.full(len(boxes), found[number].is_cover))
                tracks.append(found[number].tracks[kept].astype(np.int64))
        return (
            np.concatenate(rows).astype(np.float32),
            np.concatenate(covers),
            np.concatenate(tracks),
        )

    def image_faces(self, results: dict) -> tuple[np.ndarray, np.ndarray]:
        """The faces of an image of mmdet, as they would be added to its results.

        Returns:
            ``faces`` and ``covers``.
        """
        return self._image_faces(results)[:2]

    def _image_faces(self, results: dict) -> _Found:
        if results.get('faces_attached'):
            from .boxes_with_faces import detach_faces

            boxes, covers = detach_faces(results)
            # Of several images, perhaps, whose tracks are numbered alike.
            tracks = np.full(len(boxes), -1)
            return _rows_inside(boxes, covers, tracks, results['img_shape'])
        path = results['img_path']
        number = re.search(r'(\d+)$', os.path.splitext(os.path.basename(path))[0])
        if number is None:
            raise ValueError(
                f'LoadFaces takes the frame from the number at the end of the file '
                f'name, {path} has none'
            )
        video = self.video_name({'img_path': path})
        h, w = results['ori_shape'][:2]
        self._videos.check_shape(video, (h, w), path)
        matrix = results.get('homography_matrix')
        if matrix is None:
            # Padding leaves the pixels where they are.
            padded = tuple(results.get('pad_shape', ())[:2])
            if tuple(results['img_shape'][:2]) not in ((h, w), padded):
                raise ValueError(
                    f'{path}: the image went from {(h, w)} to '
                    f'{tuple(results["img_shape"])} pixels and no transform recorded a '
                    'homography_matrix; use the resizing and cropping transforms of '
                    'mmdet'
                )
            matrix = np.eye(3)
        matrix = np.asarray(matrix, np.float64)
        if matrix.shape != (3, 3):
            raise ValueError(
                f'{path}: homography_matrix has shape {matrix.shape}, not (3, 3)'
            )
        found = self.table.lookup(video, int(number.group(1)))
        boxes = project(found.boxes * [w, h, w, h], matrix)
        covers = np.full(len(boxes), found.is_cover)
        return _rows_inside(boxes, covers, found.tracks, results['img_shape'])

    def __repr__(self) -> str:
        return f'{type(self).__name__}(face_table={self.table.path!r})'


def _rows_inside(
    boxes: np.ndarray, covers: np.ndarray, tracks: np.ndarray, shape: tuple[int, ...]
) -> _Found:
    """``faces``, ``covers`` and ``face_tracks`` of an image of (height, width)."""
    kept = inside(boxes, *shape[:2])
    rows = np.hstack([np.zeros((kept.sum(), 1)), boxes[kept]])
    return rows.astype(np.float32), covers[kept], tracks[kept].astype(np.int64)


def __getattr__(name: str) -> Any:
    return renamed(__name__, name)
