"""Measures how much redrawn faces flicker along their tracks, and how fast it is."""

from __future__ import annotations

import os
import statistics
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import numpy as np
import torch

from mmanon.anonymizer import AnonymizerInferencer
from mmanon.anonymizer.backends.base import build_backend
from mmanon.anonymizer.crop_sampling import cut_out
from mmanon.anonymizer.live import LiveAnonymizer
from mmanon.anonymizer.places import square_place
from mmanon.evaluation.functional.image_quality import temporal_flicker

from .plan import Measurement

__all__ = ['measure_flicker', 'measure_speed']

_SIDE = 64
_LEAST_FRAMES = 10
_DELAY = 4
_RUNS = 3
_FACES, _CALLS = 8, 12


def measure_flicker(measured: Measurement) -> dict[str, float]:
    """Measure how much more redrawn faces change between frames than the originals.

    The anonymizer follows the faces as for a camera, with one key per track. The face
    boxes of originals and results are compared; they are the same.

    Returns:
        dict[str, float]: For each clip, ``<clip>/flicker``, the ratio over all frames
        in tracks of at least ten frames, and ``<clip>/frames``, their number; and
        ``flicker``, the ratio over all clips.

    Raises:
        FileNotFoundError: If a clip does not exist.
    """
    figures: dict[str, float] = {}
    all_before = all_after = 0.0
    for clip in measured.clips:
        before, after, frames = _flicker_of(measured, Path(clip))
        name = Path(clip).stem
        if not frames:
            continue
        figures[f'{name}/flicker'] = after / before
        figures[f'{name}/frames'] = frames
        all_before += before
        all_after += after
    if all_before:
        figures['flicker'] = all_after / all_before
    return figures


def _flicker_of(measured: Measurement, clip: Path) -> tuple[float, float, int]:
    """Return the summed changes of originals and redrawn faces, and their number."""
    if not clip.is_file():
        raise FileNotFoundError(f'measured.clips: {clip} does not exist')
    anonymize = _anonymizer(measured)
    live = LiveAnonymizer(anonymize, _DELAY, clip.stem)
    waiting: deque[np.ndarray] = deque()
    tracks: dict[int, list[tuple[np.ndarray, np.ndarray]]] = defaultdict(list)
    for frame in _frames(clip):
        waiting.append(frame)
        out = live.put(frame)
        if out.image is None:
            continue
        original = waiting.popleft()
        for mask in out.masks:
            if mask.track < 0:
                continue
            box = mask.box if mask.face is None else mask.face
            place = square_place(box, original.shape[1::-1], 0.0)
            tracks[mask.track].append(
                (cut_out(original, place, _SIDE), cut_out(out.image, place, _SIDE))
            )
    before = after = 0.0
    count = 0
    for faces in tracks.values():
        if len(faces) < _LEAST_FRAMES:
            continue
        originals, drawn = (
            torch.from_numpy(np.stack([one[k] for one in faces])) for k in (0, 1)
        )
        told = temporal_flicker(originals, drawn)
        before += told.original * len(faces)
        after += told.modified * len(faces)
        count += len(faces)
    return before, after, count


def measure_speed(measured: Measurement) -> dict[str, float]:
    """Measure how many faces are redrawn per second, and the time for a clip.

    Returns:
        dict[str, float]: ``faces_a_second``, the median of three runs of 12 calls with
        eight faces, and ``cores``, the number of available cores. For the first clip,
        ``clip_seconds``, the median of three runs, ``clip_seconds_default``, the same
        with the default modifier, and ``clip_times``, their ratio.
    """
    backend, geometry = build_backend(measured.drawn_by, seed=0)
    random = np.random.default_rng(0)
    side = geometry.crop_size
    faces = random.uniform(-1, 1, (_FACES, 3, side, side)).astype(np.float32)
    rates = []
    for _ in range(_RUNS + 1):
        start = time.perf_counter()
        for _ in range(_CALLS):
            backend.modify(faces, range(_FACES))
        rates.append(_CALLS * _FACES / (time.perf_counter() - start))
    figures = dict(faces_a_second=statistics.median(rates[1:]), cores=float(_cores()))
    if not measured.clips:
        return figures
    spent: dict[str, list[float]] = dict(own=[], default=[])
    makers = dict(own=_anonymizer(measured), default=AnonymizerInferencer())
    with TemporaryDirectory() as folder:
        for run in range(_RUNS + 1):
            for name, anonymize in makers.items():
                start = time.perf_counter()
                out = Path(folder) / f'{name}{run}'
                anonymize(measured.clips[0], out)
                if run:
                    spent[name].append(time.perf_counter() - start)
    own, default = (statistics.median(one) for one in spent.values())
    figures |= dict(clip_seconds=own, clip_seconds_default=default)
    figures['clip_times'] = own / default
    return figures


def _anonymizer(measured: Measurement) -> AnonymizerInferencer:
    from mmanon.anonymizer.options import MaskingOptions

    modifier: Any = measured.drawn_by
    return AnonymizerInferencer(masking=MaskingOptions(modifier=modifier, seed=0))


def _frames(clip: Path) -> Iterator[np.ndarray]:
    with av.open(str(clip)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format='rgb24')


def _cores() -> int:
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
