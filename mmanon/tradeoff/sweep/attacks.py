"""The attackers of a sweep: their training configs, and the recognizers of metrics."""

import copy
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mmengine.config import Config, ConfigDict

from mmanon.models.layers.face_views import FaceView
from mmanon.models.modifiers import LearnedModifier
from mmanon.registry import DATASETS, MODELS
from mmanon.tradeoff.rows import shown_name

if TYPE_CHECKING:
    from .plan import Plan, Run

__all__ = [
    'Attack',
    'AttackConfigs',
    'import_remembered',
    'is_learned',
    'judged_views',
    'list_attacks',
    'modifier_file',
]

_REMEMBERED = 'mmanon.tradeoff.measuring.remembered'
_VALIDATION = ('val_dataloader', 'val_cfg', 'val_evaluator')
_VALIDATION_HOOKS = ('ValidateFirstHook', 'EarlyStoppingHook')


class Attack(NamedTuple):
    """An attacker in a view, as measured by a metric and stored in rows.

    Attributes:
        attacker: Its name in rows: the name in the config, or
            ``<restorer>+<recognizer>`` for a restorer with several recognizers.
        view: Its view.
        spec: Its name in the config.
        judge: For a restorer with several recognizers, the name of the recognizer of
            the restored faces; otherwise None.
    """

    attacker: str
    view: str
    spec: str
    judge: str | None = None

    @property
    def name(self) -> str:
        """The prefix of the names of its figures."""
        return shown_name(self.attacker, self.view)

    @property
    def stage(self) -> str:
        """The name of its training."""
        return self.spec if self.judge else shown_name(self.spec, self.view)


def list_attacks(attackers: dict[str, dict]) -> list[Attack]:
    """List every attacker of a plan in each of its views.

    Judges are left out in views in which they were not trained.
    """
    return [
        Attack(name if judge is None else f'{name}+{judge}', view, name, judge)
        for name, spec in attackers.items()
        for judge in _judges(spec)
        for view in _views(spec)
        if judge is None or view in judged_views(attackers[judge], _views(spec))
    ]


def judged_views(judge: dict, views: list[str]) -> list[str]:
    """Return the views in which a judge can recognize restored faces."""
    if judge.get('train_once'):
        return [view for view in views if view in _views(judge)]
    return views


def is_learned(run: 'Run') -> bool:
    """Whether the run trains its modifier."""
    return isinstance(MODELS.build(run.setting.hook['modifier']), LearnedModifier)


def modifier_file(run: 'Run') -> Path:
    """Return the file to which the learned modifier of a run is exported."""
    return run.folder / 'modifier.pth'


