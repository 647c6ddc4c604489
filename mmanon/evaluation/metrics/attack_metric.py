"""Validation of an attacker during its training."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric

from mmanon.evaluation.functional.face_pairs import generate_pairs
from mmanon.evaluation.functional.face_verification import (
    area_under_roc,
    equal_error_rate,
    pair_scores,
)
from mmanon.registry import METRICS

from .recognition_metrics import MATCHINGS

__all__ = ['AttackMetric']


@METRICS.register_module()
class AttackMetric(BaseMetric):
    """Validates an attacker on people on whom it was not trained.

    Use it in the ``val_evaluator`` of the training of a :class:`TrainedAttacker`, to
    decide when to stop. It reports ``<matching>/eer`` and ``<matching>/auc`` of each
    matching, and ``auc``, the mean over the matchings, which changes in smaller steps
    than the error rate.

    Args:
        matchings (Sequence[str]): The goals of the attacker, out of
            :data:`.recognition_metrics.MATCHINGS`. Defaults to ``modified_original``
            and ``modified_modified``.
        num_same (int): Largest number of pairs of one person. Defaults to 1000.
        num_different (int): Largest number of pairs of two people. Defaults to 10000.
        seed (int): Seed of the pairs. Defaults to 0.
        collect_device (str): See mmengine's ``BaseMetric``.
        prefix (str, optional): Prefix of the names of the figures. Defaults to
            ``attack``.

    Raises:
        ValueError: If a matching is unknown.
    """

    default_prefix = 'attack'

    def __init__(
        self,
        matchings: Sequence[str] = ('modified_original', 'modified_modified'),
        num_same: int = 1000,
        num_different: int = 10000,
        seed: int = 0,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device, prefix)
        unknown = [name for name in matchings if name not in MATCHINGS]
        if unknown or not matchings:
            raise ValueError(
                f'matchings must be some of {list(MATCHINGS)}, got {list(matchings)}'
            )
        self.matchings = tuple(matchings)
        self.drawing = dict(
            num_same=num_same, num_different=num_different, seed=seed, folds=2
        )

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the embeddings of :meth:`TrainedAttacker.predict`."""
        for sample in data_samples:
            self.results.append(
                {name: value.detach().float().cpu() for name, value in sample.items()}
            )

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Verify pairs of faces.

        Raises:
            ValueError: If a person has only one face, or there is only one person.
        """
        of = {
            kind: np.stack([one[kind].numpy() for one in results])
            for kind in ('original', 'modified')
        }
        labels = np.array([int(one['label']) for one in results])
        pairs = generate_pairs(labels, **self.drawing)
        figures = {}
        for matching in self.matchings:
            probes, gallery = (of[kind] for kind in MATCHINGS[matching])
            scores = pair_scores(probes, gallery, pairs.first, pairs.second)
            figures[f'{matching}/eer'] = equal_error_rate(scores, pairs.same)
            figures[f'{matching}/auc'] = area_under_roc(scores, pairs.same)
        found = [figures[f'{matching}/auc'] for matching in self.matchings]
        return {**figures, 'auc': float(np.mean(found))}
