"""Verification and identification of faces by an attacker."""

import logging
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.logging import print_log
from torch import nn

from mmanon.evaluation.face_set import FaceSet
from mmanon.evaluation.functional.face_identification import rank_k
from mmanon.evaluation.functional.face_pairs import (
    FacePairs,
    generate_pairs,
    read_lfw_pairs,
)
from mmanon.evaluation.functional.face_verification import (
    area_under_roc,
    enough_for_far,
    equal_error_rate,
    pair_scores,
    tar_at_far,
    ten_fold_accuracy,
)
from mmanon.models.layers.face_views import FaceView
from mmanon.registry import METRICS

from .face_metric import FaceMetric, key_of
from .face_pass import EmbeddingWatcher, FacePass, RedrawingModel
from .recognizers import load_recognizer, name_of, view_of

__all__ = [
    'FaceIdentificationMetric',
    'FaceVerificationMetric',
    'MATCHINGS',
    'RecognitionMetric',
    'load_recognizer',
]

MATCHINGS = {
    'original_original': ('original', 'original'),
    'modified_original': ('modified', 'original'),
    'modified_modified': ('modified', 'modified'),
}
"""Kinds of probes and gallery. The matchings measure the recognizer itself,
re-identification, and linkability."""

_FARS = {'tar_at_far_1e-2': 1e-2, 'tar_at_far_1e-3': 1e-3}


class RecognitionMetric(FaceMetric):
    """Base class of metrics in which a recognizer compares embeddings of faces.

    Args:
        dataset (dict): See :class:`FaceMetric`.
        recognizer (dict or str): The attacker: config of a :class:`FaceClassifier` with
            trained weights (``init_cfg`` of it or of its backbone), of another module
            with ``embed``, such as :class:`DlibRecognizer`, or of a
            :class:`TrainedAttacker`; or ``'discriminator'`` for the D of the game. Its
            ``margin`` comes from the model.
        prefix (str, optional): Name of the attacker. Defaults to ``discriminator`` or
            the name of the backbone, such as ``mobilefacenet``; for views other than
            ``'face'`` followed by the view, such as ``mobilefacenet-crop``.
        view (str, optional): See :class:`FaceMetric`. Defaults to the view in which the
            recognizer was trained, or to ``'face'``.
        **kwargs: See :class:`FaceMetric`.

    Raises:
        ValueError: If the recognizer is none of these, or was trained in another
            view.
    """

    def __init__(
        self,
        dataset: dict,
        recognizer: dict | str,
        prefix: str | None = None,
        view: str | None = None,
        **kwargs: Any,
    ) -> None:
        if recognizer != 'discriminator' and not isinstance(recognizer, dict):
            raise ValueError(
                "recognizer must be 'discriminator' or the config of a recognizer, "
                f'got {recognizer!r}'
            )
        view = view_of(recognizer, view)
        named = name_of(recognizer) + ('' if view == 'face' else f'-{view}')
        super().__init__(dataset, prefix=prefix or named, view=view, **kwargs)
        self.recognizer_cfg = recognizer
        self._recognizer: nn.Module | None = None
        self._watcher: EmbeddingWatcher | None = None

    def join(self, faces: FacePass) -> None:
        """Show the faces to the recognizer."""
        view = self.view_of(faces.model)
        self._watcher = faces.add_watcher(
            key_of([self.recognizer_cfg, view.name]),
            lambda: EmbeddingWatcher(
                self._build_recognizer(faces.model, faces.device, view)
            ),
        )

    def figures(self, faces: FacePass) -> dict[str, float]:
        """Return all figures of all matchings, as ``<matching>/<figure>``."""
        watcher, self._watcher = self._watcher, None
        assert watcher is not None  # joined before
        found = {}
        for matching, kinds in MATCHINGS.items():
            probes, gallery = (watcher.embeddings(kind) for kind in kinds)
            for kind, view in zip(kinds, (probes, gallery), strict=True):
                if not np.isfinite(view).all():
                    wrong = ~np.isfinite(view).all(1)
                    raise ValueError(
                        f'{self.prefix}: embeddings of {wrong.sum()} of {len(view)} '
                        f'{kind} faces are not finite, the first is of '
                        f'{faces.dataset.paths[wrong.argmax()]}'
                    )
            for name, value in self.match(probes, gallery, faces).items():
                found[f'{matching}/{name}'] = value
        return found

    @abstractmethod
    def match(
        self, probes: np.ndarray, gallery: np.ndarray, faces: FacePass
    ) -> dict[str, float]:
        """Return the figures of one matching, for embeddings (K, E) of K images."""

    def _build_recognizer(
        self, model: RedrawingModel, device: torch.device, view: FaceView
    ) -> nn.Module:
        if isinstance(self.recognizer_cfg, str):
            if model.discriminator is None:
                raise ValueError(
                    "recognizer='discriminator', but the model has none: give the "
                    'hook a `discriminator` and `val_faces`, or give another recognizer'
                )
            if model.discriminator.is_untrained:
                raise ValueError(
                    "recognizer='discriminator', but the checkpoint has none: one with "
                    'random weights recognizes nobody and would make every modifier '
                    'look safe; test a checkpoint of the game, or give another '
                    'recognizer'
                )
            return model.discriminator
        if self._recognizer is None:
            self._recognizer = load_recognizer(
                self.recognizer_cfg, model.margin, self.prefix, view
            )
        return self._recognizer.to(device)