class AttackConfigs:
    """Makes the configs of attackers.

    Args:
        plan (Plan): The plan of the sweep.
        shared_folder (Path): Folder of the attackers that are trained only once.
    """

    def __init__(self, plan: 'Plan', shared_folder: Path) -> None:
        self.plan = plan
        self.shared_folder = shared_folder

    @cached_property
    def people(self) -> list[str]:
        """Names of the people on whom attackers are trained."""
        faces = {**self.plan.attacker_faces, **self.plan.geometry}
        return list(DATASETS.build(faces).metainfo['classes'])

    def trainings(self, once: bool) -> list[Attack]:
        """List the trainings that are done once for all runs, or for each modifier."""
        key = 'train_once' if once else 'train'
        found: dict[str, Attack] = {}
        for attack in list_attacks(self.plan.attackers):
            if self.plan.attackers[attack.spec].get(key):
                # All judges of a restorer share its training.
                found.setdefault(attack.stage, attack)
        return list(found.values())

    def training(self, attack: Attack, run: 'Run | None' = None) -> Config:
        """Make the config of an attacker's training on the attackers' people.

        Args:
            attack (Attack): The attacker.
            run (Run, optional): The run whose modifier it attacks. Defaults to the
                modifier in the attacker's config.
        """
        spec = self.plan.attackers[attack.spec]
        config = Config.fromfile(spec['train_once' if run is None else 'train'])
        config.merge_from_dict(spec.get('options') or {}, allow_list_keys=True)
        view = self.plan.view(attack.view)
        shown = dict(crop_size=view.image_size, margin=view.image_margin)
        # Keep the augmentation of the attacker's config.
        kept = config.train_dataloader.dataset.get('augmentation')
        faces = {**self.plan.attacker_faces, **shown}
        if kept is not None:
            faces.setdefault('augmentation', kept)
        config.train_dataloader.dataset = ConfigDict(faces)
        self._validate(config, shown)
        config.model.margin = view.margin
        if attack.view != 'face':
            config.model.view = ConfigDict(_view_of_model(view))
        inner = attack.judge or spec.get('recognizer')
        if inner:
            config.model.recognizer = ConfigDict(self._within(inner, attack.view))
        if config.model.recognizer.get('head'):
            config.model.recognizer.head.num_classes = len(self.people)
        if run is not None:
            modifier = _modifier(run)
            if spec.get('remember'):
                _check_versions(attack.spec, faces.get('augmentation'))
                modifier = dict(
                    type='mmanon.RememberedModifier',
                    modifier=modifier,
                    margin=view.margin,
                    seed=run.seed,
                )
                import_remembered(config)
            config.model.modifier = ConfigDict(modifier)
            config.randomness = dict(config.get('randomness') or {}, seed=run.seed)
        return config

    def recognizer(self, attack: Attack, run: 'Run | None' = None) -> str | dict:
        """Return the ``recognizer`` of a metric."""
        spec = self.plan.attackers[attack.spec]
        if not (spec.get('train') or spec.get('train_once')):
            return spec['recognizer']
        if spec.get('train'):
            assert run is not None  # only tests of runs use it
            config, folder = self.training(attack, run), run.folder
        else:
            config, folder = self.training(attack), self.shared_folder
        model = config.model.to_dict()
        weights = str(folder / f'{attack.stage}.pth')
        if attack.judge is None:
            return {**model, 'init_cfg': dict(type='Pretrained', checkpoint=weights)}
        # The restorer has the weights of its training, each judge its own.
        model['restorer']['init_cfg'] = dict(
            type='Pretrained', checkpoint=weights, prefix='restorer.'
        )
        return model

    def _within(self, named: str | dict, view: str) -> dict:
        """Return the recognizer of another attacker, in the same view if possible."""
        if isinstance(named, dict):
            return named
        spec = self.plan.attackers[named]
        views = _views(spec)
        shown = view if view in views else views[0]
        found = self.recognizer(Attack(named, shown, named))
        assert isinstance(found, dict)  # the plan checks it
        return found

    def _validate(self, config: Config, shown: dict) -> None:
        """Set the validation people, or remove the validation if there are none."""
        if config.get('val_dataloader') is None:
            return
        if self.plan.attacker_val_faces is not None:
            faces = {**self.plan.attacker_val_faces, **shown, 'test_mode': True}
            config.val_dataloader.dataset = ConfigDict(faces)
            return
        for key in _VALIDATION:
            config[key] = None
        config.custom_hooks = [
            hook
            for hook in config.get('custom_hooks') or []
            if hook['type'].rpartition('.')[2] not in _VALIDATION_HOOKS
        ]
        config.default_hooks.checkpoint.pop('save_best', None)
        config.default_hooks.checkpoint.pop('rule', None)
        config.param_scheduler = [
            one for one in config.param_scheduler if 'monitor' not in one
        ]


def import_remembered(config: Config) -> None:
    """Let a config know :class:`RememberedModifier`, which no training needs."""
    named = dict(config.get('custom_imports') or {}).get('imports') or []
    named = [named] if isinstance(named, str) else list(named)
    if _REMEMBERED not in named:
        named.append(_REMEMBERED)
    config.custom_imports = dict(imports=named, allow_failed_imports=False)


def _check_versions(name: str, augmentation: dict | None) -> None:
    if augmentation is not None and not augmentation.get('versions'):
        raise ValueError(
            f'tradeoff.attackers.{name}.remember: each picture is to be drawn once, '
            'but the augmentation of the faces makes new ones without an end; give '
            'tradeoff.attacker_faces an `augmentation` with `versions`, such as 2'
        )


def _modifier(run: 'Run') -> dict:
    modifier = copy.deepcopy(run.setting.hook['modifier'])
    if is_learned(run):
        weights = str(modifier_file(run))
        modifier['init_cfg'] = dict(type='Pretrained', checkpoint=weights)
    return modifier


def _view_of_model(view: FaceView) -> dict[str, Any]:
    if view.name != 'head':
        return dict(name=view.name)
    keys = ('name', 'crop_size', 'head_margin', 'feather')
    return {key: getattr(view, key) for key in keys}


def _views(spec: dict) -> list[str]:
    return list(spec.get('views') or ['face'])


def _judges(spec: dict) -> Iterable[str | None]:
    inner = spec.get('recognizer')
    return inner if isinstance(inner, list) else [None]
