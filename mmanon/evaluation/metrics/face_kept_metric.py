"""Whether a face detector still finds redrawn faces, and their landmarks."""

from typing import Any

import numpy as np
from torch import Tensor

from mmanon.evaluation.functional.found_again import FoundAgain, find_again
from mmanon.face_detectors import BaseFaceDetector
from mmanon.registry import METRICS, MODELS

from .face_metric import FaceMetric, key_of
from .face_pass import FacePass

__all__ = ['FaceKeptMetric']


@METRICS.register_module()
class FaceKeptMetric(FaceMetric):
    """How many modified faces a face detector still finds, and their landmarks.

    Only original faces that the detector finds count. The metric reports

    - ``found_again``: the share of faces that the detector also finds in the redrawn
      crop, in the same place;
    - ``landmarks``: for these, the mean distance of the five landmarks from those of
      the original, relative to the distance between the eyes;
    - ``landmarks_90``: the 90th percentile of this distance;
    - ``covered``: the share of all faces that got a mask because the modifier would
      have left them nearly unchanged;
    - ``faces``: the number of original faces that the detector finds.

    Args:
        dataset (dict): See :class:`FaceMetric`; its crops need a margin around the
            face.
        detector (dict): Config of a face detector with landmarks, with the score above
            which a face counts as found.
        **kwargs: See :class:`FaceMetric`.
    """

    default_prefix = 'kept'

    def __init__(self, dataset: dict, detector: dict, **kwargs: Any) -> None:
        super().__init__(dataset, **kwargs)
        self.detector_cfg = detector
        self._watcher: _KeptWatcher | None = None

    def join(self, faces: FacePass) -> None:
        """Search for the faces in the crops."""
        self._watcher = faces.add_watcher(
            key_of(['kept', id(self)]),
            lambda: _KeptWatcher(MODELS.build(self.detector_cfg)),
        )

    def figures(self, faces: FacePass) -> dict[str, float]:
        """Return the figures over all faces.

        Raises:
            ValueError: If the detector finds none of the original faces.
        """
        watcher, self._watcher = self._watcher, None
        assert watcher is not None  # joined before
        seen = [one for one in watcher.found if one.seen]
        if not seen:
            raise ValueError(
                f'{self.prefix}: the detector finds none of the {len(watcher.found)} '
                f'original faces of {faces.dataset.data_root}: lower its threshold, or '
                'give crops with a margin'
            )
        distances = [one.distance for one in seen if one.found]
        figures = dict(found_again=len(distances) / len(seen))
        if distances:
            figures['landmarks'] = float(np.mean(distances))
            figures['landmarks_90'] = float(np.quantile(distances, 0.9))
        figures['covered'] = faces.covered / len(watcher.found)
        figures['faces'] = len(seen)
        return figures


class _KeptWatcher:
    def __init__(self, detector: BaseFaceDetector) -> None:
        self.detector = detector
        self.found: list[FoundAgain] = []

    def watch(self, original: Tensor, modified: Tensor) -> None:
        self.found += find_again(original, modified, self.detector)
