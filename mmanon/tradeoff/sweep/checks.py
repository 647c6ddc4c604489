"""What is looked at before anything long begins."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from mmengine.registry import init_default_scope

from mmanon.evaluation.functional.face_pairs import check_disjoint
from mmanon.registry import DATASETS, MODELS

from .plan import Plan
from .stages import Stage, Stages, is_learned

# Settings that name a file, wherever they stand.
_FILES = ('ann_file', 'checkpoint', 'exclude_file', 'label_file', 'proposal_file')


def check_sweep(plan: Plan) -> None:
    """Look for whatever would stop the sweep later on.

    It builds the modifiers, the faces of both groups of people and the recognizers
    that are not trained first, and looks for the files that configs name. Crops of
    photographs that are not in their cache yet are made here.

    Raises:
        FileNotFoundError: When a file or folder is missing.
        ValueError: When settings contradict each other or the data.
        ImportError: When an attacker's package is not installed.
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
                    f"the attacker 'discriminator' needs the hook's `{key}`, which the "
                    'config does not give'
                )


def _check_files(stages: list[Stage]) -> None:
    to_come = {stage.result for stage in stages} | {stage.modifier for stage in stages}
    for stage in stages:
        load_from = stage.config.get('load_from')
        named = [('load_from', load_from)] if load_from else []
        if stage.tests is not None:
            named = []
        parts = ('train_dataloader', 'test_dataloader', 'model', 'test_evaluator')
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
    people = dict(plan.people, test_mode=True)
    dataset = DATASETS.build({**people, 'min_images': 2, **plan.geometry})
    names = dataset.metainfo['classes']
    if len(names) < 2:
        raise ValueError(
            f'tradeoff.people: {dataset.data_root} holds one person only; attackers '
            'are tested on telling people apart'
        )
    check_disjoint(stages.train_people, names)


def _check_recognizers(plan: Plan, stages: Stages) -> None:
    for name, spec in plan.attackers.items():
        if spec.get('train') or spec.get('train_once'):
            continue
        recognizer = stages.recognizer(name)
        if isinstance(recognizer, str):  # the discriminator of each run
            continue
        with torch.random.fork_rng(devices=[]):
            try:
                module = MODELS.build({**recognizer, 'margin': plan.geometry['margin']})
            except (KeyError, TypeError) as error:
                raise ValueError(f'attacker {name!r}: {error.args[0]}') from None
            module.init_weights()
