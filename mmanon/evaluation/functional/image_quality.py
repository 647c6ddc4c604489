"""How much of a face's picture a modifier keeps, and how steady it is in a video.

Faces are RGB crops, (K, 3, S, S) in [-1, 1].
"""

import math
from pathlib import Path
from typing import NamedTuple

import torch
from skimage.metrics import structural_similarity
from torch import Tensor, nn

from mmanon.models.layers.lpips_network import build_lpips

__all__ = [
    'Flicker',
    'PerceptualDistance',
    'mean_absolute_change',
    'peak_signal_to_noise',
    'structural_similarities',
    'temporal_flicker',
]

# From -1 to 1.
_RANGE = 2.0
# Side of SSIM's window: a Gaussian of 1.5 pixels, cut off at 3.5 of these.
_WINDOW = 11


def mean_absolute_change(original: Tensor, modified: Tensor) -> Tensor:
    """Mean absolute difference of each face, on the scale of [-1, 1].

    Args:
        original (Tensor): (K, 3, S, S) in [-1, 1].
        modified (Tensor): The same faces.

    Returns:
        Tensor: (K,) in [0, 2].

    Raises:
        ValueError: When shapes differ or values are not finite.
    """
    _check(original, modified)
    return (modified - original).abs().mean((1, 2, 3))


def peak_signal_to_noise(original: Tensor, modified: Tensor) -> Tensor:
    """PSNR of each face in dB, infinite where nothing was changed.

    Arguments and errors as of :func:`mean_absolute_change`.

    Returns:
        Tensor: (K,).
    """
    _check(original, modified)
    error = (modified - original).square().mean((1, 2, 3))
    return 10 * (_RANGE**2 / error).log10()


def structural_similarities(original: Tensor, modified: Tensor) -> Tensor:
    """SSIM of each face, averaged over its colours.

    Wang et al., "Image Quality Assessment: From Error Visibility to Structural
    Similarity", 2004, with their Gaussian window, as scikit-image computes it.
    Arguments and errors as of :func:`mean_absolute_change`.

    Returns:
        Tensor: float32 (K,) in [-1, 1], 1 where nothing was changed.

    Raises:
        ValueError: Also when faces are smaller than the window, 11 pixels.
    """
    _check(original, modified)
    if min(original.shape[2:]) < _WINDOW:
        raise ValueError(
            f'SSIM looks at windows of {_WINDOW} pixels, faces have '
            f'{tuple(original.shape[2:])}'
        )
    pairs = zip(
        original.detach().cpu().double().numpy(),
        modified.detach().cpu().double().numpy(),
        strict=True,
    )
    values = [
        structural_similarity(
            before,
            after,
            data_range=_RANGE,
            channel_axis=0,
            gaussian_weights=True,
            use_sample_covariance=False,
        )
        for before, after in pairs
    ]
    return torch.tensor(values, dtype=torch.float32)


class Flicker(NamedTuple):
    """Mean absolute difference of a track's consecutive frames, on [-1, 1].

    Attributes:
        original: Of the original faces, which move.
        modified: Of the modified faces.
        ratio: The second divided by the first: how much more a modified face flickers.
            1 if neither changes, infinite if only the modified face changes.
    """

    original: float
    modified: float
    ratio: float


def temporal_flicker(original: Tensor, modified: Tensor) -> Flicker:
    """Measure how much a face changes from frame to frame.

    Args:
        original (Tensor): The crops of one face along its track, (T, 3, S, S) in
            [-1, 1].
        modified (Tensor): The same crops, redrawn.

    Raises:
        ValueError: When shapes differ, values are not finite or T is less than 2.
    """
    _check(original, modified)
    if len(original) < 2:
        raise ValueError(f'flicker is seen in two frames at least, got {len(original)}')
    before, after = (
        float((track[1:] - track[:-1]).abs().mean()) for track in (original, modified)
    )
    if before:
        ratio = after / before
    else:
        ratio = math.inf if after else 1.0
    return Flicker(before, after, ratio)


class PerceptualDistance(nn.Module):
    """LPIPS of each face: distance of deep features, weighted as people judge.

    Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual
    Metric", 2018, as the package ``lpips`` computes it (``pip install lpips``). That
    brings its weighting; the network's own weights are read from a file. Nothing is
    downloaded.

    Args:
        weights (str or Path): State dict of torchvision's AlexNet, VGG-16 or
            SqueezeNet 1.1.
        net (str): Which of them: ``'alex'``, ``'vgg'`` or ``'squeeze'``. Defaults to
            ``'alex'``.

    Raises:
        ImportError: When the package is not installed.
        FileNotFoundError: When there is no such file.
        ValueError: When the network is another, or the file holds other weights.
    """

    def __init__(self, weights: str | Path, net: str = 'alex') -> None:
        super().__init__()
        self.distance = build_lpips(weights, net)
        self.eval()

    def forward(self, original: Tensor, modified: Tensor) -> Tensor:
        """Compare faces, (K, 3, S, S) in [-1, 1].

        Returns:
            Tensor: (K,), 0 where nothing was changed.

        Raises:
            ValueError: When shapes differ or values are not finite.
        """
        _check(original, modified)
        return self.distance(original, modified).flatten()


def _check(original: Tensor, modified: Tensor) -> None:
    if (
        original.ndim != 4
        or original.shape[1] != 3
        or original.shape != modified.shape
        or not original.numel()
    ):
        raise ValueError(
            'original and modified faces must both be (K, 3, S, S), got '
            f'{tuple(original.shape)} and {tuple(modified.shape)}'
        )
    for name, faces in (('original', original), ('modified', modified)):
        if not faces.isfinite().all():
            wrong = ~faces.isfinite().flatten(1).all(1)
            raise ValueError(
                f'{int(wrong.sum())} of {len(faces)} {name} faces are not finite'
            )
