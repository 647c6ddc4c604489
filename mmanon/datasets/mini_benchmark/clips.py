"""Writes clips of the mini benchmark as video files, with their known boxes."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from mmengine.fileio import load
from PIL import Image

from mmanon.structures.face_table import FaceTable
from mmanon.utils.atomic_write import write_whole, written_whole
from mmanon.utils.video import file_url

from .settings import KEY_FRAME

__all__ = ['write_clips']

_RATE = Fraction(4)  # frames a second
_SURE = 0.9  # least score of a proposal; those below may be boxes of nobody


def write_clips(root: Path, out: Path, count: int = 6) -> list[Path]:
    """Write the first test clips as videos of four frames a second.

    Args:
        root (Path): Folder of the mini benchmark.
        out (Path): Folder of the videos. Next to it, ``<out>_faces.json`` lists the
            faces of each frame and ``<out>_people.json`` the people of the annotated
            frame, in the format of ``--boxes`` and ``--people``.
        count (int): Number of videos. Defaults to 6.

    Returns:
        list[Path]: The videos.

    Raises:
        FileNotFoundError: If the benchmark does not exist.
    """
    folders = sorted((root / 'rawframes').glob('test_*'))[:count]
    if not folders:
        raise FileNotFoundError(
            f'{root} has no test clips: make it by tools/make_mini_benchmark.py'
        )
    table = FaceTable(root / 'faces.parquet')
    proposals = load(str(root / 'annotations' / 'proposals_test.npz'))
    faces: dict[str, dict] = {}
    people: dict[str, dict] = {}
    videos = []
    for folder in folders:
        files = sorted(folder.glob('img_*.jpg'))
        pictures = [np.asarray(Image.open(file)) for file in files]
        height, width = pictures[0].shape[:2]
        size = np.array([width, height, width, height])
        video = out / f'{folder.name}.mp4'
        _write(video, pictures)
        videos.append(video)
        faces[video.name] = {
            number: (table.lookup(folder.name, number + 1).boxes * size).tolist()
            for number in range(len(files))
        }
        boxes = proposals[f'{folder.name},{KEY_FRAME:04d}']
        sure = boxes[boxes[:, 4] >= _SURE, :4]
        people[video.name] = {KEY_FRAME - 1: (sure * size).tolist()}
    for name, boxes_of in (('faces', faces), ('people', people)):
        write_whole(out.with_name(f'{out.name}_{name}.json'), json.dumps(boxes_of))
    return videos


def _write(path: Path, pictures: list[np.ndarray]) -> None:
    height, width = pictures[0].shape[:2]
    with written_whole(path) as beside:
        with av.open(file_url(beside), 'w', format='mp4') as container:
            stream = container.add_stream('libx264', _RATE, options={'crf': '12'})
            stream.width, stream.height, stream.pix_fmt = width, height, 'yuv420p'
            for picture in pictures:
                frame = av.VideoFrame.from_ndarray(picture, 'rgb24')
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
