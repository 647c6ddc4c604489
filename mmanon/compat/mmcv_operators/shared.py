"""What the operators share: data types, numbers and torchvision's kernels."""

import numpy as np
import torch
from torch import Tensor

__all__ = ['as_computed', 'counted', 'kernels', 'of_float32']

# The kernels of torchvision, which `import torchvision` registers.
kernels = torch.ops.torchvision


def as_computed(*tensors: Tensor) -> list[Tensor]:
    """Convert tensors to the type of the first, or to float32 if that is a half."""
    dtype = tensors[0].dtype
    if dtype not in (torch.float32, torch.float64):
        dtype = torch.float32
    return [tensor.to(dtype) for tensor in tensors]


def counted(count: int, like: Tensor) -> Tensor:
    return torch.arange(count, dtype=like.dtype, device=like.device)


def of_float32(value: float) -> float:
    """Round a threshold as mmcv's C++ code does: it decides about equal overlaps."""
    return float(np.float32(value))
