"""The three networks of MTCNN, run by ONNX Runtime on the CPU, otherwise by PyTorch.

Their weights are in the wheel of facenet-pytorch. This module exports them once to ONNX
files in the user's cache folder. PyTorch needs seconds and 500 MB to start; ONNX
Runtime starts at once and processes a picture in half the time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmanon.utils.atomic_write import written_whole
from mmanon.utils.devices import Place, torch_place
from mmanon.utils.extras import require
from mmanon.utils.onnx_runtime import import_onnxruntime
from mmanon.utils.user_cache import user_cache

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ['NETWORKS', 'Network', 'load_networks', 'load_with_place']

NETWORKS = ('PNet', 'RNet', 'ONet')
Network = Callable[[np.ndarray], tuple[np.ndarray, ...]]
"""Takes pictures, uint8 (N, H, W, 3) RGB, and returns float32 arrays: corrections of
boxes, (N, 4, ...); the landmarks, (N, 10), from ONet only; and the scores of no face
and of a face, (N, 2, ...), which are logits from PNet and probabilities from the
others."""

# Increase this when the exported files change.
_VERSION = 2
_OPSET = 17


def load_networks(device: str = 'cpu') -> list[Network]:
    """Load the networks; see :func:`load_with_place`."""
    return load_with_place(device)[0]


def load_with_place(device: str = 'cpu') -> tuple[list[Network], Place]:
    """Load the networks.

    Args:
        device (str): Torch device. On ``'cpu'``, ONNX Runtime is used if it is
            installed.

    Returns:
        tuple[list[Network], Place]: The networks in the order of :data:`NETWORKS`, and
        where they run: on the CPU if PyTorch cannot use the device.

    Raises:
        ImportError: If facenet-pytorch, which contains the weights, is not installed.
    """
    require('MTCNN', 'facenet_pytorch', 'train')
    place = torch_place(str(device))
    if place.device == 'cpu' and find_spec('onnxruntime') is not None:
        folder = _folder()
        files = [folder / f'{name.lower()}.onnx' for name in NETWORKS]
        if all(one.is_file() for one in files) or _make(files):
            networks = [_with_onnx_runtime(one) for one in files]
            return networks, replace(place, engine='ONNX Runtime')
    return [_with_torch(name, place.device) for name in NETWORKS], place


def _folder() -> Path:
    """The folder of the ONNX files of the installed weights."""
    try:
        release = version('facenet-pytorch')
    except PackageNotFoundError:
        release = 'unknown'
    return user_cache() / f'mtcnn-{release}-{_VERSION}'


def _with_onnx_runtime(path: Path) -> Network:
    onnxruntime = import_onnxruntime()

    options = onnxruntime.SessionOptions()
    # Threads work on different frames; one frame is too little work for several.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        path, options, providers=['CPUExecutionProvider']
    )
    return lambda images: tuple(session.run(None, {'images': images}))


def _with_torch(name: str, device: str) -> Network:
    import torch
    from torch.backends import cudnn

    network = _build(name).to(device)

    @torch.inference_mode()
    def run(images: np.ndarray) -> tuple[np.ndarray, ...]:
        # Without TF32, the faces are the same as on a CPU.
        with cudnn.flags(enabled=True, allow_tf32=False):
            answers = network(torch.from_numpy(images).to(device))
        return tuple(one.cpu().numpy() for one in answers)

    return run


def _build(name: str) -> nn.Module:
    """The network as a torch module that takes uint8 pictures."""
    from facenet_pytorch.models import mtcnn
    from torch import nn

    class OfPixels(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = getattr(mtcnn, name)()
            if name == 'PNet':
                # The softmax takes a tenth of the time and is not needed to reject.
                self.network.softmax4_1 = nn.Identity()

        def forward(self, images: Tensor) -> tuple[Tensor, ...]:
            return self.network((images.float() - 127.5).permute(0, 3, 1, 2) / 128)

    return OfPixels().eval().requires_grad_(False)


def _make(files: list[Path]) -> bool:
    """Export the ONNX files, or log why that failed."""
    try:
        for name, file in zip(NETWORKS, files, strict=True):
            _export(name, file)
    # Whatever the reason: PyTorch gives the same results, only slower.
    except Exception as error:
        logging.getLogger(__name__).warning(
            'PyTorch runs MTCNN, which is slower: its ONNX files could not be '
            'written to %s (%s: %s)',
            files[0].parent,
            type(error).__name__,
            error,
        )
        return False
    return True


def _export(name: str, file: Path) -> None:
    import torch

    side = {'PNet': 48, 'RNet': 24, 'ONet': 48}[name]
    answers = ['moves', *(['points'] if name == 'ONet' else []), 'scores']
    free = {0: 'n', 1: 'h', 2: 'w'} if name == 'PNet' else {0: 'n'}
    places = {0: 'n', 2: 'h', 3: 'w'} if name == 'PNet' else {0: 'n'}
    with written_whole(file) as beside:
        torch.onnx.export(
            _build(name),
            (torch.zeros(2, side, side, 3, dtype=torch.uint8),),
            str(beside),
            input_names=['images'],
            output_names=answers,
            dynamic_axes={'images': free, **dict.fromkeys(answers, places)},
            opset_version=_OPSET,
            dynamo=False,
        )
