"""How much of a face's pixels a modifier keeps, and how much it flickers in a video.

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
# Side of SSIM's window: a Gaussian of 1.5 pixels, truncated at 3.5 times that.
_WINDOW = 11


def mean_absolute_change(original: Tensor, modified: Tensor) -> Tensor:
    """Compute the mean absolute difference of each face, on the scale [-1, 1].

    Args:
        original (Tensor): (K, 3, S, S) in [-1, 1].
        modified (Tensor): The modified faces, (K, 3, S, S) in [-1, 1].

    Returns:
        Tensor: (K,) in [0, 2].

    Raises:
        ValueError: If shapes differ or values are not finite.
    """
    _check(original, modified)
    return (modified - original).abs().mean((1, 2, 3))


def peak_signal_to_noise(original: Tensor, modified: Tensor) -> Tensor:
    """Compute the PSNR of each face in dB; infinite for an unchanged face.

    Arguments and errors are those of :func:`mean_absolute_change`.

    Returns:
        Tensor: (K,).
    """
    _check(original, modified)
    error = (modified - original).square().mean((1, 2, 3))
    return 10 * (_RANGE**2 / error).log10()


def structural_similarities(original: Tensor, modified: Tensor) -> Tensor:
    """Compute the SSIM of each face, averaged over its colour channels.

    Wang et al., "Image Quality Assessment: From Error Visibility to Structural
    Similarity", 2004, with their Gaussian window; scikit-image computes it. Arguments
    and errors are those of :func:`mean_absolute_change`.

    Returns:
        Tensor: float32 (K,) in [-1, 1], 1 for an unchanged face.

    Raises:
        ValueError: Also when faces are smaller than the window, 11 pixels.
    """
    _check(original, modified)
    if min(original.shape[2:]) < _WINDOW:
        raise ValueError(
            f'SSIM needs faces of at least {_WINDOW} pixels, got '
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
    """Mean absolute difference of consecutive frames of a track, on [-1, 1].

    Attributes:
        original: The difference of the original faces, which move.
        modified: The difference of the modified faces.
        ratio: ``modified / original``, how much more a modified face flickers; 1 if
            neither changes, infinite if only the modified face changes.
    """

    original: float
    modified: float
    ratio: float


def temporal_flicker(original: Tensor, modified: Tensor) -> Flicker:
    """Measure how much a face changes from frame to frame.

    Args:
        original (Tensor): The crops of one track, (T, 3, S, S) in [-1, 1].
        modified (Tensor): The redrawn crops, (T, 3, S, S) in [-1, 1].

    Raises:
        ValueError: If shapes differ, values are not finite or T is less than 2.
    """
    _check(original, modified)
    if len(original) < 2:
        raise ValueError(f'flicker needs at least two frames, got {len(original)}')
    before, after = (
        float((track[1:] - track[:-1]).abs().mean()) for track in (original, modified)
    )
    if before:
        ratio = after / before
    else:
        ratio = math.inf if after else 1.0
    return Flicker(before, after, ratio)


class PerceptualDistance(nn.Module):
    """LPIPS of each face: a distance of deep features, weighted by human judgements.

    Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual
    Metric", 2018, computed by the package ``lpips`` (``pip install lpips``). The
    package contains the weights of the layers' distances; the weights of the network
    itself come from a file. Nothing is downloaded.

    Args:
        weights (str or Path): State dict of torchvision's AlexNet, VGG-16 or
            SqueezeNet 1.1.
        net (str): The network of these weights: ``'alex'``, ``'vgg'`` or ``'squeeze'``.
            Defaults to ``'alex'``.

    Raises:
        ImportError: If the package is not installed.
        FileNotFoundError: If the file does not exist.
        ValueError: If ``net`` is none of these, or the file holds other weights.
    """

    def __init__(self, weights: str | Path, net: str = 'alex') -> None:
        super().__init__()
        self.distance = build_lpips(weights, net)
        self.eval()

    def forward(self, original: Tensor, modified: Tensor) -> Tensor:
        """Compare faces, (K, 3, S, S) in [-1, 1].

        Returns:
            Tensor: (K,), 0 for an unchanged face.

        Raises:
            ValueError: If shapes differ or values are not finite.
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
