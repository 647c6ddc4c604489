"""Hand-crafted modifiers: today's methods, the baselines of the learned ones."""

import math
from abc import abstractmethod
from collections.abc import Sequence

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from skimage.segmentation import slic
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from mmanon.models.layers.blocks import averaged, reflected
from mmanon.registry import MODELS

from .base import BaseModifier, check_sizes


def _check_positive(name: str, value: float) -> None:
    # Written so that NaN is an error too.
    if not 0 < value < math.inf:
        raise ValueError(f'{name} must be a finite number above 0, got {value!r}')


@MODELS.register_module()
class IdentityModifier(BaseModifier):
    """Returns faces unchanged: the best case for the detector, without privacy."""

    def modify(self, faces: Tensor) -> Tensor:
        """Return the faces; shapes as in :meth:`forward`."""
        return faces


@MODELS.register_module()
class DownsampleModifier(BaseModifier):
    """Shrinks faces by averaging and enlarges them bilinearly.

    Args:
        size (int): Side in pixels of the shrunk face. Defaults to 8.

    Raises:
        ValueError: When ``size`` is not a whole number >= 1.
    """

    def __init__(self, size: int = 8) -> None:
        super().__init__()
        check_sizes(size=size)
        self.size = size

    def modify(self, faces: Tensor) -> Tensor:
        """Shrink and enlarge; shapes as in :meth:`forward`."""
        small = averaged(faces, self.size)
        return F.interpolate(small, size=faces.shape[-2:], mode='bilinear')


@MODELS.register_module()
class PixelateModifier(BaseModifier):
    """Shows faces as a mosaic of squares, each of one colour.

    Args:
        blocks (int): Number of squares along a side. Defaults to 8.

    Raises:
        ValueError: When ``blocks`` is not a whole number >= 1.
    """

    def __init__(self, blocks: int = 8) -> None:
        super().__init__()
        check_sizes(blocks=blocks)
        self.blocks = blocks

    def modify(self, faces: Tensor) -> Tensor:
        """Draw the mosaic; shapes as in :meth:`forward`."""
        small = averaged(faces, self.blocks)
        return F.interpolate(small, size=faces.shape[-2:], mode='nearest-exact')


@MODELS.register_module()
class GaussianBlurModifier(BaseModifier):
    """Blurs faces with a Gaussian kernel.

    Args:
        sigma (float): Standard deviation as a fraction of the crop's side, so that the
            same value has the same effect at any size. Defaults to 0.06.

    Raises:
        ValueError: When ``sigma`` is not above 0.
    """

    def __init__(self, sigma: float = 0.06) -> None:
        super().__init__()
        _check_positive('sigma', sigma)
        self.sigma = sigma

    def modify(self, faces: Tensor) -> Tensor:
        """Blur; shapes as in :meth:`forward`."""
        side = faces.shape[-1]
        sigma = self.sigma * side
        # Reflection padding must be smaller than the image.
        kernel = 2 * min(math.ceil(3 * sigma), side - 1) + 1
        # One direction at a time: the cost grows with the kernel, not its square.
        if torch.are_deterministic_algorithms_enabled():
            return _blurred(faces, kernel, sigma).clamp(-1, 1)
        across = gaussian_blur(faces, [kernel, 1], sigma)
        return gaussian_blur(across, [1, kernel], sigma).clamp(-1, 1)


def _blurred(faces: Tensor, kernel: int, sigma: float) -> Tensor:
    """Blur with a backward pass that is deterministic on a GPU too."""
    reach = kernel // 2
    place = torch.arange(-reach, reach + 1, device=faces.device)
    weights = (-0.5 * (place / sigma).square()).exp()
    weights = (weights / weights.sum()).to(faces).expand(faces.shape[1], 1, 1, kernel)
    padded = reflected(faces, [reach] * 4)
    across = F.conv2d(padded, weights, groups=faces.shape[1])
    return F.conv2d(across, weights.transpose(2, 3), groups=faces.shape[1])


@MODELS.register_module()
class GaussianNoiseModifier(BaseModifier):
    """Adds Gaussian noise from torch's generator, new in each call, and clamps.

    Args:
        std (float): Standard deviation of the noise on the scale [-1, 1] of faces.
            Defaults to 1.

    Raises:
        ValueError: When ``std`` is not above 0.
    """

    def __init__(self, std: float = 1.0) -> None:
        super().__init__()
        _check_positive('std', std)
        self.std = std

    def modify(self, faces: Tensor) -> Tensor:
        """Add noise; shapes as in :meth:`forward`."""
        return (faces + self.std * torch.randn_like(faces)).clamp(-1, 1)


