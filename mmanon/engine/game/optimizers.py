"""Optimizers of the modifier and the discriminator, next to the detector's own."""

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
            may be a list of one for each that learns of several discriminators.
        schedulers (Mapping): Schedules by the same names; may lack any.
        modifier_learns (bool): Whether M gets an optimizer.

    Raises:
        ValueError: When M's optimizer cannot work with the kind of the detector's, or a
            config sets a value that the detector's determines.
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
            # All would log the norm of their gradients under one name.
            wrapper.grad_name = f'{name}.{wrapper.grad_name}'
    runner.optim_wrapper = OptimWrapperDict(**wrappers)
    own = dict(detector=runner.param_schedulers or [])
    for name in list(wrappers)[1:]:
        own[name] = runner._build_param_scheduler(
            copy.deepcopy(schedulers.get(name.partition('.')[0], [])), wrappers[name]
        )
    runner.param_schedulers = own


def _one_each(cfg: Mapping | Sequence[Mapping], parts: Mapping) -> list[dict]:
    """The optimizer config of each of D's learners."""
    if isinstance(cfg, Mapping):
        return [dict(cfg) for _ in parts]
    if len(cfg) != len(parts):
        raise ValueError(
            f'optim_wrapper.discriminator lists {len(cfg)} optimizers, but there are '
            f'{len(parts)} discriminators to learn: give one for each, or one dict for '
            'all'
        )
    return [dict(one) for one in cfg]


def count_updates(
    runner: Runner, schedule: PhaseSchedule, discriminator_steps: int
) -> None:
    """Set the optimizers' progress, so that they also step at the end.

    Args:
        runner (Runner): As :func:`add_optimizers` left it.
        schedule (PhaseSchedule): When D does not learn, and when it alone does.
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
