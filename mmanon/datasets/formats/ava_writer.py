"""Writes small data sets in the format of AVA, with frame numbers as timestamps.

mmaction2's ``SampleAVAFrames`` adds ``start_index`` twice. With ``fps=1``,
``start_index=1`` and ``timestamp_start=2``, the middle frame of a clip is the file
whose number is the timestamp. :data:`DATASET_SETTINGS` has these settings for a config.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np

from mmanon.utils.atomic_write import (
    folder_written_whole,
    write_whole,
    written_whole,
)
from mmanon.utils.video import decode, open_video, upright

__all__ = ['DATASET_SETTINGS', 'Annotation', 'extract_frames', 'write_annotations']

FILENAME_TMPL = 'img_{:05d}.jpg'
DATASET_SETTINGS = dict(
    filename_tmpl=FILENAME_TMPL,
    fps=1,
    start_index=1,
    timestamp_start=2,
    # Larger than every frame number; keyframes are not at the ends of their videos.
    timestamp_end=100000,
)


@dataclass(frozen=True)
class Annotation:
    """One person doing one action in one frame.

    Attributes:
        video: Name of the folder of frames.
        frame: Number in the file name of the frame, from 1.
        box: x1, y1, x2, y2 as fractions of the frame, in [0, 1].
        label: The action, from 1 (0 is the background of AVA).
        person: Number of the person, the same in the whole video.

    Raises:
        ValueError: If the box or the frame is out of range, or the name of the video
            has a comma.
    """

    video: str
    frame: int
    box: tuple[float, float, float, float]
    label: int
    person: int

    def __post_init__(self) -> None:
        x1, y1, x2, y2 = self.box
        if not (0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1):
            raise ValueError(
                f'video {self.video!r}, frame {self.frame}: box {self.box} is not '
                'x1 < x2, y1 < y2 as fractions of the frame, in [0, 1]'
            )
        if not 1 <= self.frame <= 99999:
            raise ValueError(
                f'video {self.video!r}: frame {self.frame} is not in [1, 99999], '
                'because file names have five digits; cut the video into shorter ones'
            )
        if ',' in self.video:
            raise ValueError(
                f'the video name {self.video!r} has a comma: rename the video'
            )


def extract_frames(
    video: Path, folder: Path, files: Mapping[int, Sequence[int]] | None = None
) -> int:
    """Write frames of a video, upright, as ``img_00001.jpg``, … into a new folder.

    An existing folder is complete and is not changed. If a call is killed, the next one
    removes its temporary folder ``.<name>.part``.

    Args:
        video: File that PyAV can decode.
        folder: The new folder; it appears when it contains all frames.
        files: For each frame to write, counted from 0, the numbers of its files. By
            default all frames, numbered from 1.

    Returns:
        The number of files.

    Raises:
        ValueError: If the video cannot be decoded, or ends before a requested frame.
        OSError: If a file cannot be written.
    """
    if folder.is_dir():
        return len(list(folder.glob('img_*.jpg')))
    count, index, end = 0, -1, None if files is None else max(files)
    try:
        with folder_written_whole(folder) as part, open_video(video) as container:
            for index, frame in enumerate(decode(container)):
                numbers = [index + 1] if files is None else files.get(index, ())
                for number in numbers:
                    path = str(part / FILENAME_TMPL.format(number))
                    image = upright(frame, 'bgr24')
                    if not cv2.imwrite(path, image, [cv2.IMWRITE_JPEG_QUALITY, 95]):
                        raise OSError(f'{path} cannot be written')
                    count += 1
                if index == end:
                    break
            if not count:
                raise ValueError(f'{video} has no frames')
            if end is not None and index < end:
                raise ValueError(
                    f'{video} ends at frame {index}, but frame {end} is needed'
                )
    except (av.FFmpegError, IndexError) as error:
        raise ValueError(f'{video} cannot be decoded: {error}') from error
    return count


def write_annotations(
    folder: Path, split: str, annotations: Sequence[Annotation], classes: Sequence[str]
) -> None:
    """Write the annotations of one split, its proposals and the label map.

    - ``<split>.csv``: lines of video, timestamp, x1, y1, x2, y2, label, person;
    - ``<split>_proposals.npz``: for each ``'video,timestamp'`` an (n, 5) array of the
      same boxes with the score 1;
    - ``labels.pbtxt``: the classes, numbered from 1.

    Args:
        folder: The folder of these files; it is created if needed.
        split: Name of the split, such as ``'train'``.
        annotations: The annotations of the split, in any order.
        classes: Names of the actions; label 1 is the first.

    Raises:
        ValueError: If there are no annotations, or a label has no class.
    """
    if not annotations:
        raise ValueError(f'the split {split!r} has no annotations')
    lines = []
    proposals: dict[str, dict[tuple, None]] = {}
    for item in sorted(annotations, key=lambda a: (a.video, a.frame, a.person)):
        if not 1 <= item.label <= len(classes):
            raise ValueError(f'label {item.label} is not in 1 … {len(classes)}')
        box = tuple(f'{side:.4f}' for side in item.box)
        key = f'{item.video},{item.frame:04d}'
        lines.append(f'{key},{",".join(box)},{item.label},{item.person}\n')
        # A person with several actions has one box.
        proposals.setdefault(key, {})[tuple(map(float, box))] = None
    arrays = {
        key: np.array([[*box, 1.0] for box in boxes], np.float32)
        for key, boxes in proposals.items()
    }
    labels = ''.join(
        f'item {{\n  name: "{name}"\n  id: {i}\n}}\n'
        for i, name in enumerate(classes, 1)
    )
    write_whole(folder / f'{split}.csv', ''.join(lines))
    write_whole(folder / 'labels.pbtxt', labels)
    # To an open file, because np.savez appends .npz to other file names.
    with (
        written_whole(folder / f'{split}_proposals.npz') as beside,
        beside.open('wb') as file,
    ):
        np.savez(file, **arrays)  # type: ignore[arg-type]  # of allow_pickle
