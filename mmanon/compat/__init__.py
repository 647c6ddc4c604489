"""Lets today's releases of the OpenMMLab stack import and run together.

- :mod:`.imports`: what stands in the way of an import is passed over or filled in;
- :mod:`.mmcv_operators`: where mmcv was installed without a compiler, the operators
  that detectors call, by torchvision.

Nothing of the stack is imported here; no installed file is touched.
"""

from .imports import make_stack_importable

__all__ = ['make_stack_importable']
