"""Fits checkpoints of plain and anonymized detectors to a model, with a report."""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor

from mmanon._moved import renamed
from mmanon.models.weight_files import (
    DETECTOR,
    DISCRIMINATOR,
    EMA,
    MODIFIER,
    tell_card,
)
from mmanon.structures.modifier_card import ModifierCard

__all__ = [
    'WeightReport',
    'adapt_state_dict',
    'check_finite',
    'check_losses',
    'fit_checkpoint',
    'report_weights',
    'tell_of_modifier',
]

# The weights of D's head, or of the heads of its members.
_HEAD = re.compile(re.escape(DISCRIMINATOR) + r'(members\.\d+\.)?head\.')


def __getattr__(name: str) -> object:
    return renamed(__name__, name)


def fit_checkpoint(
    checkpoint: dict, model_state: Mapping[str, Tensor], new_head: bool = False
) -> set[str]:
    """Fit a plain or an anonymized detector's checkpoint to a model, in place.

    The log says which weights of each network are loaded.

    Args:
        checkpoint (dict): A checkpoint of mmengine, or a state dict.
        model_state (Mapping): As for :func:`adapt_state_dict`.
        new_head (bool): As for :func:`adapt_state_dict`.

    Returns:
        set[str]: The networks of the model that the checkpoint contains.

    Raises:
        ValueError: If the weights are of another architecture.
    """
    holder = checkpoint if 'state_dict' in checkpoint else None
    state = checkpoint['state_dict'] if holder else dict(checkpoint)
    adapted = adapt_state_dict(state, model_state, new_head)
    reports = report_weights(adapted, model_state)
    for report in reports:
        print_log(
            str(report),
            logger='current',
            level=logging.WARNING if report.is_partial else logging.INFO,
        )
    if holder is None:
        checkpoint.clear()
        checkpoint.update(adapted)
    else:
        checkpoint['state_dict'] = adapted
    return {report.network for report in reports if report.matched}


def check_finite(state: Mapping[str, Tensor]) -> None:
    """Check that weights are finite before they are saved.

    Raises:
        FloatingPointError: If one is not; the message names the first.
    """
    for name, value in state.items():
        if value.is_floating_point() and not value.isfinite().all():
            raise FloatingPointError(
                f'{name} is not finite: no checkpoint is saved. Lower the learning '
                'rate or clip gradients, and resume from the last checkpoint'
            )


def check_losses(losses: Mapping[str, Any], iteration: int) -> None:
    """Check that losses are finite.

    Args:
        losses (Mapping): The losses of a training step by name.
        iteration (int): Number of the step, counted from 1.

    Raises:
        FloatingPointError: If one is not; the message names all such losses.
    """
    names = [name for name, value in losses.items() if torch.is_tensor(value)]
    values = torch.stack([losses[name].detach().float() for name in names])
    if values.isfinite().all():
        return
    wrong = [
        name
        for name, finite in zip(names, values.isfinite().tolist(), strict=True)
        if not finite
    ]
    raise FloatingPointError(
        f'{", ".join(wrong)} not finite at iteration {iteration}: training stops, '
        'these weights are not saved. Lower the learning rate, clip gradients, or '
        'raise the weight of the structure loss (the negated adversarial loss has no '
        'lower bound)'
    )


def tell_of_modifier(meta: dict, hook: Mapping, loader: Mapping | None) -> None:
    """Write the modifier's card into a checkpoint's ``meta``.

    If no card can be made from the configs, a warning is logged.

    Args:
        meta (dict): ``meta`` of the checkpoint.
        hook (Mapping): Config of the game's hook.
        loader (Mapping, optional): Config of the data loader of the training.
    """
    try:
        card = ModifierCard.from_config(
            dict(custom_hooks=[hook], train_dataloader=loader)
        )
    except ValueError as error:
        print_log(
            f'the checkpoint has no card of its modifier: {error}',
            logger='current',
            level=logging.WARNING,
        )
    else:
        assert card is not None  # its config names the modifier
        tell_card(meta, card)