@METRICS.register_module()
class FaceVerificationMetric(RecognitionMetric):
    """Measures whether an attacker can tell if two faces show the same person.

    For each matching (``original_original``, ``modified_original``,
    ``modified_modified``) it reports ``eer``, ``auc``, ``tar_at_far_1e-2``,
    ``tar_at_far_1e-3`` and ``accuracy`` (over the folds), as fractions. If there are
    too few pairs of two people to measure a FAR, its TAR is left out with a warning.

    Args:
        dataset (dict): See :class:`FaceMetric`.
        recognizer (dict or str): See :class:`RecognitionMetric`.
        pairs_file (str, optional): LFW's ``pairs.txt``; the root of the data set must
            be the folder of LFW. Pairs with an image without a detected face are left
            out with a warning. Defaults to random pairs.
        num_same (int): Largest number of random pairs of one person. Defaults to 3000.
        num_different (int): Largest number of random pairs of two people; it is large
            to measure rare false accepts. Defaults to 30000.
        folds (int): Number of folds of random pairs. Defaults to 10.
        pairs_seed (int): Seed of random pairs. Defaults to 0.
        **kwargs: See :class:`RecognitionMetric`.

    Raises:
        FileNotFoundError: If an image of the pairs does not exist.
        ValueError: If the people have too few images for pairs.
    """

    def __init__(
        self,
        dataset: dict,
        recognizer: dict | str,
        pairs_file: str | None = None,
        num_same: int = 3000,
        num_different: int = 30000,
        folds: int = 10,
        pairs_seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(dataset, recognizer, **kwargs)
        self.pairs_file = pairs_file
        self.drawing = dict(
            num_same=num_same, num_different=num_different, folds=folds, seed=pairs_seed
        )
        self._pairs: FacePairs | None = None

    def join(self, faces: FacePass) -> None:
        """Find the pairs, and show the faces to the recognizer."""
        if self._pairs is None:
            self._pairs = self._find_pairs(faces.dataset)
        super().join(faces)

    def match(
        self, probes: np.ndarray, gallery: np.ndarray, faces: FacePass
    ) -> dict[str, float]:
        """Verify the pairs; the first image of each is the probe."""
        assert self._pairs is not None  # joined before
        first, second, same, fold = self._pairs
        scores = pair_scores(probes, gallery, first, second)
        tars = {
            name: tar_at_far(scores, same, far)
            for name, far in _FARS.items()
            if enough_for_far(same, far)
        }
        return dict(
            eer=equal_error_rate(scores, same),
            auc=area_under_roc(scores, same),
            **tars,
            accuracy=ten_fold_accuracy(scores, same, fold),
        )

    def _find_pairs(self, dataset: FaceSet) -> FacePairs:
        if self.pairs_file is None:
            names = np.array(dataset.metainfo['classes'])[dataset.labels]
            pairs = generate_pairs(names, **self.drawing)
        else:
            pairs = self._read_pairs(self.pairs_file, dataset)
        unseen = [k for k, far in _FARS.items() if not enough_for_far(pairs.same, far)]
        if unseen:
            self._warn(
                f'{(~pairs.same).sum()} pairs of two people are too few for '
                f'{", ".join(unseen)}, which is left out'
            )
        return pairs

    def _read_pairs(self, pairs_file: str, dataset: FaceSet) -> FacePairs:
        paths, pairs = read_lfw_pairs(pairs_file, dataset.data_root)
        index = {path: number for number, path in enumerate(dataset.paths)}
        places = np.array([index.get(path, -1) for path in paths])
        pairs = pairs._replace(first=places[pairs.first], second=places[pairs.second])
        usable = (pairs.first >= 0) & (pairs.second >= 0)
        if not usable.all():
            lost = [path.name for path, at in zip(paths, places, strict=True) if at < 0]
            self._warn(
                f'{(~usable).sum()} of {len(usable)} pairs are left out, because the '
                f'data set has no face of {len(lost)} images: {lost[:5]}'
            )
        return pairs.select(usable)

    def _warn(self, text: str) -> None:
        print_log(f'{self.prefix}: {text}', logger='current', level=logging.WARNING)


@METRICS.register_module()
class FaceIdentificationMetric(RecognitionMetric):
    """Measures whether an attacker can name a person from a gallery of named faces.

    For each matching (``original_original``, ``modified_original``,
    ``modified_modified``) it reports ``rank1``, ``rank5`` and so on: how often the
    right person is among the k most similar ones, as fractions. The gallery of a face
    consists of all other images of the data set: originals, or, for
    ``modified_modified``, modified images.

    Args:
        dataset (dict): See :class:`FaceMetric`.
        recognizer (dict or str): See :class:`RecognitionMetric`.
        ranks (Sequence[int]): The values of k, each less than the number of people.
            Defaults to (1, 5).
        **kwargs: See :class:`RecognitionMetric`.
    """

    def __init__(
        self,
        dataset: dict,
        recognizer: dict | str,
        ranks: Sequence[int] = (1, 5),
        **kwargs: Any,
    ) -> None:
        super().__init__(dataset, recognizer, **kwargs)
        self.ranks = tuple(ranks)

    def match(
        self, probes: np.ndarray, gallery: np.ndarray, faces: FacePass
    ) -> dict[str, float]:
        """Name each probe by the other images of the gallery."""
        names = np.array(faces.dataset.metainfo['classes'])[faces.dataset.labels]
        hits = rank_k(probes, gallery, names, ranks=self.ranks)
        return {f'rank{k}': hit for k, hit in hits.items()}
