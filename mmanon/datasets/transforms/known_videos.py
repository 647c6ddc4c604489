"""Finds the video of a sample in a face table, and checks that it is the same video."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from weakref import WeakSet

from mmengine.logging import MMLogger

from mmanon.structures.face_table import FaceTable
from mmanon.utils.media_types import without_video_suffix

__all__ = ['KnownVideos', 'VideoPlace', 'warn']

# The data sets of training and validation may share a table.
_in_use: WeakSet[KnownVideos] = WeakSet()


def warn(text: str) -> None:
    """Warn in the log of the run."""
    MMLogger.get_current_instance().warning(text)


class KnownVideos:
    """The videos of a face table, found by the metadata of samples.

    It checks that the video of a sample is the one whose faces the table holds, and not
    another one with the same name: it compares kind (file or folder), aspect ratio and
    the number of frames of a file, and no two paths may share a name.

    Args:
        table: The face table.
    """

    def __init__(self, table: FaceTable) -> None:
        self.table = table
        self._names: dict[str, str] = {}
        self._paths: dict[str, str] = {}
        self._warned_of_age = False
        _in_use.add(self)

    def name_of(self, place: VideoPlace) -> str:
        """Return the name of a video in the table.

        It is the sample's ``video_id``, or the longest ending of its path that the
        table contains.

        Raises:
            KeyError: If the table does not contain the video.
            ValueError: If the table contains another video of that name.
        """
        name = self._names.get(place.key)
        if name is None:
            candidates = list(place.candidates())
            name = next((known for known in candidates if known in self.table), None)
            if name is None:
                raise self.table.missing(candidates[:1])
            self._make_sure(name, place)
            self._names[place.key] = name
        return name

    def _make_sure(self, name: str, place: VideoPlace) -> None:
        """Check that a video can be the one with its name in the table."""
        where = place.path or place.video_id
        if place.path is not None:
            path = os.path.realpath(place.path)
            self._paths.setdefault(name, path)
            other = self._other_path(name, path)
            if other is not None:
                raise ValueError(
                    f'face table {self.table.path}: {path} and {other} would both get '
                    f'the faces of its video {name!r}. Make a table for each folder '
                    'of videos, and name them by '
                    '`face_table=dict(train=..., val=..., test=...)`, or make one '
                    'table of their parent folder, so that the names of the videos '
                    'differ'
                )
        info = self.table.info(name)
        if info is None:
            self._accept_unknown(name, place)
            return
        if place.kind not in (None, info.kind):
            raise ValueError(
                f'face table {self.table.path} has the faces of a {info.kind} '
                f'{name!r}, but the sample is a {place.kind}, {where}, whose frames '
                'have other numbers. Make a table of the videos that the data set reads'
            )
        if info.turned == 'no' or place.kind != 'file':
            return
        # If the video is not square, `check_shape` sees whether the decoder turned it.
        if (
            info.turned == 'other'
            or info.width is None
            or info.height is None
            or info.has_shape(info.width, info.height)
        ):
            raise ValueError(
                f'{where} is stored upside down, mirrored or lying on its side, and '
                'decoders read such files differently: its faces may be somewhere else '
                'in the frames of the pipeline. Store it upright by `ffmpeg -i '
                'FILE OUT`, or extract its frames, and make the table again'
            )

    def _other_path(self, name: str, path: str) -> str | None:
        """Find another path with the same name in the table, in any data set in use."""

        def find() -> str | None:
            for known in list(_in_use):
                other = known._paths.get(name, path)
                if other != path and known.table.is_same_file(self.table.path):
                    return other
            return None

        if find() is None:
            return None
        # It may belong to a deleted data set that is still in memory.
        gc.collect()
        return find()

    def _accept_unknown(self, name: str, place: VideoPlace) -> None:
        if place.kind == 'file':
            raise ValueError(
                f'face table {self.table.path} does not describe the video {name!r}, '
                'because an earlier release made it: the faces may be somewhere else '
                'if the video file is turned. Make it again by mmanon detect-faces'
            )
        if not self._warned_of_age:
            self._warned_of_age = True
            warn(
                f'face table {self.table.path} does not describe its videos: it is not '
                'checked that they are those of the data set. Make it again by '
                'mmanon detect-faces'
            )

    def check_shape(self, name: str, shape: tuple[int, int], what: str) -> None:
        """Check that frames have the aspect ratio of those in which faces were found.

        Args:
            name: Name of the video in the table.
            shape: Height and width in pixels, as decoded.
            what: Name of the sample, for errors.

        Raises:
            ValueError: If the ratio differs; the message says what to do.
        """
        info = self.table.info(name)
        if info is None or info.has_shape(*shape):
            return
        message = (
            f'{what}: its frames have {shape[1]}x{shape[0]} pixels (width x height), '
            f'but upright frames have {info.width}x{info.height} in face table '
            f'{self.table.path}: their faces are somewhere else. '
        )
        if info.turned != 'no':
            message += (
                'The file asks to be turned, but the decoder has not done so: decode '
                'it by DecordInit and DecordDecode'
            )
        else:
            message += 'Make a table of exactly these videos'
        raise ValueError(message)

    def check_length(self, name: str, have: int | None, what: str) -> None:
        """Check the number of frames of a video file, which may have another rate.

        Args:
            name: Name of the video in the table.
            have: Number of frames that the decoder reports, if known.
            what: Name of the sample, for errors.

        Raises:
            ValueError: If it differs by more than 3 frames and 5 %; the message says
                what to do.
        """
        info = self.table.info(name)
        if info is None or info.kind != 'file' or not info.num_frames or not have:
            return
        # Decoders count the frames of damaged or unusual files differently.
        if abs(have - info.num_frames) > max(3, 0.05 * info.num_frames):
            raise ValueError(
                f'{what} has {have} frames, but had {info.num_frames} when its faces '
                'were found: they belong to other frames. Make the face table again'
            )


class VideoPlace(NamedTuple):
    """Name and path of a sample's video.

    Attributes:
        video_id: Its name in the annotations, if it has one.
        path: Path of its file or folder of frames, if known.
        kind: ``'file'`` or ``'folder'``, if known.
    """

    video_id: str | None
    path: str | None
    kind: str | None

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> VideoPlace:
        """Read it from a record of a data set or from the results of a pipeline.

        Raises:
            ValueError: If these name no video.
        """
        video_id = info.get('video_id')
        path, kind = info.get('frame_dir'), 'folder'
        if not path:
            path, kind = info.get('filename'), 'file'
        if not path and 'img_path' in info:
            path, kind = os.path.dirname(info['img_path']), 'folder'
        if path:
            return cls(None if video_id is None else str(video_id), str(path), kind)
        if video_id is None:
            raise ValueError(
                'LoadFaces needs "video_id", "frame_dir", "filename" or "img_path" to '
                f'name the video; the sample has {sorted(info)}'
            )
        return cls(str(video_id), None, None)

    @property
    def key(self) -> str:
        """A key that differs between videos."""
        return str(self.video_id) if self.path is None else self.path

    def candidates(self) -> Iterator[str]:
        """Yield the names that the video may have in the table, most certain first."""
        if self.video_id is not None:
            yield self._without_extension(self.video_id)
        if self.path is None:
            return
        path = os.path.normpath(self.path).replace(os.sep, '/')
        parts = [part for part in path.split('/') if part not in ('', '.', '..')]
        if parts:
            parts[-1] = self._without_extension(parts[-1])
        for i in range(len(parts)):
            yield '/'.join(parts[i:])

    def _without_extension(self, name: str) -> str:
        # A folder may be called `clip.avi`, also in the table.
        return name if self.kind == 'folder' else without_video_suffix(name)
