"""Reads the plan of a sweep: methods, seeds and attackers.

The key ``tradeoff`` of a config is a dict of

- ``methods``: the methods by name. Each is a dict with the optional keys ``hook``
  (arguments of the :class:`AdversarialAnonymizationHook` to replace, such as its
  ``modifier``), ``strength`` (the argument that is the strength, such as
  ``'modifier.size'``), ``strengths`` (its values) and ``seeds`` (``[0]`` by default);
- ``people``: the :class:`FaceIdentityDataset` of the attackers' test;
- ``attacker_faces``, ``attacker_val_faces``: the people on whom attackers are trained,
  and those of their validation, which decides when they stop; both different from the
  hook's ``faces`` and from ``people``. Without them, attackers are trained on the
  hook's people, as long as their configs say;
- ``attackers``: the attackers by name. Each is a dict with one of ``recognizer`` (of a
  metric), ``train_once`` and ``train`` (config of a :class:`TrainedAttacker`, which is
  trained once as it is, or again for each modifier). In addition to ``train``,
  ``recognizer`` can be the recognizer inside the attacker: a config, the name of
  another attacker, or, for a restorer, a list of names that all recognize restored
  faces. ``views`` are its views, ``['face']`` by default; it is trained for each view
  separately. ``options`` are settings of its config. With ``remember``, each picture
  in its training is redrawn only once (:class:`RememberedModifier`): its faces need an
  augmentation with few ``versions``;
- ``attributes``, optional: arguments of a :class:`FaceAttributeMetric`, with other
  people than the hook's ``faces``;
- ``head_margin``, optional: margin of the view ``'head'``, 0.5 by default;
- ``detector``, optional: config of a plain detector that is trained once and from which
  all runs start. Without it they start from ``load_from`` of the config;
- ``figure``, optional: name of the detector's figure, ``'mAP/overall'`` by default;
- ``presets``, optional: presets by name. Each is a dict with the optional keys
  ``methods`` (names, or ``name:strength``), ``seeds``, ``attackers`` and ``options``
  (settings of the config).
"""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmengine.config import Config

from mmanon.models.layers.face_views import HEAD_MARGIN, VIEWS, FaceView
from mmanon.registry import HOOKS
from mmanon.structures.modifier_card import GAME_HOOK, find_game_hooks
from mmanon.tradeoff.rows import named

from .attacks import judged_views

_KEYS = {
    'tradeoff': {
        *('methods', 'people', 'attackers', 'detector', 'figure', 'presets'),
        *('attacker_faces', 'attacker_val_faces', 'head_margin', 'attributes'),
    },
    'method': {'hook', 'strength', 'strengths', 'seeds'},
    'attacker': {
        *('recognizer', 'train', 'train_once', 'views', 'options', 'remember')
    },
    'preset': {'methods', 'seeds', 'attackers', 'options'},
}


@dataclass(frozen=True)
class Setting:
    """A method at a strength.

    Attributes:
        method: Name of the method.
        strength: Its strength, or None.
        hook: Config of the hook with the method's arguments.
    """

    method: str
    strength: float | None
    hook: dict = field(compare=False)

    @property
    def name(self) -> str:
        """Name of its folder."""
        return named(self.method, self.strength, between='_')


@dataclass(frozen=True)
class Run:
    """A setting with a seed and a folder."""

    setting: Setting
    seed: int
    folder: Path

    def __str__(self) -> str:
        return f'{named(self.setting.method, self.setting.strength)}, seed {self.seed}'