def adapt_state_dict(
    state: Mapping[str, Tensor],
    model_state: Mapping[str, Tensor],
    new_head: bool = False,
) -> dict[str, Tensor]:
    """Rename a checkpoint's weights to those of an anonymized detector.

    The weights of a plain detector become those of the wrapped detector. Weights of
    networks that the model does not have are left out. If the average of M is missing,
    it starts as M.

    Args:
        state (Mapping): Weights of a plain or an anonymized detector.
        model_state (Mapping): State dict of an :class:`AnonymizedDetector`.
        new_head (bool): Whether D may classify other people than in the checkpoint: a
            head of another shape then starts from random weights. Defaults to False.

    Returns:
        dict[str, Tensor]: Weights by the names in the model.

    Raises:
        ValueError: If the weights are of another architecture.
    """
    state = {name.removeprefix('module.'): value for name, value in state.items()}
    if not any(name in model_state for name in state):
        state = {DETECTOR + name: value for name, value in state.items()}
    parts = {_part(name) for name in model_state}
    state = {name: value for name, value in state.items() if _part(name) in parts}
    if 'modifier_ema' in parts and not any(name.startswith(EMA) for name in state):
        for name in [name for name in state if name.startswith(MODIFIER)]:
            state[EMA + name.removeprefix(MODIFIER)] = state[name]
    _check_detector(state, model_state)
    if new_head:
        state = _without_head_of_others(state, model_state)
    for part in (MODIFIER, EMA, DISCRIMINATOR):
        _check_part(part, state, model_state, heads_may_differ=new_head)
    return state


