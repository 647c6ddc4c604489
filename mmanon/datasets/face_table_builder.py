"""Finds the faces of a video data set once and writes them to a face table.

The faces of each video first go to a separate file (a part) in a folder next to the
table, so that an interrupted run can continue.
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

# Increase it when new code cannot continue the parts of an interrupted run.
_PARTS_VERSION = 2


@dataclass(frozen=True)
class FaceSearch:
    """Settings that determine which faces are found.

    Attributes:
        detector: Config of the face detector; its ``type`` is a name or a class.
        interval: n: every n-th frame and the last one are examined. When the table is
            used, frames between them are covered completely, unless the same faces are
            tracked from one examined frame to the next.
        max_side: Frames with a longer side are shrunk to this many pixels before the
            search; None for no limit.

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
        video: Name of the video in the table.
        frames: Number of examined frames.
        faces: Number of faces found in them.
        undetected: Number of frames for which the face detector raised an error.
        failures: Descriptions of all errors.
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

    The next call with the same arguments continues an interrupted one. Frames that
    cannot be read, or for which the detector raises an error, get no row, so they are
    covered completely when the table is used. The parts of such a run stay, and the
    next call tries the videos with errors again.

    Args:
        data_root: Folder with video files or folders of numbered images, at any depth.
        out: The table, ``*.parquet``.
        search: Settings of the search.
        workers: Number of videos examined in parallel, each by a process of its own.
        say: Called with messages for the user.

    Returns:
        A report for each video.

    Raises:
        FileExistsError: If the table exists.
        FileNotFoundError: If ``data_root`` is not a folder, or a file of the detector
            does not exist.
        ValueError: If there is no video, two videos share a name, the detector cannot
            be built, or the parts belong to a run with other settings; the message says
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
            'images that are not frames of a video are left out, because they are in '
            'DATA_ROOT itself or next to video files, or have no numbers:\n  '
            + '\n  '.join(left_out)
        )
    parts = _open_parts(out, search, data_root)
    reports = [
        found for source in sources if (found := _finished(parts, source)) is not None
    ]
    if reports:
        say(f'{len(reports)} of {len(sources)} videos are already finished')
    done = {report.video for report in reports}
    todo = [source for source in sources if source.name not in done]
    reports += _examine_all(todo, search, parts, workers, detector)
    _merge(sources, parts, out, search)
    if not any(report.failures for report in reports):
        shutil.rmtree(parts)
    return reports


def parts_of(out: Path) -> Path:
    """Return the folder of a table's parts."""
    return out.with_name(f'{out.name}.parts')


def find_faces(
    detector: BaseFaceDetector, image: np.ndarray, max_side: int | None = None
) -> Faces:
    """Find the faces in an image.

    Args:
        detector: The face detector.
        image: RGB, uint8 (H, W, 3).
        max_side: As in :class:`FaceSearch`.

    Returns:
        Faces without tracks, as fractions of the image.
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
        search: Settings of the search.
        detector: The face detector.
        part: The file of the table.
        progress: Called after each frame.

    Returns:
        The report.
    """
    reading = VideoReading(source, search.interval)
    undetected: dict[str, list[int]] = {}
    numbers, frames = [], []
    failures = reading.failures
    try:
        for number, image in reading.frames():
            try:
                faces = find_faces(detector, image, search.max_side)
            # A detector may raise anything. The other frames are still examined; this
            # one gets no row and is covered completely.
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
    """Return the file for the faces of one video."""
    return parts / f'{hashlib.sha1(source.name.encode()).hexdigest()}.parquet'


def _finished(parts: Path, source: VideoSource) -> VideoReport | None:
    """Return the report of a video that an earlier run examined without errors."""
    path = _part_of(parts, source).with_suffix('.json')
    if not path.is_file():
        return None
    report = VideoReport(**json.loads(path.read_text()))
    return None if report.failures else report


def _open_parts(out: Path, search: FaceSearch, data_root: Path) -> Path:
    """Create the folder of parts, or check that it can be continued."""
    settings = dict(
        asdict(search),
        data_root=str(data_root.resolve()),
        parts_version=_PARTS_VERSION,
    )
    # As it is after reading the JSON file.
    settings = json.loads(json.dumps(settings, default=str))
    parts = parts_of(out)
    described = parts / 'settings.json'
    try:
        if out.is_dir():
            raise FileExistsError(f'--out {out} is a folder: name a file')
        if out.exists() and not described.exists():
            raise FileExistsError(
                f'{out} exists already: remove it or name another file'
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
                    'use those again, or remove the folder to start again'
                )
        write_whole(described, json.dumps(settings, indent=1))
        # The table itself will be next to the folder: check that it can be written.
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
        # Spawned processes: CUDA and OpenCV do not work after a fork.
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
