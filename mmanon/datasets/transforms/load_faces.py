"""Adds the faces of a sample's frames, in pixels of the transformed frames.

The table has boxes as fractions of the original frame. At the end of the pipeline,
:mod:`.pixel_maps` applies everything that the transforms have recorded. Transforms of
mmdet that mix images record nothing; through these, the annotated boxes carry the faces
(:mod:`.boxes_with_faces`).
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

    Put it directly before the packing transform; :func:`insert_load_faces` does this. A
    frame that was never examined gets one box over the whole frame, marked in
    ``covers``, unless the faces before and after it determine its faces; see
    :meth:`mmanon.datasets.FaceTable.lookup`.

    A video is found by its ``video_id`` or by the end of its path. :class:`KnownVideos`
    checks that it is the video of the table, and not another one with the same name.

    Required Keys of a clip (mmaction2):

    - imgs, img_shape, original_shape, frame_inds
    - video_id, frame_dir or filename
    - offset, scale_factor, crop_quadruple, crop_bbox, flip, flip_direction (optional)

    Required Keys of an image (mmdet), whose file name ends with the frame's number:

    - img_path, img_shape, ori_shape
    - homography_matrix (optional)
    - gt_bboxes, if they carry the faces

    Added Keys:

    - faces: float32 (K, 5), the frame's position in ``imgs`` as the pipeline produced
      them (crops first, then clips, then frames), and x1, y1, x2, y2 in pixels of that
      frame. A box may extend beyond its frame; boxes completely outside are left out.
    - covers: bool (K,), which boxes are not faces but whole, unexamined frames.
    - face_tracks: int64 (K,), the number of each face's track in its video; -1 if the
      table has no track, and for faces that annotated boxes have carried.

    Args:
        face_table: Parquet file of ``mmanon detect-faces``.

    Raises:
        KeyError: If a video is not in the table.
        ValueError: If the pipeline has moved pixels without recording how, or the table
            has another video of the same name.
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
        """Return the name of a sample's video in the table.

        It is the sample's ``video_id``, or the longest ending of its path that the
        table contains.

        Args:
            info: A record of a data set, or the results of a pipeline.

        Raises:
            KeyError: If the table does not contain the video.
            ValueError: If the table contains another video of that name.
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
        # Numbers of the decoded frames: RawFrameDecode adds the offset.
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
        """Return ``faces`` and ``covers`` of an image of mmdet, for its results."""
        return self._image_faces(results)[:2]

    def _image_faces(self, results: dict) -> _Found:
        if results.get('faces_attached'):
            from .boxes_with_faces import detach_faces

            boxes, covers = detach_faces(results)
            # The boxes may come from several images with the same track numbers.
            tracks = np.full(len(boxes), -1)
            return _rows_inside(boxes, covers, tracks, results['img_shape'])
        path = results['img_path']
        number = re.search(r'(\d+)$', os.path.splitext(os.path.basename(path))[0])
        if number is None:
            raise ValueError(
                f'LoadFaces reads the number of the frame from the end of the file '
                f'name, but {path} has none'
            )
        video = self.video_name({'img_path': path})
        h, w = results['ori_shape'][:2]
        self._videos.check_shape(video, (h, w), path)
        matrix = results.get('homography_matrix')
        if matrix is None:
            # Padding does not move pixels.
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
    """Keep the boxes inside an image of shape (height, width)."""
    kept = inside(boxes, *shape[:2])
    rows = np.hstack([np.zeros((kept.sum(), 1)), boxes[kept]])
    return rows.astype(np.float32), covers[kept], tracks[kept].astype(np.int64)


def __getattr__(name: str) -> Any:
    return renamed(__name__, name)
