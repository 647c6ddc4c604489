"""Measure how long anonymizing takes, for whole processes.

    python tools/benchmark_anonymize.py clip.mp4 --every 1 --scale 0.5
    python tools/benchmark_anonymize.py clip.mp4 --against 'other-tool {clip} -o {out}'

The same clip is anonymized in turn with the default settings, without any search for
faces (the limit: decoding, encoding and the start of Python), and, if given, with
--every, with --scale, and by another command. Each run is a separate process. The
command prints the medians over all runs: seconds; seconds of processor time; the ratio
to the default, pair by pair; the peak memory in MiB (at least the 100 MiB or so of this
script); and the number of covered faces.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import av

from mmanon.anonymizer.options import DETECTORS

ANONYMIZE = Path(__file__).parent / 'anonymize.py'
DEFAULT, LIMIT, OTHER = 'default', 'no search', 'other'


class Run(NamedTuple):
    """Time and memory of a process.

    Attributes:
        seconds (float): Seconds from its start to its end.
        busy (float): Seconds of processor time.
        memory (float): The most memory it used, in MiB.
    """

    seconds: float
    busy: float
    memory: float


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('clip', type=Path, help='a video')
    parser.add_argument('--every', type=int, metavar='N')
    parser.add_argument('--scale', type=float)
    parser.add_argument('--detector', choices=DETECTORS)
    parser.add_argument('--detector-weights', metavar='FILE', help='ONNX file of YuNet')
    parser.add_argument(
        '--against',
        metavar='COMMAND',
        help='another command; {clip} and {out} are its two files',
    )
    parser.add_argument('--runs', type=int, default=5)
    args = parser.parse_args(argv)
    if not args.clip.is_file():
        parser.error(f'clip {args.clip} does not exist')
    if args.runs < 1:
        parser.error(f'--runs must be at least 1, got {args.runs}')
    return args


def commands(args: argparse.Namespace, folder: Path) -> dict[str, list[str]]:
    """Return the commands to compare; the others are compared with the first."""
    ours = [sys.executable, str(ANONYMIZE), str(args.clip), '--overwrite']
    no_faces = folder / 'no_faces.json'
    write_no_faces(args.clip, no_faces)
    found_by = []
    if args.detector:
        found_by += ['--detector', args.detector]
    if args.detector_weights:
        found_by += ['--detector-weights', args.detector_weights]
    settings = {DEFAULT: found_by}
    if args.every:
        settings[f'every {args.every}'] = [*found_by, '--every', str(args.every)]
    if args.scale:
        settings[f'scale {args.scale:g}'] = [*found_by, '--scale', str(args.scale)]
    settings[LIMIT] = ['--boxes', str(no_faces)]
    all_of_them = {
        name: [
            *(*ours, '-o', str(folder / name), '--report', str(folder / name)),
            *options,
        ]
        for name, options in settings.items()
    }
    if args.against:
        out = folder / f'other{args.clip.suffix}'
        places = {'clip': str(args.clip), 'out': str(out)}
        all_of_them[OTHER] = [
            one.format_map(places) for one in shlex.split(args.against)
        ]
    return all_of_them


def write_no_faces(clip: Path, out: Path) -> None:
    """Write a file which says that no frame of a clip has a face."""
    try:
        with av.open(str(clip)) as container:
            count = sum(1 for _ in container.decode(video=0))
    except (av.FFmpegError, IndexError) as error:
        raise SystemExit(f'{clip} cannot be read as a video: {error}') from error
    out.write_text(json.dumps({clip.name: {str(frame): [] for frame in range(count)}}))


def run(command: Sequence[str]) -> Run:
    """Run a command to its end.

    Raises:
        SystemExit: If it fails; the message has its output.
    """
    start = time.perf_counter()
    with tempfile.TemporaryFile('w+') as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        # Unlike RUSAGE_CHILDREN, only this process and those it has waited for.
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - start
        if process.returncode:
            said.seek(0)
            raise SystemExit(f'{shlex.join(command)} failed:\n{said.read()[-2000:]}')
    return Run(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def main(argv: Sequence[str] | None = None) -> int:
    """Run all commands in turn and print a table.

    Returns:
        int: 0.
    """
    args = parse_args(argv)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        compared = commands(args, folder)
        runs: dict[str, list[Run]] = {name: [] for name in compared}
        # The first round warms up and is not counted.
        for number in range(args.runs + 1):
            for name, command in compared.items():
                took = run(command)
                if number:
                    runs[name].append(took)
        faces = {
            name: json.loads((folder / name / f'{args.clip.name}.json').read_text())
            for name in compared
            if name != OTHER
        }
    frames = faces[DEFAULT]['frames']
    print(f'{args.clip.name}: {frames} frames, medians of {args.runs} runs')
    print(
        f'{"":14}{"seconds":>9}{"processor":>11}{"x default":>11}{"MiB":>7}{"faces":>7}'
    )
    for name, its in runs.items():
        ratio = statistics.median(
            one.seconds / default.seconds
            for one, default in zip(its, runs[DEFAULT], strict=True)
        )
        seconds, busy, memory = (
            statistics.median(one) for one in zip(*its, strict=True)
        )
        covered = faces[name]['faces'] if name in faces else ''
        print(
            f'{name:14}{seconds:9.2f}{busy:11.2f}{ratio:11.2f}{memory:7.0f}{covered:>7}'
        )
    return 0


if __name__ == '__main__':
    sys.exit(main())