def _without_head_of_others(
    state: Mapping[str, Tensor], model_state: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Leave out the weights that fit of each head that does not fit as a whole.

    They belong to the weights that do not fit, such as the state of a margin that is
    annealed. The weights that do not fit stay, so that they are reported.
    """
    heads = {_head_of(name) for name in [*state, *model_state]} - {None}
    left_out: set[str] = set()
    for head in heads:
        theirs = [name for name in state if _head_of(name) == head]
        ours = [name for name in model_state if _head_of(name) == head]
        fitting = set(_fits(ours, state, model_state))
        if theirs and len(fitting) < len(ours):
            left_out |= fitting
    return {name: value for name, value in state.items() if name not in left_out}


def _head_of(name: str) -> str | None:
    """Return the head of D to which a weight belongs, or None."""
    found = _HEAD.match(name)
    return found and found.group()


@dataclass(frozen=True)
class WeightReport:
    """How a checkpoint's weights fit those of one network.

    Attributes:
        network (str): Its name in the model, such as ``'detector'``.
        matched (list[str]): Weights that are loaded, by their names in the network.
        missing (list[str]): Weights of the network that the checkpoint does not have.
        unexpected (list[str]): Weights of the checkpoint that the network does not
            have.
        mismatched (dict): Weights with different shapes, by name: the shape in the
            checkpoint and in the network.
    """

    network: str
    matched: list[str]
    missing: list[str]
    unexpected: list[str]
    mismatched: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]

    @property
    def is_whole(self) -> bool:
        """Whether all weights of checkpoint and network match."""
        return not (self.missing or self.unexpected or self.mismatched)

    @property
    def is_partial(self) -> bool:
        """Whether the checkpoint has the network, but not with the same weights."""
        found = self.matched or self.unexpected or self.mismatched
        return bool(found) and not self.is_whole

    def __str__(self) -> str:
        total = len(self.matched) + len(self.missing) + len(self.mismatched)
        said = f'{self.network}: {len(self.matched)} of {total} weights loaded'
        if not (self.matched or self.unexpected or self.mismatched):
            return f'{said}, the checkpoint has none'
        shapes = [
            f'{name} {theirs} in the checkpoint, {ours} in the model'
            for name, (theirs, ours) in self.mismatched.items()
        ]
        for what, names in (
            ('of another shape', shapes),
            ('missing in the checkpoint', self.missing),
            ('unexpected in the checkpoint', self.unexpected),
        ):
            if names:
                said += f'; {len(names)} {what} ({_first(names)})'
        return said


def report_weights(
    state: Mapping[str, Tensor], model_state: Mapping[str, Tensor]
) -> list[WeightReport]:
    """Compare a checkpoint's weights with a model's, network by network.

    Args:
        state (Mapping): Weights as returned by :func:`adapt_state_dict`.
        model_state (Mapping): State dict of an :class:`AnonymizedDetector`.

    Returns:
        list[WeightReport]: A report for each network of the model, in its order.
    """
    reports = []
    for network in dict.fromkeys(_part(name) for name in model_state):
        prefix = f'{network}.'
        ours, theirs = (
            {
                name.removeprefix(prefix): tuple(value.shape)
                for name, value in weights.items()
                if name.startswith(prefix)
            }
            for weights in (model_state, state)
        )
        both = [name for name in ours if name in theirs]
        reports.append(
            WeightReport(
                network,
                matched=[name for name in both if theirs[name] == ours[name]],
                missing=[name for name in ours if name not in theirs],
                unexpected=[name for name in theirs if name not in ours],
                mismatched={
                    name: (theirs[name], ours[name])
                    for name in both
                    if theirs[name] != ours[name]
                },
            )
        )
    return reports


def _part(name: str) -> str:
    return name.partition('.')[0]


def _fits(names: Iterable[str], state: Mapping, model_state: Mapping) -> list[str]:
    return [
        name
        for name in names
        if name in state
        and name in model_state
        and state[name].shape == model_state[name].shape
    ]


def _check_detector(state: Mapping, model_state: Mapping) -> None:
    """Check that each larger part of the detector fits nearly, or is missing."""
    ours = {name for name in model_state if name.startswith(DETECTOR)}
    theirs = {name for name in state if name.startswith(DETECTOR)}
    if not theirs:
        return
    if not _fits(theirs, state, model_state):
        raise ValueError(
            'no weight of the checkpoint fits the detector: the checkpoint is of '
            f'another architecture; it has {_some(theirs)}, but the detector has '
            f'{_some(ours)}'
        )
    for child in {name.split('.')[1] for name in theirs}:
        prefix = f'{DETECTOR}{child}.'
        mine = [name for name in ours if name.startswith(prefix)]
        other = [name for name in theirs if name.startswith(prefix)]
        # A head for other classes differs in a few weights, and a head with a feature
        # bank has more weights than the file. Another backbone differs in many.
        if min(len(mine), len(other)) <= 16:
            continue
        fits = _fits(mine, state, model_state)
        if len(fits) < 0.9 * max(len(mine), len(other)):
            raise ValueError(
                f"only {len(fits)} of the checkpoint's {len(other)} weights of "
                f'`{child}` fit the {len(mine)} of the detector: it is of another '
                'architecture (depth, width or type)'
            )


def _check_part(
    prefix: str, state: Mapping, model_state: Mapping, heads_may_differ: bool
) -> None:
    theirs, ours = (
        {
            name
            for name in weights
            if name.startswith(prefix) and not (heads_may_differ and _head_of(name))
        }
        for weights in (state, model_state)
    )
    wrong = sorted((theirs | ours) - set(_fits(ours, state, model_state)))
    if theirs and wrong:
        name = wrong[0]
        shapes = [
            tuple(weights[name].shape) if name in weights else 'nothing'
            for weights in (state, model_state)
        ]
        raise ValueError(
            f"the checkpoint's {prefix.rstrip('.')} is of another architecture than "
            f"the config's: {name} is {shapes[0]} in the checkpoint and {shapes[1]} "
            'in the model'
        )


def _first(names: Sequence[str], count: int = 6) -> str:
    more = f' and {len(names) - count} more' if len(names) > count else ''
    return ', '.join(names[:count]) + more


def _some(names: Iterable[str]) -> str:
    return ', '.join(sorted(name.removeprefix(DETECTOR) for name in names)[:3]) + ' …'
