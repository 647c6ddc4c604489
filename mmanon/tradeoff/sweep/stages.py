"""The stages of a sweep. Each has a config, runs a command, and has a result.

In the folder of a run, a stage has these files: ``<name>.py``, its config;
``<name>.json``, the same for comparison; ``<name>.built_on.json``, fingerprints of the
weight files from which it started; ``<name>.log``; ``<name>/``, the work dir of the
command; and when it is finished ``<name>.pth``, the weights of a training, or
``figures.json`` of a test.
"""

import copy
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from pprint import pformat
from typing import Any

from mmengine.config import Config, ConfigDict

from mmanon.utils.atomic_write import write_whole, written_whole

from .attacks import (
    AttackConfigs,
    import_remembered,
    is_learned,
    list_attacks,
    modifier_file,
)
from .inputs import fingerprint, named_weights
from .plan import Plan, Run
from .workers import StageFailed

Execute = Callable[[list[str], Path], None]
"""Runs a tool with arguments, and writes its output to a file."""
DETECTOR = 'detector'
FIGURES_FILE = 'figures.json'
_BEST = 'best_*.pth'


@dataclass(frozen=True)
class Stage:
    """A training or a test.

    Attributes:
        folder: Folder of the run.
        name: ``train``, ``test``, ``detector`` or the name of an attacker's training.
        config: Its config.
        tests: The checkpoint to test; None for a training.
        modifier: The file to which the learned modifier of a training is exported, or
            None.
    """

    folder: Path
    name: str
    config: Config
    tests: Path | None = None
    modifier: Path | None = None

    @property
    def result(self) -> Path:
        """The file that exists when the stage is finished."""
        return self.folder / (FIGURES_FILE if self.tests else f'{self.name}.pth')

    @property
    def is_done(self) -> bool:
        """Whether it is finished, with these settings and weight files."""
        if self.modifier is not None and not self.modifier.is_file():
            return False
        unchanged = self.difference() is None and self.rebuilt() is None
        return self.result.is_file() and unchanged

    @property
    def built_on(self) -> list[Path]:
        """The weight files from which it starts, or which it measures."""
        settings = self.config.to_dict()
        if self.tests:
            settings.pop('load_from', None)  # the tested checkpoint replaces it
        found = [*named_weights(settings), *([self.tests] if self.tests else [])]
        return list(dict.fromkeys(found))

    def difference(self) -> str | None:
        """Return the first difference from the settings of its start, or None."""
        path = self.folder / f'{self.name}.json'
        if not path.is_file():
            return None
        return _first_difference(json.loads(path.read_text()), _plain(self.config))

    def rebuilt(self) -> Path | None:
        """Return a weight file that has changed since its start, or None."""
        record = self.folder / f'{self.name}.built_on.json'
        if not record.is_file():
            return None
        began = json.loads(record.read_text())
        changed = (
            path for path in self.built_on if began.get(str(path)) != fingerprint(path)
        )
        return next(changed, None)

    def check(self) -> None:
        """Check that a training continues with the same settings and weight files.

        Raises:
            ValueError: If it was started with others.
        """
        if self.tests:
            return  # tests are repeated
        instead = f'Give another --work-dir, or delete {self.folder} to train it again'
        changed = self.difference()
        if changed is not None:
            raise ValueError(
                f'{self.folder / self.name} was started with other settings: '
                f'{changed}. ' + instead
            )
        rebuilt = self.rebuilt()
        if rebuilt is not None:
            now = 'has changed' if rebuilt.is_file() else 'is gone'
            raise ValueError(
                f'{self.folder / self.name} was started with {rebuilt}, which {now} '
                f'since then: its figures would belong to other weights. {instead}'
            )

    def run(self, execute: Execute) -> None:
        """Run the stage if it is not done; a training continues where it stopped."""
        if self.is_done:
            return
        try:
            self.check()
        except ValueError as error:
            raise StageFailed(str(error)) from None
        config = self.folder / f'{self.name}.py'
        work_dir = self.folder / self.name
        write_whole(config, _python(self.config))
        if self.tests:
            # An existing result was measured with other settings.
            self.result.unlink(missing_ok=True)
        settings = self.folder / f'{self.name}.json'
        write_whole(settings, json.dumps(_plain(self.config)))
        record = self.folder / f'{self.name}.built_on.json'
        began = {str(path): fingerprint(path) for path in self.built_on}
        write_whole(record, json.dumps(began, indent=1))
        log = self.folder / f'{self.name}.log'
        if self.tests:
            paths = [config, self.tests, '--work-dir', work_dir, '--out', self.result]
            execute(['test.py', *map(str, paths)], log)
            return
        if not self.result.is_file():
            last = work_dir / 'last_checkpoint'
            resume = ['--resume'] if last.is_file() else []
            if not resume:
                # Files of a training that was killed before its first checkpoint.
                for old in work_dir.glob(_BEST):
                    old.unlink()
            plain = ['--plain'] if self.name == DETECTOR else []
            arguments = [str(config), '--work-dir', str(work_dir), *plain, *resume]
            execute(['train.py', *arguments], log)
            # The best weights of the validation, if there is one.
            best = sorted(work_dir.glob(_BEST), key=lambda path: path.stat().st_mtime)
            chosen = best[-1].name if best else Path(last.read_text().strip()).name
            _link(work_dir / chosen, self.result)
        if self.modifier is not None:
            arguments = [str(self.result), '--modifier', str(self.modifier)]
            execute(['export_checkpoint.py', *arguments], log)


