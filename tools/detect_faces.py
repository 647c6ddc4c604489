"""Find the faces of a video data set once and write them to a face table."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import av
import cv2
import numpy as np
from tqdm import tqdm

from mmanon.face_detectors import BaseFaceDetector
from mmanon.registry import MODELS
from mmanon.structures.face_table import Faces, FaceTable, FaceTableWriter, VideoInfo
from mmanon.tracking.offline_tracks import fill_gaps, link_faces
from mmanon.utils.atomic_write import WholeFile, write_whole
from mmanon.utils.video import decode, open_video, orientation_of, turn_of, upright

IMAGES = {'.jpg', '.jpeg', '.png', '.bmp', '.webp'}
VIDEOS = {
    *('.mp4', '.avi', '.mkv', '.webm', '.mov', '.m4v', '.mpg', '.mpeg', '.wmv'),
    *('.flv', '.3gp'),
}

# Goes up when the parts of an interrupted run can no longer be continued.
PARTS_VERSION = 2


@dataclass(frozen=True)
class Source:
    """One video: a file, or a folder of numbered images."""

    name: str
    path: Path
    num_frames: int


@dataclass(frozen=True)
class Settings:
    """What decides the faces that are found."""

    detector: dict
    interval: int
    max_side: int | None


@dataclass(frozen=True)
class Report:
    """What came out of one video.

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


class Seen:
    """What is learnt of a video while it is read, for its :class:`VideoInfo`."""

    def __init__(self) -> None:
        self.sizes: set[tuple[int, int]] = set()
        self.turns: set[str] = set()
        self.num_frames: int | None = None

    def info(self, kind: str) -> VideoInfo:
        """What is told to readers of the table."""
        width, height = self.sizes.pop() if len(self.sizes) == 1 else (None, None)
        turned = self.turns.pop() if len(self.turns) == 1 else 'other'
        return VideoInfo(kind, width, height, self.num_frames, turned)


class SourceError(Exception):
    """A video cannot be read, from some frame on or at all."""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='An interrupted run continues where it stopped when it is started again '
        'with the same arguments. Frames that cannot be read get no row: they are '
        'covered as a whole when the table is used.',
    )
    parser.add_argument(
        'data_root',
        type=Path,
        help='folder with video files or folders of numbered images, nested or not',
    )
    parser.add_argument('--out', type=Path, required=True, help='table, *.parquet')
    parser.add_argument('--detector', choices=['mtcnn', 'yunet'], default='mtcnn')
    parser.add_argument('--weights', type=Path, help="ONNX file of 'yunet'")
    parser.add_argument(
        '--interval',
        type=int,
        default=1,
        metavar='N',
        help='examine every N-th frame only: faster, but the frames between are '
        'covered whole when the table is used, wherever a face comes, goes, or none '
        'is seen; only where the same faces are tracked from one examined frame to '
        'the next, boxes around both places are put between',
    )
    parser.add_argument(
        '--max-side',
        type=int,
        metavar='PX',
        help='shrink larger frames to this side before the search: faster, but small '
        'faces are missed',
    )
    parser.add_argument('--device', default='cpu', help="torch device of 'mtcnn'")
    parser.add_argument(
        '--score-thr', type=float, help='leave out faces below this score, in [0, 1]'
    )
    parser.add_argument(
        '--workers', type=int, default=1, help='videos examined at the same time'
    )
    args = parser.parse_args(argv)
    for name in ('interval', 'workers', 'max_side'):
        value = getattr(args, name)
        if value is not None and value < 1:
            parser.error(f'--{name.replace("_", "-")} must be at least 1, got {value}')
    if args.score_thr is not None and not 0 <= args.score_thr <= 1:
        parser.error(f'--score-thr must be in [0, 1], got {args.score_thr}')
    if not args.data_root.is_dir():
        parser.error(f'DATA_ROOT {args.data_root} is not a folder')
    if args.detector == 'yunet' and args.weights is None:
        parser.error('--detector yunet needs --weights FILE.onnx')
    if args.detector == 'mtcnn' and args.weights is not None:
        parser.error('--weights belongs to --detector yunet; mtcnn brings its own')
    return args


