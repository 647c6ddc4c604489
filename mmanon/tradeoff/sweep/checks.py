"""Checks a sweep before it begins."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import torch
from mmengine.registry import init_default_scope

from mmanon.evaluation.functional.face_pairs import check_disjoint
from mmanon.evaluation.metrics.face_attribute_metric import read_attributes
from mmanon.models.attackers.trained_attacker import margin_for
from mmanon.registry import DATASETS, MODELS

from .attacks import is_learned, list_attacks
from .plan import Plan
from .stages import Stage, Stages

# Settings that name a file, at any place of a config.
_FILES = ('ann_file', 'checkpoint', 'exclude_file', 'label_file', 'proposal_file')


def check_sweep(plan: Plan) -> None:
    """Check everything that could stop the sweep later.

    It builds the modifiers, the face data sets and the recognizers that need no
    training, and checks that the files in configs exist. It also makes the crops of
    photographs that are not in their cache yet.

    Raises:
        FileNotFoundError: If a file or folder does not exist.
        ValueError: If settings contradict each other or the data.
        ImportError: If the package of an attacker is not installed.
    """
    init_default_scope(plan.config.get('default_scope') or 'mmengine')
    _check_configs(plan)
    _check_discriminator(plan)
    for run in plan.runs:
        try:
            is_learned(run)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f'{run}: {error.args[0]}') from None
    stages = Stages(plan)
    all_stages = stages.shared() + [
        stage for run in plan.runs for stage in stages.of(run)
    ]
    for stage in all_stages:
        stage.check()
    _check_files(all_stages)
    _check_face_tables(plan)
    _check_people(plan, stages)
    _check_recognizers(plan, stages)


def _check_configs(plan: Plan) -> None:
    named = {'tradeoff.detector': plan.detector}
    for name, spec in plan.attackers.items():
        for key in ('train', 'train_once'):
            named[f'tradeoff.attackers.{name}.{key}'] = spec.get(key)
    for where, path in named.items():
        if path is not None and not Path(path).is_file():
            raise FileNotFoundError(f'{where}: config {path} does not exist')


def _check_discriminator(plan: Plan) -> None:
    recognizers = [spec.get('recognizer') for spec in plan.attackers.values()]
    if 'discriminator' in recognizers:
        for key in ('discriminator', 'val_faces'):
            if not plan.hook.get(key):
                raise ValueError(
                    f"the attacker 'discriminator' needs `{key}` of the hook, which "
                    'the config does not have'
                )


def _check_files(stages: list[Stage]) -> None:
    to_come = {stage.result for stage in stages} | {stage.modifier for stage in stages}
    for stage in stages:
        load_from = stage.config.get('load_from')
        named = [('load_from', load_from)] if load_from else []
        if stage.tests is not None:
            named = []
        parts = [f'{part}_dataloader' for part in ('train', 'val', 'test')]
        parts += ['model', 'test_evaluator']
        for part in parts:
            named += list(_files(stage.config.get(part) or {}, part))
        for where, path in named:
            missing = '://' not in path and Path(path) not in to_come
            if missing and not Path(path).exists():
                raise FileNotFoundError(
                    f'{stage.folder / stage.name}: {where} names {path}, which does '
                    'not exist'
                )


def _check_face_tables(plan: Plan) -> None:
    tables = plan.hook.get('face_table')
    for part in ('train', 'test'):
        table = tables.get(part) if isinstance(tables, dict) else tables
        dataset = plan.config[f'{part}_dataloader'].dataset
        frames = (dataset.get('data_prefix') or {}).get('img')
        table = table or (frames and Path(frames).parent / 'faces.parquet')
        if table and not Path(table).is_file():
            raise FileNotFoundError(
                f'the face table {table} does not exist; make it by mmanon detect-faces'
            )


def _files(settings: Any, where: str) -> Iterator[tuple[str, str]]:
    items = settings.items() if isinstance(settings, dict) else enumerate(settings)
    root = settings.get('data_root') if isinstance(settings, dict) else None
    for key, value in items:
        if isinstance(value, (dict, list, tuple)):
            yield from _files(value, f'{where}.{key}')
        elif key in _FILES and isinstance(value, str) and value:
            if isinstance(root, str) and not Path(value).exists():
                value = str(Path(root, value))
            yield f'{where}.{key}', value


def _check_people(plan: Plan, stages: Stages) -> None:
    _check_wide(plan)
    people = dict(plan.people, test_mode=True)
    dataset = DATASETS.build({**people, 'min_images': 2, **plan.geometry})
    names = dataset.metainfo['classes']
    if len(names) < 2:
        raise ValueError(
            f'tradeoff.people: {dataset.data_root} has only one person, but the test '
            'of attackers needs at least two'
        )
    _check_disjoint(plan, stages, names)


def _check_wide(plan: Plan) -> None:
    """Check that images for the view ``'head'`` show more than the modifier's crops."""
    heads = [one for one in list_attacks(plan.attackers) if one.view == 'head']
    if not heads:
        return
    faces = dict(people=plan.people)
    if any(plan.attackers[one.spec].get('train') for one in heads):
        faces['attacker_faces'] = plan.attacker_faces
        faces['attacker_val_faces'] = plan.attacker_val_faces or plan.attacker_faces
    for name, dataset in faces.items():
        if not {'detector', 'image_margin'} & set(dataset):
            raise ValueError(
                f"tradeoff.{name}: the view 'head' of the attacker {heads[0].spec!r} "
                'needs photographs and a `detector`, or crops wider than those of the '
                'modifier and their `image_margin`'
            )
    plan.view('head')  # checks its margins


