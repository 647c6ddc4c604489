"""The base class of metrics of faces, which show the faces of a data set to a model."""

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
    """Base class of metrics of the modified faces of an identity data set.

    Use it in ``val_evaluator`` or ``test_evaluator`` together with the detector's
    metrics. It ignores the detections. The :class:`AdversarialAnonymizationHook` gives
    it the model by :meth:`prepare`, and it evaluates the faces when the detector's
    metrics are computed. Metrics with the same ``dataset``, ``batch_size`` and ``seed``
    share the work: each face is redrawn once for all of them.

    Args:
        dataset (dict): Config of a :class:`FaceIdentityDataset`, without ``crop_size``
            and ``margin``, which come from the model.
        batch_size (int): Number of faces in a batch. Defaults to 32.
        seed (int): Seed of random modifiers. Defaults to 0.
        train_identities (Sequence[str] or str, optional): Names of the people of the
            training, or a text file with one name on each line; the data set must not
            contain them.
        collect_device (str): See mmengine's ``BaseMetric``.
        prefix (str, optional): Prefix of the names of the figures.
        view (str): The part of the head to show: ``'face'``, the face box; ``'crop'``,
            the modifier's whole crop; or ``'head'``, the head in the frame with the
            crop pasted into it, for which the data set must have photographs or wide
            crops. Defaults to ``'face'``.
        head_margin (float): Enlargement of the face box on each side in the view
            ``'head'``, as a fraction of its side. Defaults to 0.5.

    Raises:
        ValueError: If ``dataset`` has ``crop_size`` or ``margin``, the view is
            unknown or ``batch_size`` is below 1.
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
                f'{sorted(stated)} of the faces come from the model: leave them out of '
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
        """Set the model, before each epoch of validation or testing.

        Args:
            model (RedrawingModel): An :class:`AnonymizedDetector`.
            device (torch.device): The device of the model.
            passes (dict, optional): Passes over faces of this epoch that other metrics
                have created; this metric joins one or adds one.
            kept (dict, optional): Data sets to use or to add to; see
                :func:`build_faces`. Defaults to those of this metric.

        Raises:
            ValueError: If the data set or the recognizer does not fit.
        """
        passes = {} if passes is None else passes
        view = self.view_of(model)
        geometry = dict(crop_size=view.image_size, margin=view.image_margin)
        if view.name == 'head':
            self._check_wide()
            geometry['feather'] = view.feather  # so that it has its own pass
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
        """Return this metric's view of a model's faces."""
        return FaceView(
            self.view,
            model.crop_size,
            model.margin,
            self.head_margin,
            getattr(model, 'feather', 0.0),
        )

    def _check_wide(self) -> None:
        """Check that the images show more than the modifier's crops."""
        if not {'detector', 'image_margin'} & set(self.dataset_cfg):
            raise ValueError(
                f"{self.prefix}: the view 'head' needs images that show more than the "
                "modifier's crops: give the `dataset` photographs and a `detector`, "
                'or wider crops and their `image_margin`'
            )

    @abstractmethod
    def join(self, faces: FacePass) -> None:
        """Add the watchers of this metric to the pass."""

    @abstractmethod
    def figures(self, faces: FacePass) -> dict[str, float]:
        """Return the figures after all faces have been shown."""

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Ignore detections."""
        # mmengine warns about metrics that collect nothing.
        if not self.results:
            self.results.append(None)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Evaluate the faces.

        Raises:
            RuntimeError: If :meth:`prepare` was not called.
        """
        if self._faces is None:
            raise RuntimeError(
                f'{type(self).__name__} has no model: it needs the '
                'AdversarialAnonymizationHook in `custom_hooks`, or a call of `prepare`'
            )
        faces, self._faces = self._faces, None
        faces.run()
        return self.figures(faces)


def build_faces(dataset: dict, geometry: dict, kept: dict[str, FaceSet]) -> FaceSet:
    """Build a face data set, or return one that was built before.

    Args:
        dataset (dict): Config of the data set.
        geometry (dict): ``crop_size`` and ``margin`` of its crops.
        kept (dict): Data sets by their settings; a new one is added.
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
        metrics (Iterable[BaseMetric]): Metrics; those of other kinds are ignored.
        model (RedrawingModel): An :class:`AnonymizedDetector`.
        device (torch.device): The device of the model.
        kept (dict, optional): Existing data sets; see :func:`build_faces`.
    """
    passes: dict[str, FacePass] = {}
    for metric in metrics:
        if isinstance(metric, FaceMetric):
            metric.prepare(model, device, passes, kept)


def key_of(settings: Any) -> str:
    """Return a string that is equal for equal settings."""
    return json.dumps(settings, sort_keys=True, default=str)


def _names(identities: Sequence[str] | str) -> list[str]:
    if isinstance(identities, (str, Path)):
        lines = Path(identities).read_text(encoding='utf-8').splitlines()
        identities = [line.strip() for line in lines if line.strip()]
    return list(identities)