def detector_config(args: argparse.Namespace) -> dict:
    """The face detector that the arguments name, as a config."""
    if args.detector == 'yunet':
        config = dict(type='mmanon.YuNetFaceDetector', weights=str(args.weights))
        if args.score_thr is not None:
            config['score_threshold'] = args.score_thr
        return config
    config = dict(type='mmanon.MTCNNFaceDetector', device=args.device)
    if args.score_thr is not None:
        config['thresholds'] = (0.6, 0.7, args.score_thr)
    return config


def find_sources(root: Path) -> list[Source]:
    """All videos under a folder, sorted by name.

    Raises:
        SystemExit: If there is none, or two share a name.
    """
    sources: dict[str, Source] = {}
    left_out = []
    for folder, folders, files in os.walk(root, followlinks=True):
        # What begins with a dot is not data, such as the remains of a killed run.
        folders[:] = sorted(name for name in folders if not name.startswith('.'))
        found = []
        for file in files:
            stem, extension = os.path.splitext(file)
            if extension.lower() in VIDEOS and not file.startswith('.'):
                path = Path(folder, file)
                name = _name(os.path.join(folder, stem), root)
                found.append(Source(name, path, _count_frames(path)))
        images = [file for file in files if _is_frame(file)]
        numbered = any(map(_number, images))
        if images and (found or not numbered or Path(folder) == root):
            left_out.append(f'{Path(folder)}: {len(images)} ({images[0]} …)')
        elif images:
            found.append(Source(_name(folder, root), Path(folder), len(images)))
        for source in found:
            if source.name in sources:
                raise SystemExit(
                    f'{sources[source.name].path} and {source.path} share the name '
                    f'{source.name!r} in the table: move one of them away'
                )
            sources[source.name] = source
    if not sources:
        if any(_is_frame(file.name) and _number(file.name) for file in root.iterdir()):
            raise SystemExit(
                f'{root} is itself a folder of images: name the folder above it'
            )
        raise SystemExit(f'{root} holds neither video files nor folders of images')
    if left_out:
        print(
            'images that are no frames of a video are left out, because they lie in '
            'DATA_ROOT itself or beside video files, or have no numbers:',
            *left_out,
            sep='\n  ',
            file=sys.stderr,
        )
    return [sources[name] for name in sorted(sources)]


def _is_frame(file: str) -> bool:
    # Optical flow lies beside the frames in folders made for mmaction2.
    extension = os.path.splitext(file)[1].lower()
    return extension in IMAGES and not file.startswith(('flow_', '.'))


def _number(file: str) -> re.Match | None:
    return re.search(r'(\d+)$', os.path.splitext(file)[0])


def _name(path: str, root: Path) -> str:
    return Path(path).relative_to(root).as_posix()


def _count_frames(path: Path) -> int:
    """About how many frames a file has, for the progress bar; 0 if unknown."""
    try:
        with open_video(path) as container:
            stream = container.streams.video[0]
            if stream.frames or not (container.duration and stream.average_rate):
                return stream.frames
            return round(container.duration / av.time_base * stream.average_rate)
    except (av.FFmpegError, IndexError):
        return 0


def numbered_images(folder: Path) -> list[tuple[int, Path]]:
    """The images of a folder by the number at the end of their names.

    Raises:
        SourceError: If one has no number, two have the same, or the folder cannot be
            read.
    """
    numbered: dict[int, Path] = {}
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise SourceError(str(error)) from error
    for path in paths:
        if not _is_frame(path.name):
            continue
        number = _number(path.name)
        if number is None:
            raise SourceError(f'{path.name} does not end with a number')
        other = numbered.setdefault(int(number.group(1)), path)
        if other is not path:
            raise SourceError(f'{other.name} and {path.name} have the same number')
    return sorted(numbered.items())


