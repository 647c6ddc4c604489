"""What is measured of a modifier, on which people and with which attackers.

The config has a dict ``measured`` with these keys:

- ``people``: by name, sets of people on whom nothing was trained. Each is the config of
  a :class:`FaceIdentityDataset` with crops as the modifier gets them. With a
  ``detector``, its images are photographs, and the crops are cut from them first;
- ``attacker_faces``, ``attacker_val_faces``, ``attackers``: as in ``tradeoff``, see
  :mod:`mmanon.tradeoff.sweep.plan`. An ``optional`` attacker is left out, with a
  message, if its package or its weights are missing. ``beside`` is the name of the
  untrained attacker with which an attacker is compared;
- ``detector``: the face detector that looks for redrawn faces;
- ``modifiers``, optional: by name, configs of hand-crafted modifiers to measure with
  the same attackers; ``geometry``: their ``crop_size``, ``margin`` and ``feather``;
- ``groups``, optional: ``labels`` (a CSV file as for :class:`FaceAttributeMetric`),
  ``attributes`` (its columns), ``people`` (config of the set that is divided into
  groups), ``named`` (a pattern for names of people), ``apart_from`` (a file of names of
  people who are left out because the modifier was trained on them), ``keys`` (how often
  each face is redrawn), ``least`` (the least number of people in a group) and
  ``attackers`` (names of the attackers to use);
- ``clips``, optional: videos in which faces are followed;
- ``sheets``, optional: ``people`` (name of a set), ``skip`` (patterns of images that
  are not shown) and ``count`` (number of faces);
- ``presets``, optional: by name, dicts with ``attackers``, ``people``, ``parts`` and
  ``options``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmanon.anonymizer.backends.base import build_backend
from mmanon.registry import MODELS
from mmanon.shipped import find_modifier, list_modifiers
from mmanon.structures.crop_geometry import CropGeometry
from mmanon.structures.modifier_card import GAME_HOOK
from mmanon.tradeoff.sweep.plan import Plan, Run, Setting, pick_attackers
from mmanon.utils.near_names import or_near

from .remembered import DrawingModel, RememberedModifier

__all__ = ['Measurement', 'read_measurement']

_KEYS = {
    *('people', 'attacker_faces', 'attacker_val_faces', 'attackers', 'detector'),
    *('modifiers', 'geometry', 'groups', 'clips', 'sheets', 'presets'),
}
_PRESET = {'attackers', 'people', 'parts', 'options'}
_GEOMETRY = CropGeometry(128, 0.5, 0.02)


@dataclass(frozen=True)
class Measurement:
    """All that is measured of a modifier.

    Attributes:
        name: Name of the modifier.
        drawn_by: Its file or config, as for
            :func:`mmanon.anonymizer.backends.base.build_backend`.
        digest: A digest that differs between modifiers of the same name.
        learned: Whether it is a learned modifier, which is read from a file.
        geometry: Geometry of its crops.
        people: Configs of the sets of people to measure it on, by name.
        plan: The attackers, as in a sweep.
        detector: The face detector that looks for redrawn faces.
        work_dir: Folder for all results.
        shared_dir: Folder for what all modifiers share.
        groups, clips, sheets: As in the config.
        parts: The parts of the preset; empty for all.
        left_out: Optional attackers that cannot be built, and why.
        beside: By name of an attacker, the one with which it is compared.
        start_from: Folder of weights with which the attackers start, or None.
    """

    name: str
    drawn_by: str | dict
    digest: str
    learned: bool
    geometry: CropGeometry
    people: dict[str, dict]
    plan: Plan
    detector: dict
    work_dir: Path
    shared_dir: Path
    groups: dict = field(default_factory=dict)
    clips: Sequence[str] = ()
    sheets: dict = field(default_factory=dict)
    parts: Sequence[str] = ()
    left_out: dict[str, str] = field(default_factory=dict)
    beside: dict[str, str] = field(default_factory=dict)
    start_from: Path | None = None

    @property
    def run(self) -> Run:
        """The only run of the plan."""
        return self.plan.runs[0]

    @property
    def memory(self) -> Path:
        """The file of the faces that were redrawn for the attackers."""
        return self.work_dir / 'drawn.npz'

    def modifier(self, seed: int = 0) -> Any:
        """Build the modifier; its keys follow from the seed."""
        if not self.learned:
            return MODELS.build(self.run.setting.hook['modifier'])
        memory = str(self.memory) if seed == self.run.seed else None
        return RememberedModifier(self.drawn_by, seed, memory)

    def model(self, seed: int | None = None) -> DrawingModel:
        """Build the model that metrics get in place of an anonymized detector."""
        seed = self.run.seed if seed is None else seed
        return DrawingModel(self.modifier(seed), self.geometry)


def read_measurement(
    config: Config,
    name: str,
    preset: str | None = None,
    seed: int = 0,
    attackers: Sequence[str] | None = None,
    start_from: Path | None = None,
) -> Measurement:
    """Read what to measure of a modifier.

    Args:
        config (Config): Config with ``measured`` and ``work_dir``, the folder of all
            modifiers' measurements.
        name (str): Name of a modifier of the package or of ``measured.modifiers``, or
            an ONNX file or a file of weights.
        preset (str, optional): Name of a preset.
        seed (int): Seed of the keys and of the attackers. Defaults to 0.
        attackers (Sequence[str], optional): Names of the attackers. Defaults to those
            of the preset, or all.
        start_from (Path, optional): Work dir of another modifier's measurement.
            Attackers start with the weights of its attackers of the same name and view.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a name or a key is unknown, or something is missing.
    """
    table = config.get('measured')
    if table is None:
        raise ValueError(
            'the config has no `measured`: it must say on which people and with which '
            'attackers a modifier is measured, as in configs/measuring'
        )
    table = table.to_dict()
    _check_keys('measured', _KEYS, table)
    for key in ('people', 'attackers', 'attacker_faces', 'detector'):
        if not table.get(key):
            raise ValueError(f'measured.{key} of the config is missing or empty')
    chosen = _preset(table, preset)
    drawn_by, digest, geometry, learned = _drawn_by(name, table)
    stem = Path(name).stem if learned else name
    root = Path(config.work_dir).resolve()
    work_dir = root / f'{stem}_{digest[:8]}'
    modifier: dict = dict(drawn_by) if isinstance(drawn_by, dict) else {}
    if learned:
        modifier = dict(
            type='mmanon.RememberedModifier',
            modifier=str(drawn_by),
            seed=seed,
            memory=str(work_dir / 'drawn.npz'),
        )
    hook = dict(type=f'mmanon.{GAME_HOOK}', modifier=modifier, **asdict(geometry))
    names = list(attackers or chosen.get('attackers') or table['attackers'])
    specs = table['attackers']
    beside = {key: spec.pop('beside', None) for key, spec in specs.items()}
    optional = [key for key, spec in specs.items() if spec.pop('optional', False)]
    left_out = _left_out(specs, [one for one in optional if one in names])
    people = _pick('set of people', chosen.get('people'), table['people'])
    first = next(iter(people.values()))
    there = [one for one in names if one not in left_out]
    specs = pick_attackers(there, specs)
    options = chosen.get('options') or {}
    for spec in specs.values():
        if spec.get('train') or spec.get('train_once'):
            spec['options'] = {**(spec.get('options') or {}), **options}
    plan = Plan(
        config=Config(dict(custom_hooks=[hook])),
        hook_index=0,
        runs=[Run(Setting(stem, None, hook), seed, work_dir / f'seed_{seed}')],
        people=first,
        attackers=specs,
        detector=None,
        figure='',
        work_dir=work_dir,
        attacker_faces=table['attacker_faces'],
        attacker_val_faces=table.get('attacker_val_faces'),
    )
    return Measurement(
        name=name,
        drawn_by=drawn_by,
        digest=digest,
        learned=learned,
        geometry=geometry,
        people=people,
        plan=plan,
        detector=table['detector'],
        work_dir=work_dir,
        shared_dir=root / 'shared' / _key([asdict(geometry), options]),
        groups=table.get('groups') or {},
        clips=table.get('clips') or (),
        sheets=table.get('sheets') or {},
        parts=chosen.get('parts') or (),
        left_out=left_out,
        beside={key: one for key, one in beside.items() if one},
        start_from=_weights_in(start_from, seed),
    )


def _drawn_by(name: str, table: dict) -> tuple[str | dict, str, CropGeometry, bool]:
    """Return a modifier's file or config, digest, geometry, and whether it learned."""
    own = table.get('modifiers') or {}
    if name in own:
        geometry = CropGeometry(**(table.get('geometry') or asdict(_GEOMETRY)))
        return own[name], _key([own[name], asdict(geometry)]), geometry, False
    named = find_modifier(name)
    file = (named.onnx or named.weights) if named is not None else Path(name)
    assert file is not None  # one of the two is there
    if not file.is_file():
        known = [*own, *(one.name for one in list_modifiers())]
        raise FileNotFoundError(
            f'no modifier is called {name!r}, and it is not a file; '
            f'{or_near(name, known)}'
        )
    _, geometry = build_backend(str(file), seed=0)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return str(file), digest, geometry, True