class Stages:
    """Makes the stages of a plan.

    Args:
        plan (Plan): The plan of the sweep.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.shared_folder = plan.work_dir / 'shared'
        self.attacks = AttackConfigs(plan, self.shared_folder)

    def shared(self) -> list[Stage]:
        """List the trainings that all runs share: plain detector, some attackers."""
        stages = []
        if self.plan.detector is not None:
            config = _without_validation(Config.fromfile(self.plan.detector))
            stages.append(Stage(self.shared_folder, DETECTOR, config))
        for attack in self.attacks.trainings(once=True):
            config = self.attacks.training(attack)
            stages.append(Stage(self.shared_folder, attack.stage, config))
        return stages

    def of(self, run: Run) -> list[Stage]:
        """List the stages of a run, in their order."""
        trained = Stage(
            run.folder,
            'train',
            self._training(run),
            modifier=modifier_file(run) if is_learned(run) else None,
        )
        attackers = [
            Stage(run.folder, attack.stage, self.attacks.training(attack, run))
            for attack in self.attacks.trainings(once=False)
        ]
        test = Stage(run.folder, 'test', self._test(run), tests=trained.result)
        return [trained, *attackers, test]

    def _training(self, run: Run) -> Config:
        config = _without_validation(self.plan.config)
        config.custom_hooks[self.plan.hook_index] = ConfigDict(run.setting.hook)
        config.randomness = dict(config.get('randomness') or {}, seed=run.seed)
        if self.plan.detector is not None:
            config.load_from = str(self.shared_folder / f'{DETECTOR}.pth')
        return config

    def _test(self, run: Run) -> Config:
        config = copy.deepcopy(self.plan.config)
        config.pop('work_dir', None)
        config.custom_hooks[self.plan.hook_index] = ConfigDict(run.setting.hook)
        people = self.plan.people
        metrics = [dict(type='mmanon.FaceQualityMetric', dataset=people)]
        for attack in list_attacks(self.plan.attackers):
            shared: dict[str, Any] = dict(
                dataset=people,
                recognizer=self.attacks.recognizer(attack, run),
                prefix=attack.name,
            )
            if attack.view != 'face':
                shared['view'] = attack.view
            if attack.view == 'head':
                shared['head_margin'] = self.plan.head_margin
            metrics += [
                dict(type='mmanon.FaceVerificationMetric', **shared),
                dict(type='mmanon.FaceIdentificationMetric', ranks=[1], **shared),
            ]
        if self.plan.attributes is not None:
            told = {**self.plan.attributes, 'type': 'mmanon.FaceAttributeMetric'}
            metrics.append(told)
        own = config.test_evaluator
        own = list(own) if isinstance(own, (list, tuple)) else [own]
        config.test_evaluator = [*own, *metrics]
        if any(spec.get('remember') for spec in self.plan.attackers.values()):
            import_remembered(config)
        return config


def _without_validation(config: Config) -> Config:
    config = copy.deepcopy(config)
    config.pop('work_dir', None)
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    return config


def _plain(config: Config) -> dict[str, Any]:
    """Return the settings as they are after reading them from JSON."""
    return json.loads(json.dumps(config.to_dict(), default=str))


def _python(config: Config) -> str:
    """Return the settings as a config file; ``Config.dump`` would take seconds."""
    settings = config.to_dict().items()
    texts = [f'{key} = {pformat(value, sort_dicts=False)}\n' for key, value in settings]
    return ''.join(texts)


def _first_difference(old: Any, new: Any, where: str = '') -> str | None:
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [*old, *(key for key in new if key not in old)]
        pairs = [(key, old.get(key), new.get(key)) for key in keys]
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = [(i, *two) for i, two in enumerate(zip(old, new, strict=True))]
    elif old == new:
        return None
    else:
        return f'{where.rstrip(".")} was {_short(old)} and is {_short(new)}'
    found = (_first_difference(a, b, f'{where}{key}.') for key, a, b in pairs)
    return next((difference for difference in found if difference is not None), None)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f'{text[:77]}...'


def _link(source: Path, target: Path) -> None:
    """Link a file to a second name, or copy it if links are not possible."""
    with written_whole(target) as beside:
        try:
            os.link(source, beside)
        except OSError:
            shutil.copyfile(source, beside)
