"""Checkpoints of plain and of anonymized detectors, and which model they fit."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor

DETECTOR, MODIFIER, DISCRIMINATOR, EMA = (
    'detector.',
    'modifier.',
    'discriminator.',
    'modifier_ema.module.',
)


def adapt_state_dict(
    state: Mapping[str, Tensor], model_state: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Rename a checkpoint's weights to those of an anonymized detector.

    A plain detector's weights become the wrapped detector's. Weights of networks that
    the model lacks are left out, and a missing average of M starts as M.

    Args:
        state (Mapping): Weights of a plain or an anonymized detector.
        model_state (Mapping): The state dict of an :class:`AnonymizedDetector`.

    Returns:
        dict[str, Tensor]: Weights by the model's names.

    Raises:
        ValueError: When the weights are of another architecture.
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
    for part in (MODIFIER, EMA, DISCRIMINATOR):
        _check_part(part, state, model_state)
    return state


def load_weights(path: str | Path) -> dict[str, Tensor]:
    """Read the weights of a checkpoint, and nothing that could run code.

    Raises:
        pickle.UnpicklingError: When the file holds more than tensors, numbers and
            mmengine's logs.
    """
    core = getattr(np, '_core', None) or np.core
    logs = [
        HistoryBuffer,
        core.multiarray._reconstruct,
        core.multiarray.scalar,
        np.ndarray,
        np.dtype,
        *{type(np.dtype(kind)) for kind in ('f4', 'f8', 'i4', 'i8', 'u4')},
    ]
    # A log names its statistics by getattr, which could name anything.
    logs.append((_statistic, 'builtins.getattr'))
    with torch.serialization.safe_globals(logs):
        checkpoint = torch.load(path, map_location='cpu', weights_only=True)
    return checkpoint.get('state_dict', checkpoint)


def _statistic(owner: object, name: str) -> object:
    if owner is not HistoryBuffer:
        raise TypeError(f'a checkpoint may not ask for {name!r} of {owner!r}')
    return getattr(owner, name)


def extract_part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The weights of one network, by its own names.

    Raises:
        KeyError: When there are none.
    """
    part = {
        name.removeprefix(prefix): value
        for name, value in state.items()
        if name.startswith(prefix)
    }
    if not part:
        raise KeyError(f'the checkpoint has no weights named {prefix}*')
    return part


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
    """Each of the detector's larger parts fits nearly whole, or is not there at all."""
    ours = {name for name in model_state if name.startswith(DETECTOR)}
    theirs = {name for name in state if name.startswith(DETECTOR)}
    if not theirs:
        return
    if not _fits(theirs, state, model_state):
        raise ValueError(
            'no weight of the checkpoint fits the detector: it is of another '
            f'architecture; it has {_some(theirs)}, the detector has {_some(ours)}'
        )
    for child in {name.split('.')[1] for name in theirs}:
        prefix = f'{DETECTOR}{child}.'
        mine = [name for name in ours if name.startswith(prefix)]
        other = [name for name in theirs if name.startswith(prefix)]
        # A head for other classes differs in a few weights; a backbone in many.
        if not mine or max(len(mine), len(other)) <= 16:
            continue
        fits = _fits(mine, state, model_state)
        if len(fits) < 0.9 * max(len(mine), len(other)):
            raise ValueError(
                f"only {len(fits)} of the checkpoint's {len(other)} weights of "
                f'`{child}` fit the {len(mine)} of the detector: it is of another '
                'architecture (depth, width or type)'
            )


def _check_part(prefix: str, state: Mapping, model_state: Mapping) -> None:
    theirs = {name for name in state if name.startswith(prefix)}
    ours = {name for name in model_state if name.startswith(prefix)}
    wrong = sorted((theirs | ours) - set(_fits(ours, state, model_state)))
    if theirs and wrong:
        name = wrong[0]
        shapes = [
            tuple(one[name].shape) if name in one else 'nothing'
            for one in (state, model_state)
        ]
        raise ValueError(
            f"the checkpoint's {prefix.rstrip('.')} is of another architecture than "
            f"the config's: {name} is {shapes[0]} in the checkpoint and {shapes[1]} "
            'in the model'
        )


def _some(names: Iterable[str]) -> str:
    return ', '.join(sorted(name.removeprefix(DETECTOR) for name in names)[:3]) + ' …'
