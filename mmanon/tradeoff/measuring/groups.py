"""Measures whether one group of people is hidden worse than another."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mmanon.evaluation.functional.embeddings import unit_embeddings
from mmanon.evaluation.functional.face_verification import equal_error_rate
from mmanon.evaluation.metrics.face_attribute_metric import read_attributes
from mmanon.evaluation.metrics.recognizers import load_recognizer
from mmanon.registry import DATASETS
from mmanon.tradeoff.sweep.attacks import Attack

from .plan import Measurement
from .practice import Practice
from .remembered import DrawingModel

__all__ = ['error_with_spread', 'measure_groups']

_KEYS, _LEAST, _DRAWS, _BATCH = 4, 8, 40, 32


def measure_groups(
    measured: Measurement, people: dict, attacks: Sequence[Attack]
) -> dict[str, float]:
    """Measure equal error rates within groups of people.

    A group of few people has few pairs. So each face is redrawn with several keys, each
    image is compared with all others of the group, and the spread over people is
    given: the standard deviation over random draws of the people with replacement.

    Args:
        measured (Measurement): What is measured.
        people (dict): Data set of the people whose attributes are known.
        attacks (Sequence[Attack]): The attackers; none with the view ``'head'``.

    Returns:
        dict[str, float]: ``<attribute>/<group>/people``, and for each attacker and
        matching ``<attribute>/<group>/<attacker>/<matching>/eer`` and ``.../spread``.

    Raises:
        ValueError: If the settings leave nobody.
    """
    asked = measured.groups
    keys = int(asked.get('keys') or _KEYS)
    least = int(asked.get('least') or _LEAST)
    geometry = measured.plan.geometry
    chosen_people = _named(people, geometry, asked)
    faces = DATASETS.build({**people, **geometry, **chosen_people, 'test_mode': True})
    known = read_attributes(asked['labels'], faces.paths, asked.get('attributes'))
    owner = np.asarray(faces.labels)
    originals = torch.stack([faces[index]['image'] for index in range(len(faces))])
    drawn = [_drawn(measured.model(seed), originals) for seed in range(keys)]
    groups = [
        (attribute, str(group), values == group)
        for attribute, values in known.items()
        for group in np.unique(values[values != ''])
    ]
    groups = [one for one in groups if len(np.unique(owner[one[2]])) >= least]
    figures: dict[str, float] = {}
    for attribute, group, chosen in groups:
        name = f'{attribute}/{_plain(group)}'
        figures[f'{name}/people'] = len(np.unique(owner[chosen]))
    configs = Practice(measured)
    for attack in attacks:
        cfg = configs.recognizer(attack, measured.run)
        assert isinstance(cfg, dict)
        view = measured.plan.view(attack.view)
        recognizer = load_recognizer(cfg, measured.geometry.margin, attack.name, view)
        embed = getattr(recognizer, 'embed_modified', recognizer.embed)
        before = _embedded(recognizer.embed, originals)
        after = [_embedded(embed, one) for one in drawn]
        for attribute, group, chosen in groups:
            name = f'{attribute}/{_plain(group)}/{attack.name}'
            own = owner[chosen]
            pairs = dict(
                original_original=[(before, before)],
                modified_original=[(one, before) for one in after],
                # Two different keys each.
                modified_modified=list(zip(after, after[1:] + after[:1], strict=True)),
            )
            for matching, two in pairs.items():
                scores = np.stack([a[chosen] @ b[chosen].T for a, b in two])
                error, spread = error_with_spread(scores, own)
                figures[f'{name}/{matching}/eer'] = error
                figures[f'{name}/{matching}/spread'] = spread
    return figures


def _named(people: dict, geometry: dict, asked: dict) -> dict:
    """Return the ``identities`` of a data set that the settings select, if they do."""
    pattern, without = asked.get('named'), asked.get('apart_from')
    if pattern is None and without is None:
        return {}
    left = set()
    if without is not None:
        left = set(Path(without).read_text(encoding='utf-8').split())
    every = DATASETS.build({**people, **geometry, 'test_mode': True})
    # With several roots, names start with the number of the root.
    names = {name: name.rpartition('/')[2] for name in every.metainfo['classes']}
    identities = [
        name
        for name, own in names.items()
        if fnmatch(own, pattern or '*') and own not in left
    ]
    if not identities:
        raise ValueError(
            f'measured.groups: nobody in {people["data_root"]} fits `named` and '
            '`apart_from`'
        )
    return dict(identities=identities)


def error_with_spread(
    scores: np.ndarray, owner: np.ndarray, draws: int = _DRAWS, seed: int = 0
) -> tuple[float, float]:
    """Compute the equal error rate over all pairs of different images, and its spread.

    Args:
        scores (np.ndarray): Scores of K images with all K, in N comparisons, (N, K, K).
        owner (np.ndarray): The person on each image, (K,).
        draws (int): Number of random draws of the people, with replacement.
        seed (int): Seed of the draws.

    Returns:
        tuple[float, float]: The rate, and its standard deviation over the draws.
    """
    random = np.random.default_rng(seed)
    people = np.unique(owner)
    images = {one: np.flatnonzero(owner == one) for one in people}
    found = []
    for draw in range(draws + 1):
        some = people if not draw else random.choice(people, len(people))
        index = np.concatenate([images[one] for one in some])
        apart = index[:, None] != index[None]
        same = (owner[index][:, None] == owner[index][None])[apart]
        if same.all():
            continue  # one and the same person was drawn each time
        shown = np.concatenate([one[np.ix_(index, index)][apart] for one in scores])
        found.append(equal_error_rate(shown, np.tile(same, len(scores))))
    return found[0], float(np.std(found[1:])) if found[1:] else 0.0


def _drawn(model: DrawingModel, faces: Tensor) -> Tensor:
    parts = [
        model.redraw_faces(faces[start : start + _BATCH])
        for start in range(0, len(faces), _BATCH)
    ]
    return torch.cat(parts)


@torch.no_grad()
def _embedded(embed: object, faces: Tensor) -> np.ndarray:
    assert callable(embed)
    parts = [
        embed(faces[start : start + _BATCH]).float()
        for start in range(0, len(faces), _BATCH)
    ]
    return unit_embeddings(torch.cat(parts))


def _plain(text: str) -> str:
    return text.strip().replace(' ', '_').replace('/', '-')