def _check_disjoint(plan: Plan, stages: Stages, tested: Sequence[str]) -> None:
    """Check that no person is in two groups: training of M, of attackers, test, ...

    Attackers without people of their own use those of M.
    """
    groups = {'tradeoff.people': list(tested)}
    modifiers = DATASETS.build(plan.train_faces).metainfo['classes']
    check_disjoint(modifiers, tested)
    if plan.attacker_faces != plan.hook['faces']['dataset']:
        groups["the hook's faces"] = list(modifiers)
        groups['tradeoff.attacker_faces'] = stages.attacks.people
    if plan.attributes is not None:
        named = DATASETS.build({**plan.attributes['dataset'], **plan.geometry})
        both = sorted(set(named.metainfo['classes']) & set(modifiers))
        if both:
            raise ValueError(
                f"{len(both)} people are in tradeoff.attributes and in the hook's "
                f'faces: {both[:5]}; figures of people who train M say nothing about '
                'others'
            )
        read_attributes(plan.attributes['labels'], named.paths)
    if plan.attacker_val_faces is not None:
        faces = {**plan.attacker_val_faces, **plan.geometry, 'min_images': 2}
        names = DATASETS.build({**faces, 'test_mode': True}).metainfo['classes']
        groups['tradeoff.attacker_val_faces'] = list(names)
    for (first, one), (second, other) in combinations(groups.items(), 2):
        both = sorted(set(one) & set(other))
        if both:
            raise ValueError(
                f'{len(both)} people are in {first} and in {second}: {both[:5]}; '
                'attackers must be trained on other people, see '
                'tools/dataset_converters/split_people.py'
            )


def _check_recognizers(plan: Plan, stages: Stages) -> None:
    for attack in list_attacks(plan.attackers):
        spec = plan.attackers[attack.spec]
        if spec.get('train') or spec.get('train_once'):
            continue
        recognizer = stages.attacks.recognizer(attack)
        if isinstance(recognizer, str):  # the discriminator of each run
            continue
        with torch.random.fork_rng(devices=[]):
            try:
                margin = margin_for(recognizer, plan.view(attack.view))
                module = MODELS.build({**recognizer, 'margin': margin})
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f'attacker {attack.name!r}: {error.args[0]}') from None
            module.init_weights()
