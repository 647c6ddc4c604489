"""Whether redrawn faces are still found, and where they look."""

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
    """What a face detector finds of modified faces.

    It reports ``found_again``, the part of the faces that the detector finds in the
    redrawn crop as well, in the same place; ``landmarks``, of these the mean distance
    of the five landmarks from the original's, in parts of the distance of the eyes, and
    ``landmarks_90``, what nine of ten stay below; ``covered``, the part of all faces
    that got a mask since the modifier would have let them through; and ``faces``, how
    many the detector finds as they are: the others are left out.

    Args:
        dataset (dict): See :class:`FaceMetric`; its crops need a margin around the
            face.
        detector (dict): Face detector with landmarks, with the score from which on a
            face counts as found.
        **kwargs: See :class:`FaceMetric`.
    """

    default_prefix = 'kept'

    def __init__(self, dataset: dict, detector: dict, **kwargs: Any) -> None:
        super().__init__(dataset, **kwargs)
        self.detector_cfg = detector
        self._watcher: _KeptWatcher | None = None

    def join(self, faces: FacePass) -> None:
        """Look for the faces."""
        self._watcher = faces.add_watcher(
            key_of(['kept', id(self)]),
            lambda: _KeptWatcher(MODELS.build(self.detector_cfg)),
        )

    def figures(self, faces: FacePass) -> dict[str, float]:
        """The figures over all faces.

        Raises:
            ValueError: When the detector finds none of the faces as they are.
        """
        watcher, self._watcher = self._watcher, None
        assert watcher is not None  # joined before
        seen = [one for one in watcher.found if one.seen]
        if not seen:
            raise ValueError(
                f'{self.prefix}: the detector finds none of the {len(watcher.found)} '
                f'faces of {faces.dataset.data_root} as they are'
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
