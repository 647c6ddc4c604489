"""Optimizers for parts of a model."""

from __future__ import annotations

import copy
from typing import Any

from mmengine.optim import OptimWrapperDict, build_optim_wrapper
from torch import nn

from mmanon.registry import OPTIM_WRAPPER_CONSTRUCTORS

__all__ = ['PartsOptimWrapperConstructor']


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class PartsOptimWrapperConstructor:
    """Builds an optimizer for each of several parts of a model.

    Args:
        optim_wrapper_cfg (dict): Configs of optimizer wrappers by name, each with
            ``modules``, the names of the model's modules that it updates.
        paramwise_cfg (dict, optional): Not used.

    Raises:
        ValueError: If a part names no module, or one that the model does not have.
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: Any = None) -> None:
        self._parts = copy.deepcopy(optim_wrapper_cfg)

    def __call__(self, model: nn.Module) -> OptimWrapperDict:
        """Build the optimizers."""
        known = dict(model.named_children())
        wrappers = {}
        for name, cfg in self._parts.items():
            names = cfg.pop('modules', [])
            missing = [each for each in names if each not in known]
            if missing or not names:
                raise ValueError(
                    f'optim_wrapper.{name}.modules names {missing or "nothing"}; the '
                    f'model has {", ".join(known)}'
                )
            part = nn.ModuleDict({each: known[each] for each in names})
            wrappers[name] = build_optim_wrapper(part, cfg)
        return OptimWrapperDict(**wrappers)
