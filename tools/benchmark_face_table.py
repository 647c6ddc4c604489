"""Measure time and memory that a large face table takes in a data loader's worker.

    python tools/benchmark_face_table.py WORK_DIR

The command writes two tables of ten million faces each, unless WORK_DIR has them (about
7 minutes and 1.6 GB): one of few long videos, as in AVA, and one of many short videos,
as in Kinetics. Then workers, spawned and forked, open a table, look up frames, and
measure the time and their own memory: the pages that no other process has (USS).
Opening and the first lookup should take less than 100 ms and 100 MB. The lookups after
that, in random videos, show the time of a lookup, and that memory does not grow.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmanon.structures.face_table import FaceTable, FaceTableWriter, VideoInfo
from mmanon.structures.faces import Faces

PER_FRAME = 2
CLIP = 8
# Videos and frames of each for ten million faces.
SHAPES = {'long': (2000, 2500), 'short': (300000, 17)}
LIMIT_MS, LIMIT_MB = 100, 100


class Cost(NamedTuple):
    """What one worker measured.

    Attributes:
        first_ms: Time for opening the table and looking up the first frame.
        cpu_ms: The processor time in it; the rest is waiting for a core or the disk.
        clip_ms: Median time for the 8 frames of a clip in a random video.
        first_mb: The worker's own memory after the first frame.
        end_mb: The worker's own memory after all clips.
    """

    first_ms: float
    cpu_ms: float
    clip_ms: float
    first_mb: float
    end_mb: float


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('work_dir', type=Path, help='folder of the tables')
    parser.add_argument(
        '--scale',
        type=float,
        default=1.0,
        help='fraction of the ten million faces (default: %(default)s)',
    )
    parser.add_argument(
        '--runs', type=int, default=5, help='number of workers of each kind'
    )
    parser.add_argument(
        '--clips', type=int, default=100, help='number of clips that a worker looks up'
    )
    args = parser.parse_args(argv)
    if not 0 < args.scale <= 1 or args.runs < 1 or args.clips < 1:
        parser.error('--scale must be in (0, 1], --runs and --clips at least 1')
    return args


def video_name(number: int) -> str:
    return f'video_{number:07d}'


def write_table(path: Path, videos: int, frames: int) -> None:
    """Write a table of videos, each with ``frames`` frames of two faces."""
    random = np.random.default_rng(0)
    scores = np.full(PER_FRAME, 0.9, np.float32)
    tracks = np.arange(PER_FRAME, dtype=np.int32)
    with FaceTableWriter(path, 'made up') as writer:
        for number in range(videos):
            video = video_name(number)
            writer.describe(video, VideoInfo('folder', 340, 256, frames))
            corners = random.uniform(0, 0.8, (frames, PER_FRAME, 2)).astype(np.float32)
            boxes = np.concatenate([corners, corners + np.float32(0.15)], 2)
            points = random.random((frames, PER_FRAME, 5, 2), dtype=np.float32)
            for t in range(frames):
                writer.add(video, t + 1, Faces(boxes[t], scores, points[t], tracks))


def own_megabytes() -> float:
    """Return the memory that this process shares with no other."""
    lines = Path('/proc/self/smaps_rollup').read_text().splitlines()
    sizes = [int(line.split()[1]) for line in lines if line.startswith('Private_')]
    return sum(sizes) / 1024


def ask(table: FaceTable, video: str, first: int, frames: int) -> None:
    """Look up the frames of a clip."""
    table.info(video)
    for frame in range(first, min(first + CLIP, frames + 1)):
        table.lookup(video, frame)


def work(
    path: Path,
    inherited: FaceTable | None,
    videos: int,
    frames: int,
    clips: int,
    seed: int,
    answers: multiprocessing.Queue,
) -> None:
    """Run a worker, which measures and answers with a :class:`Cost`."""
    random = np.random.default_rng(seed)
    before = own_megabytes()
    start, cpu_start = time.perf_counter(), time.process_time()
    table = FaceTable(path) if inherited is None else inherited
    table.info(video_name(videos // 2))
    table.lookup(video_name(videos // 2), frames // 2 + 1)
    first, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    first_mb = own_megabytes()
    times = []
    for _ in range(clips):
        video = video_name(int(random.integers(videos)))
        start = time.perf_counter()
        ask(table, video, int(random.integers(1, frames + 1)), frames)
        times.append(time.perf_counter() - start)
    answers.put(
        Cost(
            first * 1e3,
            cpu * 1e3,
            statistics.median(times) * 1e3,
            first_mb - before,
            own_megabytes() - before,
        )
    )


def measure(
    path: Path, kind: str, videos: int, frames: int, runs: int, clips: int
) -> list[Cost]:
    """Return the costs of ``runs`` workers, which run one after the other.

    A forked worker inherits the table that its parent has opened, with the list of its
    videos, as in a data loader. A spawned worker opens it.
    """
    context: Any = multiprocessing.get_context(kind)
    table = None
    if kind == 'fork':
        table = FaceTable(path)
        table.videos()
    costs = []
    for seed in range(runs):
        answers = context.SimpleQueue()
        worker = context.Process(
            target=work, args=(path, table, videos, frames, clips, seed, answers)
        )
        worker.start()
        worker.join()
        if worker.exitcode:
            raise SystemExit(f'a worker failed with exit code {worker.exitcode}')
        costs.append(answers.get())
    return costs


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    if not Path('/proc/self/smaps_rollup').exists():
        raise SystemExit("this system does not say how much memory is a process's own")
    args.work_dir.mkdir(parents=True, exist_ok=True)
    kept = True
    print(
        'videos  worker  open + first frame (worst; CPU)  random clip  memory, at end'
    )
    for name, (videos, frames) in SHAPES.items():
        videos = max(1, round(videos * args.scale))
        path = args.work_dir / f'{name}_{videos}.parquet'
        if not path.is_file():
            write_table(path, videos, frames)
        for kind in ('spawn', 'fork'):
            costs = measure(path, kind, videos, frames, args.runs, args.clips)
            middle = Cost(*map(statistics.median, zip(*costs, strict=True)))
            worst = Cost(*map(max, zip(*costs, strict=True)))
            kept &= middle.first_ms < LIMIT_MS and worst.end_mb < LIMIT_MB
            print(
                f'{name:6}  {kind:6}  '
                f'{middle.first_ms:6.1f} '
                f'({worst.first_ms:.1f}; {middle.cpu_ms:.1f}) ms  '
                f'{middle.clip_ms:6.2f} ms  '
                f'{worst.first_mb:6.1f} MB, {worst.end_mb:.1f} MB',
                flush=True,
            )
    print(f'under {LIMIT_MS} ms and {LIMIT_MB} MB: {"yes" if kept else "no"}')
    return 0 if kept else 1


if __name__ == '__main__':
    sys.exit(main())
