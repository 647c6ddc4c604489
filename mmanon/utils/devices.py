"""Find out where work can run: on the CPU or on a usable GPU."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

__all__ = [
    'Place',
    'check_device',
    'cuda_number',
    'is_cuda',
    'told_places',
    'torch_place',
]

_DEVICES = re.compile(r'cpu|cuda(:\d+)?|mps')


@dataclass(frozen=True)
class Place:
    """Where something runs.

    Attributes:
        device (str): ``'cpu'``, or a device of PyTorch such as ``'cuda:0'``.
        engine (str): The library that runs it there, such as ``'PyTorch'``.
        missing (str, optional): Why this is not the requested device: reasons,
            separated by semicolons.
    """

    device: str
    engine: str
    missing: str | None = None

    def __str__(self) -> str:
        device = 'the CPU' if self.device == 'cpu' else self.device
        return f'{device} ({self.engine})'


def check_device(device: str) -> str:
    """Check the name of a device.

    Args:
        device (str): ``'cpu'``, ``'cuda'``, ``'cuda:1'`` … or ``'mps'``.

    Returns:
        str: The same name.

    Raises:
        ValueError: When it is something else.

    Examples:
        >>> check_device('cuda:1')
        'cuda:1'
    """
    device = str(device)
    if not _DEVICES.fullmatch(device):
        raise ValueError(
            f"device must be 'cpu', 'cuda', 'cuda:N' (the N-th GPU, from 0) or 'mps', "
            f'got {device!r}'
        )
    return device


def is_cuda(device: str) -> bool:
    """Whether a device is an NVIDIA GPU."""
    return device.startswith('cuda')


def cuda_number(device: str) -> int:
    """The number of the GPU that ``'cuda'`` or ``'cuda:N'`` names, from 0."""
    return int(device.partition(':')[2] or 0)


def torch_place(device: str) -> Place:
    """Where PyTorch can run for a requested device; a small calculation tests it.

    Args:
        device (str): As for :func:`check_device`.

    Returns:
        Place: That device, or the CPU and the reason.
    """
    if device == 'cpu':
        return Place('cpu', 'PyTorch')
    if find_spec('torch') is None:
        return Place('cpu', 'PyTorch', 'PyTorch is not installed')
    import torch

    if is_cuda(device):
        if torch.version.cuda is None:
            reason = f'PyTorch {torch.__version__} is a build without CUDA'
            return Place('cpu', 'PyTorch', reason)
        if not torch.cuda.is_available():
            return Place('cpu', 'PyTorch', 'PyTorch sees no CUDA device')
        count = torch.cuda.device_count()
        if cuda_number(device) >= count:
            reason = f'there is no {device}: PyTorch sees {count} CUDA device(s)'
            return Place('cpu', 'PyTorch', reason)
        device = f'cuda:{cuda_number(device)}'
    try:
        # PyTorch may see a GPU that is too old for this build, or full.
        torch.zeros(1, device=device).add_(1).item()
    except Exception as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        return Place('cpu', 'PyTorch', f'PyTorch cannot use {device}: {said}')
    return Place(device, 'PyTorch')


def told_places(device: str, parts: Sequence[tuple[str, Place]]) -> str:
    """Say in one sentence where each part runs, and why not on the requested device.

    Args:
        device (str): The requested device.
        parts (Sequence[tuple[str, Place]]): What is done, and where.

    Examples:
        >>> on_gpu = Place('cuda:0', 'PyTorch')
        >>> told_places('cuda', [('faces are drawn', on_gpu)])
        'device cuda: faces are drawn on cuda:0 (PyTorch)'
    """
    words = [f'{done} on {place}' for done, place in parts]
    missing = [place.missing.split('; ') for _, place in parts if place.missing]
    reasons = dict.fromkeys(reason for some in missing for reason in some)
    because = f', since {"; ".join(reasons)}' if reasons else ''
    return f'device {device}: {", ".join(words)}{because}'
