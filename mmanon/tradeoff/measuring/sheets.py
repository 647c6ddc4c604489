"""Draws pictures to look at: originals and redrawn faces, and the worst faces."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from mmanon.evaluation.functional.found_again import find_again
from mmanon.evaluation.metrics.recognizers import load_recognizer
from mmanon.registry import DATASETS, MODELS
from mmanon.tradeoff.sweep.attacks import Attack
from mmanon.utils.atomic_write import written_whole

from .plan import Measurement
from .practice import Practice

__all__ = ['draw_sheets']

_COUNT, _ACROSS, _WORST, _SIDE, _BATCH = 40, 10, 10, 128, 32


def draw_sheets(
    measured: Measurement, people: dict, judge: Attack | None, folder: Path
) -> list[Path]:
    """Write sheets of original and redrawn faces.

    ``people.png`` has one face of each of the first people: the original, and the face
    redrawn with two keys. ``failures.png`` has, for each kind of failure, a row of
    originals and a row of redrawn faces: the faces with the worst landmarks, with the
    smallest change, and those that the recognizer finds most similar to the original.

    Args:
        measured (Measurement): What is measured.
        people (dict): Data set of the people to show. Images whose names match
            ``skip`` in ``measured.sheets`` are not shown.
        judge (Attack, optional): The recognizer. Without one, the last kind of failure
            is left out.
        folder (Path): Folder for the files.

    Returns:
        list[Path]: The files.
    """
    asked = measured.sheets
    faces = DATASETS.build({**people, **measured.plan.geometry, 'test_mode': True})
    skip = asked.get('skip') or ()
    shown = [
        index
        for index, path in enumerate(faces.paths)
        if not any(fnmatch(path.name, pattern) for pattern in skip)
    ]
    labels = np.asarray(faces.labels)
    first = [
        index
        for place, index in enumerate(shown)
        if not place or labels[index] != labels[shown[place - 1]]
    ][: int(asked.get('count') or _COUNT)]
    files = [folder / 'people.png', folder / 'failures.png']
    chosen = _of(faces, first)
    twice = [_drawn(measured, chosen, seed) for seed in (0, 1)]
    parts = range(0, len(chosen), _ACROSS)
    _write(
        files[0],
        [one[start : start + _ACROSS] for start in parts for one in (chosen, *twice)],
    )
    originals = _of(faces, shown)
    drawn = _drawn(measured, originals, 0)
    rows = []
    for badness in _failures(measured, originals, drawn, judge):
        worst = np.argsort(-badness)[:_WORST]
        rows += [originals[worst], drawn[worst]]
    _write(files[1], rows)
    return files


def _failures(
    measured: Measurement, originals: Tensor, drawn: Tensor, judge: Attack | None
) -> list[np.ndarray]:
    """Return how bad each face is for each kind of failure, (K,) each."""
    found = find_again(originals, drawn, MODELS.build(measured.detector))
    lost = np.array([one.distance if one.found else 9.0 for one in found])
    edge = round(measured.geometry.crop_size * 0.25)
    inside = slice(edge, -edge)
    change = (drawn - originals)[..., inside, inside].abs().mean((1, 2, 3)).numpy()
    ways = [lost, -change]
    if judge is not None:
        cfg = Practice(measured).recognizer(judge, measured.run)
        assert isinstance(cfg, dict)
        view = measured.plan.view(judge.view)
        knows: Any = load_recognizer(cfg, measured.geometry.margin, judge.name, view)
        with torch.no_grad():
            two = [
                F.normalize(
                    torch.cat([knows.embed(part) for part in faces.split(_BATCH)])
                )
                for faces in (originals, drawn)
            ]
        ways.append((two[0] * two[1]).sum(1).numpy())
    return ways


def _of(faces: object, chosen: Sequence[int]) -> Tensor:
    return torch.stack([faces[index]['image'] for index in chosen])  # type: ignore[index]


def _drawn(measured: Measurement, faces: Tensor, seed: int) -> Tensor:
    model = measured.model(seed)
    return torch.cat([model.redraw_faces(part) for part in faces.split(_BATCH)])


def _write(path: Path, rows: Sequence[Tensor]) -> None:
    """Write rows of faces as one picture, each row (K, 3, S, S) in [-1, 1]."""
    width = max(len(row) for row in rows) * _SIDE
    lines = []
    for row in rows:
        small = F.interpolate(row, size=_SIDE, mode='bilinear', antialias=True)
        line = torch.cat(list(small), 2)
        lines.append(F.pad(line, (0, width - line.shape[2]), value=1.0))
    pixels = (torch.cat(lines, 1).clamp(-1, 1) + 1) * 127.5
    image = Image.fromarray(pixels.round().byte().permute(1, 2, 0).numpy())
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as beside:
        image.save(beside, 'PNG')