def _weights_in(folder: Path | None, seed: int) -> Path | None:
    if folder is None:
        return None
    weights = Path(folder).resolve() / f'seed_{seed}'
    if not any(weights.glob('*.pth')):
        raise FileNotFoundError(
            f'{weights} has no trained attackers: give the folder of a modifier in the '
            'work dir of this command that was measured with the same seed'
        )
    return weights


def _left_out(attackers: dict, optional: Sequence[str]) -> dict[str, str]:
    """Return the optional attackers that cannot be built, and why."""
    found = {}
    for name in optional:
        try:
            MODELS.build(dict(attackers[name]['recognizer']))
        except (ImportError, FileNotFoundError) as error:
            found[name] = str(error)
    return found


def _preset(table: dict, preset: str | None) -> dict:
    if preset is None:
        return {}
    chosen = _pick('preset', [preset], table.get('presets') or {})[preset]
    _check_keys(f'measured.presets.{preset}', _PRESET, chosen)
    return chosen


def _pick(kind: str, names: Sequence[str] | None, known: dict) -> dict:
    names = list(known) if names is None else names
    for name in names:
        if name not in known:
            raise ValueError(f'unknown {kind} {name!r}; {or_near(name, known)}')
    return {name: known[name] for name in names}


def _check_keys(where: str, known: set[str], given: dict) -> None:
    unknown = sorted(set(given) - known)
    if unknown:
        raise ValueError(
            f'{where} has the unknown key {unknown[0]!r}; the keys are {sorted(known)}'
        )


def _key(settings: Any) -> str:
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