def read_images(
    folder: Path, interval: int, failures: list[str], seen: Seen
) -> Iterator[tuple[int, np.ndarray]]:
    """Every n-th image of a folder and the last, with its number.

    Raises:
        SourceError: As :func:`numbered_images`.
    """
    images = numbered_images(folder)
    seen.num_frames = len(images)
    seen.turns.add('no')
    for i, (number, path) in enumerate(images):
        if i % interval and i != len(images) - 1:
            continue
        try:
            image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        except cv2.error as error:  # such as an image of too many pixels
            failures.append(f'{path} cannot be read: {error}')
            continue
        if image is None:
            failures.append(f'{path} cannot be read')
            continue
        yield number, cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def read_video(
    path: Path, interval: int, seen: Seen
) -> Iterator[tuple[int, np.ndarray]]:
    """Every n-th frame of a video file and the last, upright, with its index.

    Raises:
        SourceError: Where the file cannot be decoded further.
    """
    index, last = -1, None
    try:
        with open_video(path) as container:
            for index, last in enumerate(decode(container)):
                seen.turns.add(turn_of(orientation_of(last)))
                if index % interval == 0:
                    yield index, upright(last)
        if last is None:
            raise SourceError('it has no frames')
        if index % interval:
            yield index, upright(last)
    except av.FFmpegError as error:
        raise SourceError(f'decoding ends after {index + 1} frames: {error}') from error
    except IndexError as error:
        raise SourceError('it has no video stream') from error
    seen.num_frames = index + 1


def find_faces(
    detector: BaseFaceDetector, image: np.ndarray, max_side: int | None
) -> Faces:
    """The faces of a uint8 RGB image (H, W, 3), in fractions of it."""
    longest = max(image.shape[:2])
    if max_side is not None and longest > max_side:
        h, w = (max(1, round(side * max_side / longest)) for side in image.shape[:2])
        image = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA)
    found = detector.detect(image)
    h, w = image.shape[:2]
    boxes = np.clip(found.boxes / np.float32([w, h, w, h]), 0, 1)
    kept = (boxes[:, 2:] > boxes[:, :2]).all(1)
    return Faces(
        boxes[kept],
        found.scores[kept],
        (found.landmarks / np.float32([w, h]))[kept],
        np.full(int(kept.sum()), -1, np.int32),
    )


def examine(
    source: Source,
    settings: Settings,
    detector: BaseFaceDetector,
    part: Path,
    progress: Callable[[], object] = lambda: None,
) -> Report:
    """Write the faces of one video to the table ``part``; its report beside it."""
    failures: list[str] = []
    undetected: dict[str, list[int]] = {}
    numbers, frames, seen = [], [], Seen()
    kind = 'folder' if source.path.is_dir() else 'file'
    if kind == 'folder':
        images = read_images(source.path, settings.interval, failures, seen)
    else:
        images = read_video(source.path, settings.interval, seen)
    try:
        for number, image in images:
            seen.sizes.add((image.shape[1], image.shape[0]))
            try:
                faces = find_faces(detector, image, settings.max_side)
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
    with FaceTableWriter(part, settings.detector['type'], settings.interval) as writer:
        writer.describe(source.name, seen.info(kind))
        for number, faces in zip(numbers, frames, strict=True):
            writer.add(source.name, number, faces)
    report = Report(
        source.name,
        len(frames),
        sum(map(len, frames)),
        sum(map(len, undetected.values())),
        failures,
    )
    write_whole(part.with_suffix('.json'), json.dumps(vars(report), indent=1))
    return report


def part_of(parts: Path, source: Source) -> Path:
    """The file of one video's faces while others are still examined."""
    return parts / f'{hashlib.sha1(source.name.encode()).hexdigest()}.parquet'


def finished(parts: Path, source: Source) -> Report | None:
    """The report of a video examined by an earlier run without any failure."""
    path = part_of(parts, source).with_suffix('.json')
    if not path.is_file():
        return None
    report = Report(**json.loads(path.read_text()))
    return None if report.failures else report


def open_parts(out: Path, settings: dict) -> Path:
    """Make or continue the folder of parts.

    Raises:
        SystemExit: If nothing can be written there, it belongs to a run with other
            settings, or the table is there already.
    """
    parts = out.with_name(f'{out.name}.parts')
    described = parts / 'settings.json'
    try:
        if out.is_dir():
            raise SystemExit(f'--out {out} is a folder: name a file')
        if out.exists() and not described.exists():
            raise SystemExit(f'{out} is there already: remove it or name another file')
        out.parent.mkdir(parents=True, exist_ok=True)
        if described.exists():
            before = json.loads(described.read_text())
            changed = [
                f'{key}: {before.get(key)!r} then, {value!r} now'
                for key, value in settings.items()
                if before.get(key) != value
            ]
            if changed:
                raise SystemExit(
                    f'{parts} was begun with other settings ({"; ".join(changed)}): '
                    'use those again, or remove the folder to begin anew'
                )
        parts.mkdir(exist_ok=True)
        write_whole(described, json.dumps(settings, indent=1))
        # The table itself comes to lie beside the folder.
        probe = WholeFile(out, alone=True)
        probe.beside.touch()
        probe.discard()
    except OSError as error:
        raise SystemExit(f'{out} cannot be written: {error}') from error
    return parts