@dataclass(frozen=True)
class Plan:
    """Everything that a sweep does.

    Attributes:
        config: The anonymizing config without ``tradeoff``.
        hook_index: Position of the hook in its ``custom_hooks``.
        runs: The runs to train and test.
        people: The people of the attackers' test.
        attackers: The attackers by name, as in the config.
        detector: Config of the plain detector, or None.
        figure: Name of the detector's figure.
        work_dir: The folder of all files.
        attacker_faces: The people on whom attackers are trained; by default the hook's
            ``faces``.
        attacker_val_faces: The people of the attackers' validation, or None.
        head_margin: Margin of the view ``'head'``.
        attributes: Arguments of a :class:`FaceAttributeMetric`, or None.
    """

    config: Config
    hook_index: int
    runs: list[Run]
    people: dict
    attackers: dict[str, dict]
    detector: str | None
    figure: str
    work_dir: Path
    attacker_faces: dict
    attacker_val_faces: dict | None = None
    head_margin: float = HEAD_MARGIN
    attributes: dict | None = None

    @property
    def hook(self) -> dict:
        """Config of the hook."""
        return self.config.custom_hooks[self.hook_index].to_dict()

    @property
    def geometry(self) -> dict[str, float]:
        """``crop_size`` and ``margin`` of the faces."""
        model_cfg = HOOKS.build(self.hook).model_cfg
        return {key: model_cfg[key] for key in ('crop_size', 'margin')}

    @property
    def train_faces(self) -> dict:
        """Config of the data set of faces on which D is trained."""
        return {**self.hook['faces']['dataset'], **self.geometry}

    def view(self, name: str) -> FaceView:
        """Return a view of faces of this geometry."""
        cfg = HOOKS.build(self.hook).model_cfg
        size, margin = cfg['crop_size'], cfg['margin']
        return FaceView(name, size, margin, self.head_margin, cfg['feather'])


def read_plan(
    config: Config,
    methods: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    attackers: Sequence[str] | None = None,
    preset: str | None = None,
    options: dict | None = None,
) -> Plan:
    """Read the plan from a config and the arguments of the command line.

    Args:
        config (Config): Anonymizing config with ``tradeoff`` and ``work_dir``.
        methods (Sequence[str], optional): Names, which include all strengths, or
            ``name:strength``. Defaults to the preset's, or all.
        seeds (Sequence[int], optional): Seeds of all methods, instead of their own.
        attackers (Sequence[str], optional): Names. Defaults to the preset's, or all.
        preset (str, optional): Name of a preset.
        options (dict, optional): Settings of the config, by dotted names; they override
            those of the preset.

    Raises:
        ValueError: If a name or a key is unknown, or something is missing; the
            message lists what exists.
    """
    config = copy.deepcopy(config)
    table = config.get('tradeoff')
    if table is None:
        raise ValueError(
            'the config has no `tradeoff` with the methods, people and attackers to '
            'compare; see configs/tradeoff'
        )
    table = table.to_dict()
    _check_keys('tradeoff', 'tradeoff', table)
    for key in ('methods', 'people', 'attackers'):
        if not table.get(key):
            raise ValueError(f'tradeoff.{key} of the config is missing or empty')
    chosen = {}
    if preset is not None:
        chosen = _pick('preset', [preset], table.get('presets') or {})[preset]
        _check_keys(f'tradeoff.presets.{preset}', 'preset', chosen)
    for given in (chosen.get('options'), options):
        config.merge_from_dict(given or {}, allow_list_keys=True)
    config.pop('tradeoff', None)
    index = _hook_index(config)
    hook = config.custom_hooks[index].to_dict()
    if not (hook.get('faces') or {}).get('dataset'):
        raise ValueError(
            f'the {GAME_HOOK} has no `faces` for D and attackers to learn from'
        )
    seeds = seeds or chosen.get('seeds')
    settings = _settings(methods or chosen.get('methods'), table['methods'], hook)
    work_dir = Path(config.work_dir).resolve()
    runs = []
    for setting in settings:
        own = seeds or table['methods'][setting.method].get('seeds') or [0]
        for seed in dict.fromkeys(own):
            folder = work_dir / 'runs' / setting.name / f'seed_{seed}'
            runs.append(Run(setting, int(seed), folder))
    names = attackers or chosen.get('attackers') or list(table['attackers'])
    return Plan(
        config=config,
        hook_index=index,
        runs=runs,
        people=table['people'],
        attackers=pick_attackers(names, table['attackers']),
        detector=table.get('detector'),
        figure=table.get('figure') or 'mAP/overall',
        work_dir=work_dir,
        attacker_faces=table.get('attacker_faces') or hook['faces']['dataset'],
        attacker_val_faces=table.get('attacker_val_faces'),
        head_margin=table.get('head_margin') or HEAD_MARGIN,
        attributes=table.get('attributes'),
    )


