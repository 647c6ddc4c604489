"""Finds the faces of a video data set once and writes them to a face table.

The faces of each video go to a separate file first, a part, in a folder next to the
table: an interrupted run continues from there.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from mmanon.face_detectors import BaseFaceDetector, build_face_detector
from mmanon.structures import Faces, FaceTable, FaceTableWriter
from mmanon.tracking.offline_tracks import fill_gaps, link_faces
from mmanon.utils.atomic_write import WholeFile, write_whole

from .video_sources import SourceError, VideoReading, VideoSource, find_video_sources

__all__ = ['FaceSearch', 'VideoReport', 'build_face_table', 'parts_of']

# Goes up when the parts of an interrupted run can no longer be continued.
_PARTS_VERSION = 2


@dataclass(frozen=True)
class FaceSearch:
    """Settings that determine the faces found.

    Attributes:
        detector: Config of the face detector; its ``type`` a name or a class.
        interval: n: every n-th frame is examined, and the last. Frames between are
            covered whole when the table is used, unless the same faces are tracked from
            one examined frame to the next.
        max_side: Larger frames are shrunk to this side, in pixels, before the search;
            None for no bound.

    Raises:
        ValueError: If a number is below 1.
    """

    detector: dict[str, Any]
    interval: int = 1
    max_side: int | None = None

    def __post_init__(self) -> None:
        for name in ('interval', 'max_side'):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f'{name} must be at least 1, got {value}')


@dataclass(frozen=True)
class VideoReport:
    """The result for one video.

    Attributes:
        video: Its name in the table.
        frames: Frames examined.
        faces: Faces found in them.
        undetected: Frames of which the face detector raised an error.
        failures: What went wrong, in words.
    """

    video: str
    frames: int
    faces: int
    undetected: int
    failures: list[str]


def build_face_table(
    data_root: Path,
    out: Path,
    search: FaceSearch,
    workers: int = 1,
    say: Callable[[str], object] = lambda text: None,
) -> list[VideoReport]:
    """Find the faces of all videos below a folder.

    An interrupted call is continued by the next one of the same arguments. What cannot
    be read, or of which the detector raises an error, gets no row, and so is covered
    whole when the table is used; the parts of such a run stay, and the next call tries
    those videos again.

    Args:
        data_root: Folder with video files or folders of numbered images, nested or not.
        out: The table, ``*.parquet``.
        search: How faces are looked for.
        workers: Videos examined at the same time, each by a separate process.
        say: Called with messages for the user before the end.

    Returns:
        A report of each video.

    Raises:
        FileExistsError: If the table exists.
        FileNotFoundError: If ``data_root`` is no folder, or the detector lacks a file.
        ValueError: If there is no video, two share a name, the detector cannot be
            built, or the parts belong to a run with other settings; the message says
            which.
        OSError: If the table cannot be written there.
    """
    if workers < 1:
        raise ValueError(f'workers must be at least 1, got {workers}')
    if not data_root.is_dir():
        raise FileNotFoundError(f'DATA_ROOT {data_root} is not a folder')
    detector = build_face_detector(search.detector)
    sources, left_out = find_video_sources(data_root)
    if left_out:
        say(
            'images that are no frames of a video are left out, because they lie in '
            'DATA_ROOT itself or beside video files, or have no numbers:\n  '
            + '\n  '.join(left_out)
        )
    parts = _open_parts(out, search, data_root)
    reports = [
        found for source in sources if (found := _finished(parts, source)) is not None
    ]
    if reports:
        say(f'{len(reports)} of {len(sources)} videos are finished already')
    done = {report.video for report in reports}
    todo = [source for source in sources if source.name not in done]
    reports += _examine_all(todo, search, parts, workers, detector)
    _merge(sources, parts, out, search)
    if not any(report.failures for report in reports):
        shutil.rmtree(parts)
    return reports


def parts_of(out: Path) -> Path:
    """The folder of parts of a table while it is made."""
    return out.with_name(f'{out.name}.parts')


def find_faces(
    detector: BaseFaceDetector, image: np.ndarray, max_side: int | None = None
) -> Faces:
    """The faces of a picture.

    Args:
        detector: Finds them.
        image: RGB, uint8 (H, W, 3).
        max_side: As of :class:`FaceSearch`.

    Returns:
        In fractions of the picture, without tracks.
    """
    longest = max(image.shape[:2])
    if max_side is not None and longest > max_side:
        h, w = (max(1, round(side * max_side / longest)) for side in image.shape[:2])
        image = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA)
    found = detector.detect(image)
    h, w = image.shape[:2]
    boxes = np.clip(found.boxes / np.array([w, h, w, h], np.float32), 0, 1)
    kept = (boxes[:, 2:] > boxes[:, :2]).all(1)
    return Faces(
        boxes[kept],
        found.scores[kept],
        (found.landmarks / np.array([w, h], np.float32))[kept],
        np.full(int(kept.sum()), -1, np.int32),
    )


def examine_video(
    source: VideoSource,
    search: FaceSearch,
    detector: BaseFaceDetector,
    part: Path,
    progress: Callable[[], object] = lambda: None,
) -> VideoReport:
    """Write the faces of one video to the table ``part``, and its report next to it.

    Args:
        source: The video.
        search: How faces are looked for.
        detector: The built one.
        part: The table's file.
        progress: Called for each frame.
    """
    reading = VideoReading(source, search.interval)
    undetected: dict[str, list[int]] = {}
    numbers, frames = [], []
    failures = reading.failures
    try:
        for number, image in reading.frames():
            try:
                faces = find_faces(detector, image, search.max_side)
            # Whatever a detector's code may raise: the other frames are examined, and
            # this one, without a row, is covered whole.
            except Exception as error:
                why = f'{type(error).__name__}: {error}'
                undetected.setdefault(why, []).append(number)
            else:
                numbers.append(number)
                frames.append(faces)
            progress()
    except SourceError as error:
        failures.append(f'{source.path}: {error}')
    for why, some in undetected.items():
        named = ', '.join(map(str, some[:5])) + (' …' if len(some) > 5 else '')
        failures.append(f'{source.path}, {len(some)} frame(s), {named}: {why}')
    frames = fill_gaps(link_faces(frames))
    with _writer(part, search) as writer:
        writer.describe(source.name, reading.info)
        for number, faces in zip(numbers, frames, strict=True):
            writer.add(source.name, number, faces)
    report = VideoReport(
        source.name,
        len(frames),
        sum(map(len, frames)),
        sum(map(len, undetected.values())),
        failures,
    )
    write_whole(part.with_suffix('.json'), json.dumps(asdict(report), indent=1))
    return report


def _writer(path: Path, search: FaceSearch) -> FaceTableWriter:
    kind = search.detector['type']
    name = kind.__name__ if isinstance(kind, type) else str(kind)
    return FaceTableWriter(path, name, search.interval)


def _part_of(parts: Path, source: VideoSource) -> Path:
    """The file of one video's faces while others are still examined."""
    return parts / f'{hashlib.sha1(source.name.encode()).hexdigest()}.parquet'


