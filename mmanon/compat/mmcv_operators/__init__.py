"""Replaces mmcv's compiled operators, the module ``mmcv._ext``.

The layers and functions of ``mmcv.ops`` are Python code that calls functions of
``mmcv._ext``. These write their results into tensors that the caller passes. mmcv as
pip installs it has the Python code only: compiling the operators needs a C++ compiler
and several minutes. The functions here have the same signatures and compute the same
results as the compiled ones. torchvision's kernels compute RoIAlign, NMS and deformable
convolution. Plain PyTorch computes the rest:

- torchvision has no RoIAlign with the maximum;
- its RoIPool rounds the corners of a region to pixels, mmcv's does not;
- only mmcv has soft NMS, the groups of ``nms_match`` and the focal loss of integer
  classes.

Inputs in half precision are computed in float32. Every other operator can be imported,
and raises when it is called. Letters in shapes: N images, C channels, H and W pixels of
a feature map, R regions (RoIs) with rows ``(image, x1, y1, x2, y2)``, P and Q rows and
columns of bins.
"""

from collections.abc import Callable
from importlib import metadata

import mmcv
import torch
import torchvision

from .attention import ms_deform_attn_backward, ms_deform_attn_forward
from .convolution import (
    deform_conv_backward_input,
    deform_conv_backward_parameters,
    deform_conv_forward,
    masked_col2im_forward,
    masked_im2col_forward,
    modulated_deform_conv_backward,
    modulated_deform_conv_forward,
)
from .focal_loss import sigmoid_focal_loss_backward, sigmoid_focal_loss_forward
from .regions import (
    roi_align_backward,
    roi_align_forward,
    roi_pool_backward,
    roi_pool_forward,
)
from .suppression import nms, nms_match, softnms

__all__ = ['OPERATORS', 'description', 'not_available']

# torch.compile does not enter them, as it does not enter compiled operators: it would
# trace loops over regions.
OPERATORS: dict[str, Callable] = {
    function.__name__: torch.compiler.disable(function)
    for function in (
        deform_conv_backward_input,
        deform_conv_backward_parameters,
        deform_conv_forward,
        masked_col2im_forward,
        masked_im2col_forward,
        modulated_deform_conv_backward,
        modulated_deform_conv_forward,
        ms_deform_attn_backward,
        ms_deform_attn_forward,
        nms,
        nms_match,
        roi_align_backward,
        roi_align_forward,
        roi_pool_backward,
        roi_pool_forward,
        sigmoid_focal_loss_backward,
        sigmoid_focal_loss_forward,
        softnms,
    )
}


def not_available(name: str) -> Callable:
    """Return the replacement of an operator that is not here: a call of it raises.

    Raises:
        AttributeError: If the name is not an operator's: it starts with an underscore.
    """
    if name.startswith('_'):
        raise AttributeError(name)

    def operator(*args: object, **kwargs: object) -> None:
        raise NotImplementedError(
            f'{name} is an operator of mmcv that has to be compiled, but the installed '
            f'mmcv has no compiled operators: {how_to_compile()}'
        )

    operator.__name__ = name
    return operator


def how_to_compile() -> str:
    """Return the commands that install mmcv with compiled operators, for a message."""
    installed = (name for name in ('onedl-mmcv', 'mmcv', 'mmcv-lite') if _has(name))
    package = next(installed, 'onedl-mmcv').removesuffix('-lite')
    return (
        'compile it with a C++ compiler (nvcc for a GPU), which takes some minutes. In '
        'a checkout of mmanon: MMCV_WITH_OPS=1 make setup; otherwise: MMCV_WITH_OPS=1 '
        'pip install --force-reinstall --no-deps --no-build-isolation --no-cache-dir '
        f'--no-binary {package} {package}=={mmcv.__version__}; since PyTorch 2.14, '
        'change c++17 to c++20 in its setup.py (docs/faq.md)'
    )


def _has(package: str) -> bool:
    try:
        return bool(metadata.version(package))
    except metadata.PackageNotFoundError:
        return False


def description() -> str:
    """Return the log message for the case that the replacement is used."""
    return (
        'the installed mmcv has no compiled operators (mmcv._ext): torchvision '
        f'{torchvision.__version__} and PyTorch compute RoIAlign, RoIPool, NMS, '
        'deformable convolution and attention instead'
    )
