"""Trains attackers on a modifier, and evaluates them on people not trained on."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mmengine.config import Config
from tqdm import tqdm

from mmanon.evaluation.metrics import (
    FaceIdentificationMetric,
    FaceVerificationMetric,
    prepare_face_metrics,
)
from mmanon.registry import DATASETS
from mmanon.tradeoff.sweep.attacks import Attack, AttackConfigs, list_attacks
from mmanon.tradeoff.sweep.plan import Run
from mmanon.tradeoff.sweep.stages import Stage
from mmanon.tradeoff.sweep.workers import Commands

from .plan import Measurement
from .remembered import DrawingModel, RememberedModifier

__all__ = ['Practice', 'measure_attacks', 'practise']

_IMPORTS = ['mmanon', 'mmanon.tradeoff.measuring.remembered']
_BATCH = 32


class Practice(AttackConfigs):
    """Makes the configs of attackers on a modifier that redraws each picture once.

    Args:
        measured (Measurement): What is measured.
    """

    def __init__(self, measured: Measurement) -> None:
        super().__init__(measured.plan, measured.shared_dir)
        self.measured = measured

    def training(self, attack: Attack, run: Run | None = None) -> Config:
        """See :meth:`AttackConfigs.training`."""
        config = super().training(attack, run)
        config.custom_imports = dict(imports=_IMPORTS, allow_failed_imports=False)
        begun = self.measured.start_from
        if run is not None and begun is not None:
            weights = begun / f'{attack.stage}.pth'
            if weights.is_file():
                config.load_from = str(weights)
        return config

    def stages(self) -> list[Stage]:
        """Return the trainings; those that all modifiers share are first."""
        run = self.measured.run
        return [
            *(
                Stage(self.shared_folder, attack.stage, self.training(attack))
                for attack in self.trainings(once=True)
            ),
            *(
                Stage(run.folder, attack.stage, self.training(attack, run))
                for attack in self.trainings(once=False)
            ),
        ]


def practise(
    measured: Measurement,
    tools: Path,
    workers: int,
    say: Callable[[str], None],
    once: bool = False,
) -> dict[str, float]:
    """Train all attackers that are not trained yet.

    Args:
        measured (Measurement): What is measured.
        tools (Path): The folder of ``train.py``.
        workers (int): Number of trainings at the same time.
        say (Callable): Called with a message when a training ends.
        once (bool): Whether to train only the attackers that all modifiers share.
            Defaults to False.

    Returns:
        dict[str, float]: Iterations of each training: ``<stage>/best_iteration``, after
        which the kept weights were saved, ``<stage>/iterations``, at its end, and
        ``<stage>/most``, the most that the config allows.

    Raises:
        StageFailed: If a training fails.
        ValueError: If a training was started with other settings before, or if
            ``attacker_faces`` has no ``augmentation.versions``.
    """
    stages = Practice(measured).stages()
    if once:
        stages = [one for one in stages if one.folder == measured.shared_dir]
    for stage in stages:
        stage.check()
    if not once and measured.learned and not all(stage.is_done for stage in stages):
        _draw_all(measured, say)
    commands = Commands(tools, workers)
    shared = len([one for one in stages if one.folder == measured.shared_dir])

    def run(stage: Stage) -> None:
        if stage.is_done:
            return
        start = time.monotonic()
        stage.run(commands)
        spent = time.monotonic() - start
        told = '; '.join(f'{key} {value:g}' for key, value in _practised(stage).items())
        say(f'{stage.name} was trained for {spent:.0f} s: {told}')

    pool = ThreadPoolExecutor(workers)
    try:
        # Restorers are trained before recognizers that are trained once.
        for part in (stages[:shared], stages[shared:]):
            list(pool.map(run, part))
    finally:
        commands.stop()
        pool.shutdown(cancel_futures=True)
    return {
        f'{stage.name}/{key}': value
        for stage in stages
        for key, value in _practised(stage).items()
    }


def _practised(stage: Stage) -> dict[str, float]:
    folder = stage.folder / stage.name
    found: dict[str, float] = {}
    for path in folder.glob('best_*.pth'):
        if (best := re.search(r'_iter_(\d+)$', path.stem)) is not None:
            found['best_iteration'] = float(best[1])
    steps = [
        int(last[1])
        for path in folder.glob('*/vis_data/scalars.json')
        for last in re.finditer(r'"step": (\d+)', path.read_text())
    ]
    if steps:
        found['iterations'] = float(max(steps))
    found['most'] = float(stage.config.train_cfg.max_iters)
    return found


def _draw_all(measured: Measurement, say: Callable[[str], None]) -> None:
    """Redraw all training and validation pictures of the attackers, and keep them."""
    if measured.memory.is_file():
        return
    modifier = measured.modifier(measured.run.seed)
    assert isinstance(modifier, RememberedModifier)
    start = time.monotonic()
    geometry = measured.plan.geometry
    faces = DATASETS.build({**measured.plan.attacker_faces, **geometry})
    augmentation = measured.plan.attacker_faces.get('augmentation') or {}
    versions = augmentation.get('versions')
    if versions is None:
        raise ValueError(
            'measured.attacker_faces has no limit of pictures per face: give it '
            "augmentation=dict(type='mmanon.FaceAugmentation', versions=2)"
        )
    pictures = [
        picture
        for index in range(len(faces))
        for picture in faces.versions_of(index, versions)
    ]
    if measured.plan.attacker_val_faces is not None:
        settings = {**measured.plan.attacker_val_faces, **geometry, 'test_mode': True}
        others = DATASETS.build(settings)
        pictures += [others.pixels(index)[0] for index in range(len(others))]
    import torch

    starts = range(0, len(pictures), _BATCH)
    for first in tqdm(starts, desc='drawing faces', disable=None):
        batch = torch.stack(pictures[first : first + _BATCH]).float() / 127.5 - 1
        modifier(batch)
    modifier.memory.save(measured.memory)
    say(f'{len(pictures)} pictures redrawn in {time.monotonic() - start:.0f} s')


def measure_attacks(
    measured: Measurement,
    people: dict,
    attacks: list[Attack],
    model: DrawingModel,
) -> dict[str, float]:
    """Measure how well attackers recognize one set of people.

    Args:
        measured (Measurement): What is measured.
        people (dict): Config of the set of people, a data set.
        attacks (list[Attack]): The attackers.
        model (DrawingModel): Redraws the faces.

    Returns:
        dict[str, float]: Figures by name, ``<attacker>/<matching>/<figure>``.
    """
    configs = Practice(measured)
    metrics: list[FaceVerificationMetric | FaceIdentificationMetric] = []
    for attack in attacks:
        shared: dict = dict(
            dataset=people,
            recognizer=configs.recognizer(attack, measured.run),
            prefix=attack.name,
        )
        if attack.view != 'face':
            shared['view'] = attack.view
        if attack.view == 'head':
            shared['head_margin'] = measured.plan.head_margin
        metrics += [
            FaceVerificationMetric(**shared),
            FaceIdentificationMetric(ranks=[1], **shared),
        ]
    return evaluate(metrics, model)


def evaluate(metrics: list, model: DrawingModel) -> dict[str, float]:
    """Evaluate metrics of faces without a detector."""
    prepare_face_metrics(metrics, model, 'cpu')  # type: ignore[arg-type]
    figures: dict[str, float] = {}
    for metric in metrics:
        metric.process({}, [])
        figures |= metric.evaluate(1)
    return figures


def attacks_of(measured: Measurement, practising: bool) -> list[Attack]:
    """Return the attackers that are trained on the modifier, or those that are not."""
    attackers = measured.plan.attackers
    return [
        attack
        for attack in list_attacks(attackers)
        if bool(attackers[attack.spec].get('train')) == practising
    ]