@MODELS.register_module()
class SolidMaskModifier(BaseModifier):
    """Covers faces with one colour.

    Args:
        color (Sequence[float]): RGB in [-1, 1]. Defaults to mid-grey.

    Raises:
        ValueError: When ``color`` is not three numbers in [-1, 1].
    """

    def __init__(self, color: Sequence[float] = (0.0, 0.0, 0.0)) -> None:
        super().__init__()
        if len(color) != 3 or not all(-1 <= part <= 1 for part in color):
            raise ValueError(f'color must be RGB in [-1, 1], got {color}')
        self.color = tuple(color)

    def modify(self, faces: Tensor) -> Tensor:
        """Cover; shapes as in :meth:`forward`."""
        color = faces.new_tensor(self.color)[:, None, None]
        return color.expand_as(faces).contiguous()


class _ImageFilterModifier(BaseModifier):
    """Base class of filters of single uint8 images, which have no gradient."""

    def modify(self, faces: Tensor) -> Tensor:
        """Filter each face; shapes as in :meth:`forward`."""
        pixels = (faces.detach().float() * 127.5 + 127.5).round().clamp(0, 255)
        images = pixels.byte().permute(0, 2, 3, 1).cpu().numpy()
        filtered = [self.filter(np.ascontiguousarray(image)) for image in images]
        drawn = torch.from_numpy(np.stack(filtered)).permute(0, 3, 1, 2).contiguous()
        return (drawn.to(faces.device).float() / 127.5 - 1).to(faces.dtype)

    @abstractmethod
    def filter(self, image: np.ndarray) -> np.ndarray:
        """Redraw one RGB image, (S, S, 3) uint8."""


@MODELS.register_module()
class SuperPixelModifier(_ImageFilterModifier):
    """Fills each super-pixel (SLIC, Achanta et al., TPAMI 2012) with its mean colour.

    It has no gradient, so networks before it do not learn through it.

    Args:
        num_segments (int): The largest number of super-pixels of a face. SLIC merges
            small ones, so there are usually fewer. Defaults to 30.
        compactness (float): Weight of distance against colour. Defaults to 10.

    Raises:
        ValueError: When ``num_segments`` is not a whole number >= 1, or
            ``compactness`` is not above 0.
    """

    def __init__(self, num_segments: int = 30, compactness: float = 10.0) -> None:
        super().__init__()
        check_sizes(num_segments=num_segments)
        _check_positive('compactness', compactness)
        self.num_segments = num_segments
        self.compactness = compactness

    def filter(self, image: np.ndarray) -> np.ndarray:
        """Redraw one RGB image, (S, S, 3) uint8."""
        segments = self._segments(image)
        flat = segments.ravel()
        sums = [
            np.bincount(flat, weights=image[..., part].ravel()) for part in range(3)
        ]
        means = np.stack(sums, axis=1) / np.bincount(flat)[:, None]
        return means.round().astype(np.uint8)[segments]

    def _segments(self, image: np.ndarray) -> np.ndarray:
        asked = self.num_segments
        while True:
            segments = slic(
                image, n_segments=asked, compactness=self.compactness, start_label=0
            )
            # SLIC starts from a regular grid, which may have more seeds than requested.
            if segments.max() < self.num_segments or asked == 1:
                return segments
            asked = max(1, int(asked * 0.9))


@MODELS.register_module()
class EdgeMapModifier(_ImageFilterModifier):
    """Draws the edges (Canny, TPAMI 1986) of a face, white on black.

    It has no gradient, so networks before it do not learn through it. Its thresholds
    are slopes, ``|dx| + |dy|`` of 3x3 Sobel filters on grey levels in [0, 255]. The
    larger the crop of a face is, the smoother it is and the fewer edges it shows.

    Args:
        low (float): Slope above which a pixel continues an edge. Defaults to 50.
        high (float): Slope above which a pixel starts an edge. Defaults to 120.

    Raises:
        ValueError: When not ``0 < low <= high``.
    """

    def __init__(self, low: float = 50, high: float = 120) -> None:
        super().__init__()
        if not 0 < low <= high:
            raise ValueError(f'0 < low <= high must hold, got {low} and {high}')
        self.low, self.high = low, high

    def filter(self, image: np.ndarray) -> np.ndarray:
        """Redraw one RGB image, (S, S, 3) uint8."""
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        return np.repeat(cv2.Canny(grey, self.low, self.high)[..., None], 3, axis=2)
