"""How much of a face's pixels a modifier keeps."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from mmanon.evaluation.functional.image_quality import (
    PerceptualDistance,
    mean_absolute_change,
    peak_signal_to_noise,
    structural_similarities,
)
from mmanon.registry import METRICS

from .face_metric import FaceMetric, key_of
from .face_pass import FacePass

__all__ = ['FaceQualityMetric']

# PSNR of an unchanged face in dB, so that the mean is finite.
_HIGHEST_PSNR = 100.0


@METRICS.register_module()
class FaceQualityMetric(FaceMetric):
    """How different modified faces are from the originals, as images.

    It reports means over all faces: ``mean_absolute_change`` (on the scale [-1, 1]),
    ``psnr`` (dB, 100 for an unchanged face), ``ssim``, and ``lpips`` if weights are
    given.

    Args:
        dataset (dict): See :class:`FaceMetric`.
        perceptual (dict, optional): Arguments of :class:`PerceptualDistance`, such as
            ``dict(weights='alexnet.pth')``; needs the package ``lpips``.
        **kwargs: See :class:`FaceMetric`.

    Raises:
        ImportError: If ``perceptual`` is given and the package is not installed.
    """

    default_prefix = 'face_quality'

    def __init__(
        self, dataset: dict, perceptual: dict | None = None, **kwargs: Any
    ) -> None:
        super().__init__(dataset, **kwargs)
        self.measures: dict[str, Callable[[Tensor, Tensor], Tensor]] = dict(
            mean_absolute_change=mean_absolute_change,
            psnr=_finite_psnr,
            ssim=structural_similarities,
        )
        self._watcher: _QualityWatcher | None = None
        if perceptual is not None:
            self.measures['lpips'] = PerceptualDistance(**perceptual)

    def join(self, faces: FacePass) -> None:
        """Compare the faces."""
        distance = self.measures.get('lpips')
        if isinstance(distance, PerceptualDistance):
            distance.to(faces.device)
        self._watcher = faces.add_watcher(
            key_of(['quality', id(self)]), lambda: _QualityWatcher(self.measures)
        )

    def figures(self, faces: FacePass) -> dict[str, float]:
        """Return the means over all faces."""
        watcher, self._watcher = self._watcher, None
        assert watcher is not None  # joined before
        return {
            name: float(torch.cat(parts).mean())
            for name, parts in watcher.values.items()
        }


class _QualityWatcher:
    def __init__(self, measures: dict) -> None:
        self.measures = measures
        self.values: dict[str, list[Tensor]] = {name: [] for name in measures}

    def watch(self, original: Tensor, modified: Tensor) -> None:
        for name, measure in self.measures.items():
            self.values[name].append(measure(original, modified).cpu())


def _finite_psnr(original: Tensor, modified: Tensor) -> Tensor:
    return peak_signal_to_noise(original, modified).clamp(max=_HIGHEST_PSNR)
