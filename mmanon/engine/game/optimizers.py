"""Optimizers of the modifier and the discriminator beside the detector's own."""

from typing import Any

import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapper, build_optim_wrapper
from torch import nn


class FollowingAmpOptimWrapper(AmpOptimWrapper):
    """An optimizer that shares the gradient scaler of one that steps after it.

    Modifier and detector are reached by one backward pass, so one scale holds for
    both. The follower unscales and steps its own parameters; the leader then does so
    for its own and updates the scale once.
    """

    def follow(self, leader: AmpOptimWrapper) -> None:
        """Take the leader's scaler and precision."""
        self.loss_scaler = leader.loss_scaler
        self.cast_dtype = leader.cast_dtype

    def step(self, **kwargs: Any) -> None:
        """Step without an update of the scale."""
        if self.clip_grad_kwargs:
            self.loss_scaler.unscale_(self.optimizer)
            self._clip_grad()
        self.loss_scaler.step(self.optimizer, **kwargs)

    def state_dict(self) -> dict:
        """The optimizer's state; the scaler's belongs to the leader."""
        return OptimWrapper.state_dict(self)


def build_following_wrapper(
    model: nn.Module, cfg: dict, leader: OptimWrapper
) -> OptimWrapper:
    """Build the modifier's optimizer, which steps with the detector's.

    Args:
        model (nn.Module): The modifier.
        cfg (dict): ``optimizer``, and ``clip_grad`` or ``paramwise_cfg`` if wanted.
            Precision and gradient accumulation are the leader's.
        leader (OptimWrapper): The detector's optimizer wrapper.
    """
    _refuse(cfg, 'modifier', 'type', 'accumulative_counts', 'dtype', 'loss_scale')
    cfg = dict(cfg, accumulative_counts=leader._accumulative_counts)
    if not isinstance(leader, AmpOptimWrapper):
        return build_optim_wrapper(model, cfg)
    wrapper = build_optim_wrapper(model, dict(cfg, type=FollowingAmpOptimWrapper))
    wrapper.follow(leader)
    return wrapper


def build_discriminator_wrapper(
    model: nn.Module, cfg: dict, leader: OptimWrapper
) -> OptimWrapper:
    """Build the discriminator's optimizer, of the detector's precision."""
    _refuse(cfg, 'discriminator', 'type', 'dtype', 'loss_scale')
    if not isinstance(leader, AmpOptimWrapper):
        return build_optim_wrapper(model, dict(cfg))
    amp: dict = dict(type='AmpOptimWrapper', loss_scale='dynamic')
    if leader.cast_dtype is not None:
        amp['dtype'] = str(leader.cast_dtype).removeprefix('torch.')
    if leader.cast_dtype == torch.bfloat16:
        # bfloat16 has float32's range: nothing to scale.
        amp['loss_scale'] = dict(enabled=False)
    return build_optim_wrapper(model, {**cfg, **amp})


def _refuse(cfg: dict, name: str, *keys: str) -> None:
    for key in keys:
        if key in cfg:
            raise ValueError(
                f'optim_wrapper.{name}.{key} cannot be set: it follows the '
                "detector's optim_wrapper"
            )
