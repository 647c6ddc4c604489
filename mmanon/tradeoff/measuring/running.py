"""Runs all parts of a measurement one after the other, and saves each at its end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mmanon.evaluation.metrics.face_kept_metric import FaceKeptMetric
from mmanon.evaluation.metrics.face_quality_metric import FaceQualityMetric
from mmanon.registry import DATASETS
from mmanon.utils.atomic_write import write_whole
from mmanon.version import __version__

from .crops import as_crops
from .groups import measure_groups
from .motion import measure_flicker, measure_speed
from .plan import Measurement
from .practice import attacks_of, evaluate, measure_attacks, practise
from .sheets import draw_sheets
from .strength import judge_attackers

__all__ = ['PARTS', 'measure']

PARTS = ('kept', 'recognizers', 'attackers', 'groups', 'motion', 'speed', 'sheets')
"""The parts: whether faces are found again and how much changes; recognizers that were
not trained on the modifier; attackers that are trained on it; groups of people;
flicker; speed; and pictures to look at."""


def measure(
    measured: Measurement,
    tools: Path,
    workers: int = 1,
    parts: Sequence[str] | None = None,
) -> Path:
    """Measure a modifier.

    Finished parts are not run again, and trained attackers are not trained again.

    Args:
        measured (Measurement): What is measured.
        tools (Path): The folder of ``train.py``.
        workers (int): Number of trainings at the same time.
        parts (Sequence[str], optional): Some of :data:`PARTS`; they run even if they
            are finished. Defaults to the unfinished parts of the preset, or of all.

    Returns:
        Path: The file ``figures.json`` with the figures of all finished parts by name;
        see ``docs/evaluation.md``.

    Raises:
        FileNotFoundError: If people, weights or a clip do not exist.
        StageFailed: If a training fails.
        ValueError: If data and settings do not fit together.
    """
    folder = measured.work_dir / 'figures'
    asked = parts or measured.parts or PARTS
    again = set(parts or ())
    todo = [
        part
        for part in PARTS
        if part in asked and (part in again or not (folder / f'{part}.json').is_file())
    ]
    for name, why in measured.left_out.items():
        _say(f'{name} is left out: {why}')
    sets = {
        name: as_crops(people, measured.geometry, _cut_folder(measured, name))
        for name, people in measured.people.items()
    }
    work = _Parts(measured, sets, tools, workers)
    for part in todo:
        start = time.monotonic()
        figures = getattr(work, part)()
        write_whole(folder / f'{part}.json', json.dumps(figures, indent=1))
        _say(f'{part}: {time.monotonic() - start:.0f} s')
    return _collect(measured, folder, next(iter(sets)))


class _Parts:
    """Has a method for each part, which returns its figures by name."""

    def __init__(
        self, measured: Measurement, sets: dict[str, dict], tools: Path, workers: int
    ) -> None:
        self.measured, self.sets = measured, sets
        self.tools, self.workers = tools, workers

    def kept(self) -> dict[str, float]:
        model = self.measured.model()
        metrics: list[Any] = []
        for name, people in self.sets.items():
            metrics += [
                FaceKeptMetric(people, self.measured.detector, prefix=f'kept/{name}'),
                FaceQualityMetric(people, prefix=f'changed/{name}'),
            ]
        return evaluate(metrics, model)

    def recognizers(self) -> dict[str, float]:
        attacks = attacks_of(self.measured, practising=False)
        once = any(
            self.measured.plan.attackers[one.spec].get('train_once') for one in attacks
        )
        if once:
            practise(self.measured, self.tools, self.workers, _say, once=True)
        return self._attacked(attacks, self.sets)

    def attackers(self) -> dict[str, float]:
        measured = self.measured
        told = practise(measured, self.tools, self.workers, _say)
        faces = {**measured.plan.attacker_faces, **measured.plan.geometry}
        people = len(DATASETS.build(faces).metainfo['classes'])
        first = next(iter(self.sets))
        figures = self._attacked(
            attacks_of(measured, practising=True), {first: self.sets[first]}
        )
        practice = {f'practice/{key}': value for key, value in told.items()}
        return {**figures, 'practice/people': people, **practice}

    def groups(self) -> dict[str, float]:
        measured = self.measured
        asked = measured.groups.get('people')
        if not asked:
            return {}
        people = as_crops(asked, measured.geometry, _cut_folder(measured, 'groups'))
        named = measured.groups.get('attackers')
        attacks = [
            attack
            for attack in attacks_of(measured, practising=False)
            if (named is None or attack.spec in named)
            and attack.view != 'head'
            and not measured.plan.attackers[attack.spec].get('train_once')
        ]
        figures = measure_groups(measured, people, attacks)
        return {f'groups/{key}': value for key, value in figures.items()}

    def motion(self) -> dict[str, float]:
        figures = measure_flicker(self.measured)
        return {f'motion/{key}': value for key, value in figures.items()}

    def speed(self) -> dict[str, float]:
        figures = measure_speed(self.measured)
        return {f'speed/{key}': value for key, value in figures.items()}

    def sheets(self) -> dict[str, float]:
        measured = self.measured
        name = measured.sheets.get('people') or next(iter(self.sets))
        judges = [
            attack
            for attack in attacks_of(measured, practising=False)
            if attack.view == 'face'
        ]
        files = draw_sheets(
            measured,
            self.sets[name],
            judges[0] if judges else None,
            measured.work_dir / 'sheets',
        )
        _say('pictures to look at: ' + ', '.join(map(str, files)))
        return {}

    def _attacked(self, attacks: list, sets: dict[str, dict]) -> dict[str, float]:
        model = self.measured.model()
        figures: dict[str, float] = {}
        for name, people in sets.items():
            faces = {**people, **self.measured.plan.geometry, 'test_mode': True}
            dataset = DATASETS.build(faces)
            figures[f'{name}/people'] = len(dataset.metainfo['classes'])
            figures[f'{name}/faces'] = len(dataset)
            found = measure_attacks(self.measured, people, attacks, model)
            figures |= {f'{name}/{key}': value for key, value in found.items()}
        return figures


def _collect(measured: Measurement, folder: Path, people: str) -> Path:
    """Write all figures, with the modifier, the settings and the version."""
    figures: dict[str, float] = {}
    for part in PARTS:
        path = folder / f'{part}.json'
        if path.is_file():
            figures |= json.loads(path.read_text(encoding='utf-8'))
    told: dict[str, Any] = dict(
        modifier=measured.run.setting.method,
        digest=measured.digest,
        seed=measured.run.seed,
        mmanon_version=__version__,
        left_out=list(measured.left_out),
        start_from=measured.start_from and measured.start_from.parent.name,
    )
    path = measured.work_dir / 'figures.json'
    write_whole(path, json.dumps({**told, **figures}, indent=1) + '\n')
    if not measured.learned:
        for sentence in judge_attackers(measured, figures, people):
            print(sentence)
    return path


def _cut_folder(measured: Measurement, name: str) -> Path:
    return measured.shared_dir / 'crops' / name


_Say = Callable[[str], None]


def _say(text: str) -> None:
    print(time.strftime('%H:%M:%S'), text, flush=True)
