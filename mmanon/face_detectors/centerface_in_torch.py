"""Run CenterFace by PyTorch, for GPUs that ONNX Runtime cannot use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ['load_in_torch', 'missing_for_torch']

_one_at_a_time = Lock()


def missing_for_torch() -> str | None:
    """Why PyTorch cannot read the ONNX file; ``None`` if it can."""
    return None if find_spec('onnx') else 'the package onnx is not installed'


def load_in_torch(
    model: bytes, device: str
) -> Callable[[np.ndarray], list[np.ndarray]]:
    """Load the network.

    It consists of six kinds of ONNX operators, which run in the order of the file.

    Args:
        model (bytes): The content of the ONNX file.
        device (str): Where PyTorch runs it.

    Returns:
        callable: Takes pictures, float32 (N, 3, H, W) from 0 to 255, and returns the
        network's outputs.

    Raises:
        ValueError: When the file contains another operator.
    """
    import onnx
    import torch
    from onnx import numpy_helper
    from torch.backends import cudnn

    graph = onnx.load_from_string(model).graph
    weights = {
        one.name: torch.from_numpy(numpy_helper.to_array(one).copy()).to(device)
        for one in graph.initializer
    }
    given = [one.name for one in graph.input if one.name not in weights]
    steps = [
        (
            _operator(node.op_type),
            {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute},
            list(node.input),
            node.output[0],
        )
        for node in graph.node
    ]
    answers = [one.name for one in graph.output]

    @torch.inference_mode()
    def run(pictures: np.ndarray) -> list[np.ndarray]:
        values = {**weights, given[0]: torch.from_numpy(pictures).to(device)}
        # Without TF32, the faces are the same as on a CPU. The flag is global, so only
        # one thread at a time may run.
        with _one_at_a_time, cudnn.flags(enabled=True, allow_tf32=False):
            for operator, told, names, result in steps:
                values[result] = operator(told, *(values[name] for name in names))
        return [values[name].cpu().numpy() for name in answers]

    return run


def _operator(kind: str) -> Callable[..., Tensor]:
    from torch.nn import functional

    def convolve(
        told: dict[str, Any], x: Tensor, weight: Tensor, bias: Tensor | None = None
    ) -> Tensor:
        return functional.conv2d(x, weight, bias, padding=_pads(told), **_strides(told))

    def convolve_back(
        told: dict[str, Any], x: Tensor, weight: Tensor, bias: Tensor | None = None
    ) -> Tensor:
        return functional.conv_transpose2d(
            x, weight, bias, padding=_pads(told), **_strides(told)
        )

    def normalize(
        told: dict[str, Any],
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        mean: Tensor,
        variance: Tensor,
    ) -> Tensor:
        return functional.batch_norm(
            x, mean, variance, weight, bias, eps=told.get('epsilon', 1e-5)
        )

    known: dict[str, Callable[..., Tensor]] = {
        'Add': lambda told, x, y: x + y,
        'BatchNormalization': normalize,
        'Conv': convolve,
        'ConvTranspose': convolve_back,
        'Relu': lambda told, x: functional.relu(x),
        'Sigmoid': lambda told, x: x.sigmoid(),
    }
    if kind not in known:
        raise ValueError(f'CenterFace has no operator {kind}: these are other weights')
    return known[kind]


def _pads(told: dict[str, Any]) -> Sequence[int]:
    top, left, bottom, right = told.get('pads', (0, 0, 0, 0))
    if (top, left) != (bottom, right):
        raise ValueError('CenterFace pads all sides equally: these are other weights')
    return top, left


def _strides(told: dict[str, Any]) -> dict[str, Any]:
    return dict(
        stride=tuple(told.get('strides', (1, 1))),
        dilation=tuple(told.get('dilations', (1, 1))),
        groups=told.get('group', 1),
    )
