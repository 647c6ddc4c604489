"""Measure what looking for faces less often, or in a smaller picture, saves.

    python tools/benchmark_anonymize.py clip.mp4 --every 3 --scale 0.5

The same clip is anonymized in turn with the default settings, with --every, with
--scale, with both, and without any search for faces, which is the limit: what decoding
and encoding cost. Printed are the medians of all runs: seconds, seconds of processor
time, and how many times as long as the limit it takes; and how many faces were covered.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import av

from mmanon.apis import AnonymizerInferencer
from mmanon.apis.face_finding import DETECTORS


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('clip', type=Path, help='a video')
    parser.add_argument('--every', type=int, default=3, metavar='N')
    parser.add_argument('--scale', type=float, default=0.5)
    parser.add_argument('--detector', choices=DETECTORS)
    parser.add_argument('--detector-weights', metavar='FILE', help='ONNX file of YuNet')
    parser.add_argument('--runs', type=int, default=5)
    args = parser.parse_args(argv)
    if not args.clip.is_file():
        parser.error(f'clip {args.clip} does not exist')
    if args.runs < 1:
        parser.error(f'--runs must be at least 1, got {args.runs}')
    return args


def build(args: argparse.Namespace, no_faces: Path) -> dict[str, AnonymizerInferencer]:
    """The settings to compare; the last one is the limit."""
    found_by = dict(detector=args.detector, detector_weights=args.detector_weights)
    every, scale = dict(every=args.every), dict(scale=args.scale)
    return {
        'default': AnonymizerInferencer(**found_by),
        f'every {args.every}': AnonymizerInferencer(**found_by, **every),
        f'scale {args.scale:g}': AnonymizerInferencer(**found_by, **scale),
        'both': AnonymizerInferencer(**found_by, **every, **scale),
        'no search': AnonymizerInferencer(boxes=no_faces),
    }


def write_no_faces(clip: Path, out: Path) -> None:
    """Write down for each frame of a clip that it has no face."""
    try:
        with av.open(str(clip)) as container:
            count = sum(1 for _ in container.decode(video=0))
    except (av.FFmpegError, IndexError) as error:
        raise SystemExit(f'{clip} cannot be read as a video: {error}') from error
    out.write_text(json.dumps({clip.name: {str(frame): [] for frame in range(count)}}))


def main(argv: Sequence[str] | None = None) -> int:
    """Run all settings in turn and print a table.

    Returns:
        int: 0; 1 when the clip could not be anonymized.
    """
    args = parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        no_faces = Path(folder, 'no_faces.json')
        write_no_faces(args.clip, no_faces)
        settings = build(args, no_faces)
        seconds: dict[str, list] = {name: [] for name in settings}
        busy: dict[str, list] = {name: [] for name in settings}
        faces: dict[str, int] = {}
        # The first round warms up and is not counted.
        for number in range(args.runs + 1):
            for name, anonymize in settings.items():
                start = time.perf_counter(), time.process_time()
                (outcome,) = anonymize(
                    args.clip, folder, overwrite=True, show_progress=False
                )
                if outcome.status != 'written':
                    print(f'{args.clip}: {outcome.reason}', file=sys.stderr)
                    return 1
                faces[name] = outcome.faces
                if number:
                    seconds[name].append(time.perf_counter() - start[0])
                    busy[name].append(time.process_time() - start[1])
    print(f'{args.clip.name}: {outcome.frames} frames, medians of {args.runs} runs')
    print(f'{"":14}{"seconds":>9}{"processor":>11}{"x limit":>9}{"faces":>8}')
    limit = statistics.median(seconds['no search'])
    for name in settings:
        took = statistics.median(seconds[name])
        print(
            f'{name:14}{took:9.2f}{statistics.median(busy[name]):11.2f}'
            f'{took / limit:9.2f}{faces[name]:8}'
        )
    return 0


if __name__ == '__main__':
    sys.exit(main())
