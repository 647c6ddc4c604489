"""Shared by all metrics of faces: the faces, and the model that redraws them."""

import json
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.evaluator import BaseMetric

from mmanon.evaluation.face_set import FaceSet
from mmanon.evaluation.functional.face_pairs import check_disjoint
from mmanon.models.layers.face_views import HEAD_MARGIN, VIEWS, FaceView
from mmanon.registry import DATASETS

from .face_pass import FacePass, RedrawingModel

__all__ = ['FaceMetric', 'build_faces', 'prepare_face_metrics']


class FaceMetric(BaseMetric):
    """Measures what the model makes of the faces of an identity data set.

    Use it in ``val_evaluator`` or ``test_evaluator`` together with the detector's
    metrics. It ignores the detections: the :class:`AdversarialAnonymizationHook` passes
    it the model by :meth:`prepare`, and it evaluates the faces when the detector's
    metrics are computed. Metrics of the same ``dataset``, ``batch_size`` and ``seed``
    share the work: each face is redrawn once for all of them.

    Args:
        dataset (dict): Config of a :class:`FaceIdentityDataset`, without ``crop_size``
            and ``margin``, which are the model's.
        batch_size (int): Faces at once. Defaults to 32.
        seed (int): Seed of random modifiers. Defaults to 0.
        train_identities (Sequence[str] or str, optional): Names of people that were
            trained on, or a text file with one a line; the data set must hold none.
        collect_device (str): See mmengine's ``BaseMetric``.
        prefix (str, optional): What the figures' names begin with.
        view (str): What is looked at: ``'face'``, the face box; ``'crop'``, all of the
            modifier's crop; ``'head'``, the head in the frame with the crop pasted
            back, for which the data set must hold photographs, or crops that are wide
            enough. Defaults to ``'face'``.
        head_margin (float): By how much of its side the face box is enlarged on each
            side in the view ``'head'``. Defaults to 0.5.

    Raises:
        ValueError: When the data set states a geometry of its own, or the view is
            unknown.
    """

    def __init__(
        self,
        dataset: dict,
        batch_size: int = 32,
        seed: int = 0,
        train_identities: Sequence[str] | str | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
        view: str = 'face',
        head_margin: float = HEAD_MARGIN,
    ) -> None:
        super().__init__(collect_device, prefix)
        if view not in VIEWS:
            raise ValueError(f'view must be one of {VIEWS}, got {view!r}')
        stated = {'crop_size', 'margin'} & set(dataset)
        if stated:
            raise ValueError(
                f"{sorted(stated)} of the faces are the model's: leave them out of "
                f'`dataset` of {type(self).__name__}'
            )
        if batch_size < 1:
            raise ValueError(f'batch_size must be at least 1, got {batch_size}')
        self.dataset_cfg = dict(dataset, test_mode=True)
        self.batch_size = batch_size
        self.seed = seed
        self.train_identities = train_identities
        self.view = view
        self.head_margin = head_margin
        self._kept: dict[str, FaceSet] = {}
        self._faces: FacePass | None = None

    def prepare(
        self,
        model: RedrawingModel,
        device: torch.device,
        passes: dict[str, FacePass] | None = None,
        kept: dict[str, FaceSet] | None = None,
    ) -> None:
        """Take the model, before each epoch of validation or testing.

        Args:
            model (RedrawingModel): An :class:`AnonymizedDetector`.
            device (torch.device): Where it is.
            passes (dict, optional): Passes over faces of this epoch that metrics
                prepared before have begun, to join or to add to.
            kept (dict, optional): Data sets to use or to add to; see
                :func:`build_faces`. Defaults to those that this metric has built.

        Raises:
            ValueError: When the data set or the recognizer do not fit.
        """
        passes = {} if passes is None else passes
        view = self.view_of(model)
        geometry = dict(crop_size=view.image_size, margin=view.image_margin)
        if view.name == 'head':
            self._check_wide()
            geometry['feather'] = view.feather  # tells its pass from one without
        key = key_of([self.dataset_cfg, geometry, self.batch_size, self.seed])
        if key not in passes:
            kept = self._kept if kept is None else kept
            geometry.pop('feather', None)
            dataset = build_faces(self.dataset_cfg, geometry, kept)
            passes[key] = FacePass(
                dataset,
                model,
                device,
                self.batch_size,
                self.seed,
                view if view.name == 'head' else None,
            )
        self._faces = passes[key]
        if self.train_identities is not None:
            check_disjoint(
                _names(self.train_identities), self._faces.dataset.metainfo['classes']
            )
        self.join(self._faces)

    def view_of(self, model: RedrawingModel) -> FaceView:
        """This metric's view of a model's faces."""
        return FaceView(
            self.view,
            model.crop_size,
            model.margin,
            self.head_margin,
            getattr(model, 'feather', 0.0),
        )

    def _check_wide(self) -> None:
        """Reject images that are not known to show more than a crop."""
        if not {'detector', 'image_margin'} & set(self.dataset_cfg):
            raise ValueError(
                f"{self.prefix}: the view 'head' needs images that show more than the "
                "modifier's crops: give the `dataset` photographs and a `detector`, "
                'or crops that are cut wider and their `image_margin`'
            )

    @abstractmethod
    def join(self, faces: FacePass) -> None:
        """Add to the pass what this metric needs of it."""

    @abstractmethod
    def figures(self, faces: FacePass) -> dict[str, float]:
        """The figures, when all faces have been shown."""

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Take no notice of detections."""
        # mmengine warns of metrics that collect nothing.
        if not self.results:
            self.results.append(None)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Look at the faces.

        Raises:
            RuntimeError: When nobody gave the model.
        """
        if self._faces is None:
            raise RuntimeError(
                f'{type(self).__name__} was not given the model: it needs the '
                'AdversarialAnonymizationHook in `custom_hooks`, or a call of `prepare`'
            )
        faces, self._faces = self._faces, None
        faces.run()
        return self.figures(faces)


def build_faces(dataset: dict, geometry: dict, kept: dict[str, FaceSet]) -> FaceSet:
    """Build a data set of faces, or take it from those that were built before.

    Args:
        dataset (dict): Its config.
        geometry (dict): ``crop_size`` and ``margin`` of its crops.
        kept (dict): Data sets by their settings; this one is added.
    """
    key = key_of([dataset, geometry])
    if key not in kept:
        kept[key] = DATASETS.build({**dataset, **geometry})
    return kept[key]


def prepare_face_metrics(
    metrics: Iterable[BaseMetric],
    model: RedrawingModel,
    device: torch.device,
    kept: dict[str, FaceSet] | None = None,
) -> None:
    """Give the model to the face metrics among an evaluator's metrics.

    Args:
        metrics (Iterable[BaseMetric]): Of any kind.
        model (RedrawingModel): An :class:`AnonymizedDetector`.
        device (torch.device): Where it is.
        kept (dict, optional): Data sets that are built already; see
            :func:`build_faces`.
    """
    passes: dict[str, FacePass] = {}
    for metric in metrics:
        if isinstance(metric, FaceMetric):
            metric.prepare(model, device, passes, kept)


def key_of(settings: Any) -> str:
    """The same text for the same settings."""
    return json.dumps(settings, sort_keys=True, default=str)


def _names(identities: Sequence[str] | str) -> list[str]:
    if isinstance(identities, (str, Path)):
        lines = Path(identities).read_text(encoding='utf-8').splitlines()
        identities = [line.strip() for line in lines if line.strip()]
    return list(identities)
