"""Optimizers of the modifier and the discriminator, in addition to the detector's."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.optim import (
    AmpOptimWrapper,
    OptimWrapper,
    OptimWrapperDict,
    build_optim_wrapper,
)
from mmengine.runner import Runner
from torch import nn

from mmanon.models.discriminators import discriminator_parts

from .phases import PhaseSchedule, iterations_left
from .run_switches import check_optimizer

__all__ = [
    'FollowingAmpOptimWrapper',
    'add_optimizers',
    'build_discriminator_wrapper',
    'build_following_wrapper',
    'count_updates',
]


def add_optimizers(
    runner: Runner, optimizers: Mapping, schedulers: Mapping, modifier_learns: bool
) -> None:
    """Add optimizers and schedules of M and D to the detector's.

    Args:
        runner (Runner): Its model is an :class:`AnonymizedDetector`.
        optimizers (Mapping): Configs for ``modifier`` and ``discriminator``; the latter
            may be a list with one config for each part of D.
        schedulers (Mapping): Schedules by the same names, each optional.
        modifier_learns (bool): Whether M gets an optimizer.

    Raises:
        ValueError: If M's optimizer cannot work with the detector's, or a config sets
            a value that the detector's optimizer determines.
    """
    model, lead = runner.model, runner.optim_wrapper
    check_optimizer(lead)
    wrappers = dict(detector=lead)
    if modifier_learns:
        wrappers['modifier'] = build_following_wrapper(
            model.modifier, optimizers['modifier'], lead
        )
    parts = discriminator_parts(model.discriminator)
    for (name, part), cfg in zip(
        parts.items(), _one_each(optimizers['discriminator'], parts), strict=True
    ):
        wrappers[name] = build_discriminator_wrapper(part, cfg, lead)
    for name, wrapper in wrappers.items():
        if getattr(wrapper, 'clip_grad_kwargs', None):
            # Otherwise all would log the norm of their gradients under one name.
            wrapper.grad_name = f'{name}.{wrapper.grad_name}'
    runner.optim_wrapper = OptimWrapperDict(**wrappers)
    own = dict(detector=runner.param_schedulers or [])
    for name in list(wrappers)[1:]:
        own[name] = runner._build_param_scheduler(
            copy.deepcopy(schedulers.get(name.partition('.')[0], [])), wrappers[name]
        )
    runner.param_schedulers = own


def _one_each(cfg: Mapping | Sequence[Mapping], parts: Mapping) -> list[dict]:
    """Return the optimizer config of each part of D."""
    if isinstance(cfg, Mapping):
        return [dict(cfg) for _ in parts]
    if len(cfg) != len(parts):
        raise ValueError(
            f'optim_wrapper.discriminator lists {len(cfg)} optimizers, but '
            f'{len(parts)} discriminators learn: give one for each, or one dict for all'
        )
    return [dict(one) for one in cfg]


def count_updates(
    runner: Runner, schedule: PhaseSchedule, discriminator_steps: int
) -> None:
    """Set the progress of the optimizers, so that accumulated gradients are used.

    mmengine's optimizer wrappers make a last step at the end of the training. To do so,
    they need the current and the total number of their iterations.

    Args:
        runner (Runner): The runner after :func:`add_optimizers`.
        schedule (PhaseSchedule): It tells when D does not learn, and when only D
            learns.
        discriminator_steps (int): Steps of D in each iteration in which it learns.
    """
    networks = runner.model.learners
    total = runner.iter + iterations_left(runner.train_loop)
    for name, wrapper in runner.optim_wrapper.items():
        now, end = runner.iter, total
        if name.partition('.')[0] == 'discriminator':
            end -= schedule.fine_tune
            now, end = (count * discriminator_steps for count in (min(now, end), end))
        else:
            now, end = (count - schedule.rests(count, total) for count in (now, end))
        wrapper.initialize_count_status(networks[name], now, end)


class FollowingAmpOptimWrapper(AmpOptimWrapper):
    """An optimizer that shares the gradient scaler of a leader that steps after it.

    One backward pass reaches modifier and detector, so both have the same scale. The
    follower unscales and steps its own parameters. Then the leader does the same for
    its own parameters and updates the scale once.
    """

    def follow(self, leader: AmpOptimWrapper) -> None:
        """Use the leader's scaler and precision."""
        self.loss_scaler = leader.loss_scaler
        self.cast_dtype = leader.cast_dtype

    def step(self, **kwargs: Any) -> None:
        """Step without updating the scale."""
        if self.clip_grad_kwargs:
            self.loss_scaler.unscale_(self.optimizer)
            self._clip_grad()
        self.loss_scaler.step(self.optimizer, **kwargs)

    def state_dict(self) -> dict:
        """Return the optimizer's state; the scaler belongs to the leader's."""
        return OptimWrapper.state_dict(self)


def build_following_wrapper(
    model: nn.Module, cfg: dict, leader: OptimWrapper
) -> OptimWrapper:
    """Build the modifier's optimizer, which steps together with the detector's.

    Args:
        model (nn.Module): The modifier.
        cfg (dict): ``optimizer``, and optionally ``clip_grad`` or ``paramwise_cfg``.
            Precision and gradient accumulation are the leader's.
        leader (OptimWrapper): The detector's optimizer wrapper.

    Raises:
        ValueError: If the config sets precision or gradient accumulation.
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
    """Build the discriminator's optimizer, with the precision of the detector's.

    Raises:
        ValueError: If the config sets the precision.
    """
    _refuse(cfg, 'discriminator', 'type', 'dtype', 'loss_scale')
    if not isinstance(leader, AmpOptimWrapper):
        return build_optim_wrapper(model, dict(cfg))
    amp: dict = dict(type='AmpOptimWrapper', loss_scale='dynamic')
    if leader.cast_dtype is not None:
        amp['dtype'] = str(leader.cast_dtype).removeprefix('torch.')
    if leader.cast_dtype == torch.bfloat16:
        # bfloat16 has the range of float32 and needs no scaling.
        amp['loss_scale'] = dict(enabled=False)
    return build_optim_wrapper(model, {**cfg, **amp})


def _refuse(cfg: dict, name: str, *keys: str) -> None:
    for key in keys:
        if key in cfg:
            raise ValueError(
                f'optim_wrapper.{name}.{key} cannot be set: it follows the '
                "detector's optim_wrapper"
            )
