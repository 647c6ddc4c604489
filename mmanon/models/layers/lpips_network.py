"""The network of LPIPS from the package ``lpips``."""

from pathlib import Path

import torch
from torch import Tensor, nn

__all__ = ['build_lpips']


def build_lpips(weights: str | Path, net: str) -> nn.Module:
    """Build the perceptual distance of the package ``lpips``, frozen.

    Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual
    Metric" (CVPR 2018). The package contains the weights of the layers' distances; the
    weights of the network itself come from a file. Nothing is downloaded.

    Args:
        weights (str or Path): State dict of torchvision's AlexNet, VGG-16 or
            SqueezeNet 1.1.
        net (str): The network of these weights: ``'alex'``, ``'vgg'`` or ``'squeeze'``.

    Returns:
        nn.Module: Maps two batches of faces, (K, 3, S, S) in [-1, 1], to their
        distances, (K, 1, 1, 1).

    Raises:
        ImportError: If the package is not installed.
        FileNotFoundError: If the file does not exist.
        ValueError: If ``net`` is none of these, or the file holds other weights.
    """
    if net not in ('alex', 'vgg', 'squeeze'):
        raise ValueError(f"net must be 'alex', 'vgg' or 'squeeze', got {net!r}")
    try:
        import lpips
    except ImportError as error:
        raise ImportError(
            'the perceptual distance needs the package lpips: `pip install lpips`'
        ) from error
    weights = Path(weights).expanduser()
    if not weights.is_file():
        raise FileNotFoundError(
            f'weights {weights} do not exist; give the state dict of torchvision '
            f'for {net!r}'
        )
    # lpips draws random weights first; this must not change the random state.
    with torch.random.fork_rng(devices=[]):
        distance = lpips.LPIPS(pretrained=False, net=net, pnet_rand=True, verbose=False)
    package = Path(lpips.__file__).parent
    weighting = _read(package / 'weights' / 'v0.1' / f'{net}.pth')
    distance.load_state_dict(weighting, strict=False)
    given = _read(weights)
    state = {}
    for name, value in distance.net.state_dict().items():
        # slice2.4.bias is features.4.bias of torchvision.
        own = f'features.{name.split(".", 1)[1]}'
        if own not in given or given[own].shape != value.shape:
            raise ValueError(
                f'{weights} does not hold the weights of {net!r}: {own} of '
                f'{tuple(value.shape)} is missing'
            )
        state[name] = given[own]
    distance.net.load_state_dict(state)
    return distance.eval().requires_grad_(False)


def _read(path: Path) -> dict[str, Tensor]:
    return torch.load(path, map_location='cpu', weights_only=True)
