"""Makes the current releases of the OpenMMLab packages import and run together.

- :mod:`.imports`: skips or replaces what makes an import fail;
- :mod:`.mmcv_operators`: when mmcv was installed without compiled operators, computes
  the operators that detectors call with torchvision.

This package imports none of the OpenMMLab packages and changes no installed file.
"""

from .imports import make_stack_importable

__all__ = ['make_stack_importable']