def merge(
    sources: Sequence[Source], parts: Path, out: Path, settings: Settings
) -> None:
    """Write the parts of all videos as one table."""
    with FaceTableWriter(out, settings.detector['type'], settings.interval) as writer:
        for source in sources:
            table = FaceTable(part_of(parts, source))
            if source.name not in table:
                continue
            writer.describe(source.name, table.info(source.name))
            for frame in table.frames(source.name):
                writer.add(source.name, frame, table.lookup(source.name, int(frame)))


_worker: BaseFaceDetector


def _start_worker(config: dict) -> None:
    global _worker
    _limit_threads()
    _worker = MODELS.build(config)


def _examine_in_worker(source: Source, settings: Settings, part: Path) -> Report:
    return examine(source, settings, _worker, part)


def _limit_threads() -> None:
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def run(
    sources: Sequence[Source],
    settings: Settings,
    parts: Path,
    workers: int,
    detector: BaseFaceDetector,
) -> list[Report]:
    """Examine the videos that no earlier run has finished."""
    reports, todo = [], []
    for source in sources:
        report = finished(parts, source)
        if report is None:
            todo.append(source)
        else:
            reports.append(report)
    if reports:
        print(f'{len(reports)} of {len(sources)} videos are finished already')
    total = sum(-(-source.num_frames // settings.interval) for source in todo)
    with tqdm(total=total or None, unit='frame', smoothing=0.05) as bar:
        if workers == 1:
            for source in todo:
                part = part_of(parts, source)
                reports.append(examine(source, settings, detector, part, bar.update))
            return reports
        # A fresh process each: CUDA and OpenCV do not survive a fork.
        with ProcessPoolExecutor(
            workers, get_context('spawn'), _start_worker, (settings.detector,)
        ) as pool:
            jobs = [
                pool.submit(
                    _examine_in_worker, source, settings, part_of(parts, source)
                )
                for source in todo
            ]
            try:
                for job in jobs:
                    reports.append(job.result())
                    bar.update(reports[-1].frames)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    return reports


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    settings = Settings(detector_config(args), args.interval, args.max_side)
    try:
        detector = MODELS.build(settings.detector)
    except (OSError, ValueError) as error:
        raise SystemExit(f'--detector {args.detector}: {error}') from error
    sources = find_sources(args.data_root)
    described = dict(
        vars(settings),
        data_root=str(args.data_root.resolve()),
        parts_version=PARTS_VERSION,
    )
    # As JSON gives it back.
    parts = open_parts(args.out, json.loads(json.dumps(described)))
    try:
        reports = run(sources, settings, parts, args.workers, detector)
    except KeyboardInterrupt:
        print(f'interrupted: the same command continues from {parts}', file=sys.stderr)
        return 130
    merge(sources, parts, args.out, settings)
    frames = sum(report.frames for report in reports)
    faces = sum(report.faces for report in reports)
    print(f'{args.out}: {len(reports)} videos, {frames} frames, {faces} faces')
    failures = [failure for report in reports for failure in report.failures]
    undetected = sum(report.undetected for report in reports)
    if undetected:
        print(
            f'the face detector failed on {undetected} frames: they are covered whole',
            file=sys.stderr,
        )
    if failures:
        print(
            f'{len(failures)} failures; what was not read has no row and is covered as '
            f'a whole. Their videos are tried again by the same command, from {parts}:',
            *failures,
            sep='\n  ',
            file=sys.stderr,
        )
        return 1
    shutil.rmtree(parts)
    return 0


if __name__ == '__main__':
    sys.exit(main())