def _settings(
    names: Iterable[str] | None, methods: dict[str, dict], hook: dict
) -> list[Setting]:
    found: dict[Setting, None] = {}
    for name in names or methods:
        method, _, asked = str(name).partition(':')
        spec = _pick('method', [method], methods)[method]
        _check_keys(f'tradeoff.methods.{method}', 'method', spec)
        path, strengths = spec.get('strength'), spec.get('strengths')
        if (path is None) != (not strengths):
            raise ValueError(
                f'tradeoff.methods.{method}: `strength` names an argument and '
                '`strengths` its values; give both or none'
            )
        if asked and path is None:
            raise ValueError(f'method {name!r}: {method} has no strength')
        if asked:
            strengths = [_number(asked, name)]
        for strength in strengths or [None]:
            own = copy.deepcopy({**hook, **(spec.get('hook') or {})})
            if strength is not None and path is not None:
                _set(own, path, strength, method)
            found[Setting(method, strength, own)] = None
    return list(found)


def _set(hook: dict, path: str, value: float, method: str) -> None:
    *parents, last = path.split('.')
    place = hook
    for name in parents:
        if not isinstance(place.get(name), dict):
            raise ValueError(
                f'tradeoff.methods.{method}.strength is {path!r}, but the hook has no '
                f'{name!r} of settings'
            )
        place = place[name]
    place[last] = value


def pick_attackers(names: Sequence[str], table: dict[str, dict]) -> dict[str, dict]:
    chosen = _pick('attacker', names, table)
    # Recognizers inside other attackers are included, before these.
    needed: dict[str, dict] = {}
    for name, spec in chosen.items():
        where = f'tradeoff.attackers.{name}'
        _check_keys(where, 'attacker', spec)
        kinds = [key for key in ('train', 'train_once') if spec.get(key)]
        if len(kinds) > 1 or not (kinds or spec.get('recognizer')):
            raise ValueError(
                f'{where} must have one of `recognizer`, `train_once` and `train`'
            )
        _check_views(where, spec)
        inner = spec.get('recognizer')
        if isinstance(inner, list) and not (kinds and inner):
            raise ValueError(
                f'{where}.recognizer is the list {inner!r}: a list of recognizers is '
                'only for a restorer with `train` or `train_once`'
            )
        for one in inner if isinstance(inner, list) else [inner]:
            if not (kinds and isinstance(one, str)):
                continue
            if one == 'discriminator' or table.get(one, {}).get('train'):
                raise ValueError(
                    f'{where}.recognizer is {one!r}, which differs between runs; '
                    'name an attacker with weights, or with `train_once`'
                )
            needed |= pick_attackers([one], table)
            views = list(spec.get('views') or ['face'])
            if isinstance(inner, list) and not judged_views(needed[one], views):
                raise ValueError(
                    f'{where}: {one!r} is not trained in any of the views {views}; '
                    'give it one of them, or leave it out of `recognizer`'
                )
    return {**needed, **chosen}


def _check_views(where: str, spec: dict) -> None:
    views = spec.get('views')
    if views is None:
        return
    if not isinstance(views, (list, tuple)) or not views or set(views) - set(VIEWS):
        raise ValueError(f'{where}.views must be some of {list(VIEWS)}, got {views!r}')
    if spec.get('recognizer') == 'discriminator' and list(views) != ['face']:
        raise ValueError(
            f'{where}.views is {views!r}, but the D of the game has the view of the '
            'game; leave out views'
        )


def _pick(kind: str, names: Iterable[str], table: dict[str, dict]) -> dict[str, dict]:
    unknown = [name for name in names if name not in table]
    if unknown:
        raise ValueError(
            f'unknown {kind} {unknown[0]!r}; the config has '
            f'{", ".join(table) or "none"}'
        )
    return {name: table[name] for name in names}


def _check_keys(where: str, kind: str, given: dict) -> None:
    unknown = sorted(set(given) - _KEYS[kind])
    if unknown:
        raise ValueError(
            f'{where} has the unknown key {unknown[0]!r}; choose from '
            f'{sorted(_KEYS[kind])}'
        )


def _hook_index(config: Config) -> int:
    for index, _ in find_game_hooks(config):
        return index
    raise ValueError(f'the config has no {GAME_HOOK} in `custom_hooks`')


def _number(text: str, name: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f'method {name!r}: {text!r} is not a number') from None
    return int(number) if number.is_integer() and '.' not in text else number