def _finished(parts: Path, source: VideoSource) -> VideoReport | None:
    """The report of a video examined by an earlier run without any failure."""
    path = _part_of(parts, source).with_suffix('.json')
    if not path.is_file():
        return None
    report = VideoReport(**json.loads(path.read_text()))
    return None if report.failures else report


def _open_parts(out: Path, search: FaceSearch, data_root: Path) -> Path:
    """Make or continue the folder of parts."""
    settings = dict(
        asdict(search),
        data_root=str(data_root.resolve()),
        parts_version=_PARTS_VERSION,
    )
    # As JSON gives it back.
    settings = json.loads(json.dumps(settings, default=str))
    parts = parts_of(out)
    described = parts / 'settings.json'
    try:
        if out.is_dir():
            raise FileExistsError(f'--out {out} is a folder: name a file')
        if out.exists() and not described.exists():
            raise FileExistsError(
                f'{out} is there already: remove it or name another file'
            )
        if described.exists():
            before = json.loads(described.read_text())
            changed = [
                f'{key}: {before.get(key)!r} then, {value!r} now'
                for key, value in settings.items()
                if before.get(key) != value
            ]
            if changed:
                raise ValueError(
                    f'{parts} was begun with other settings ({"; ".join(changed)}): '
                    'use those again, or remove the folder to begin anew'
                )
        write_whole(described, json.dumps(settings, indent=1))
        # The table itself comes to lie beside the folder.
        probe = WholeFile(out, alone=True)
        probe.beside.touch()
        probe.discard()
    except FileExistsError:
        raise
    except OSError as error:
        raise OSError(f'{out} cannot be written: {error}') from error
    return parts


def _merge(
    sources: Sequence[VideoSource], parts: Path, out: Path, search: FaceSearch
) -> None:
    """Write the parts of all videos as one table."""
    with _writer(out, search) as writer:
        for source in sources:
            table = FaceTable(_part_of(parts, source))
            if source.name not in table:
                continue
            info = table.info(source.name)
            if info is not None:
                writer.describe(source.name, info)
            for frame in table.frames(source.name).tolist():
                writer.add(source.name, frame, table.lookup(source.name, frame))


def _examine_all(
    sources: Sequence[VideoSource],
    search: FaceSearch,
    parts: Path,
    workers: int,
    detector: BaseFaceDetector,
) -> list[VideoReport]:
    reports = []
    total = sum(-(-source.num_frames // search.interval) for source in sources)
    with tqdm(total=total or None, unit='frame', smoothing=0.05) as bar:
        if workers == 1:
            for source in sources:
                part = _part_of(parts, source)
                reports.append(
                    examine_video(source, search, detector, part, bar.update)
                )
            return reports
        # A fresh process each: CUDA and OpenCV do not survive a fork.
        with ProcessPoolExecutor(
            workers, get_context('spawn'), _start_worker, (search.detector,)
        ) as pool:
            jobs = [
                pool.submit(_examine_in_worker, source, search, _part_of(parts, source))
                for source in sources
            ]
            try:
                for job in jobs:
                    reports.append(job.result())
                    bar.update(reports[-1].frames)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    return reports


_worker: BaseFaceDetector


def _start_worker(config: dict[str, Any]) -> None:
    global _worker
    _limit_threads()
    _worker = build_face_detector(config)


def _examine_in_worker(
    source: VideoSource, search: FaceSearch, part: Path
) -> VideoReport:
    return examine_video(source, search, _worker, part)


def _limit_threads() -> None:
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
