"""Loads a modifier from its file: builds it as its card says, and loads its weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from mmanon.models.modifiers import BaseModifier, LearnedModifier
from mmanon.models.weight_files import (
    load_checkpoint,
    modifier_card,
    modifier_weights,
)
from mmanon.registry import MODELS
from mmanon.structures.modifier_card import ModifierCard

__all__ = ['fill_modifier', 'load_modifier']


def load_modifier(path: str | Path) -> tuple[BaseModifier, ModifierCard]:
    """Build the modifier that a file holds.

    Args:
        path (str or Path): A file of ``mmanon export``, or a training checkpoint.

    Returns:
        tuple[BaseModifier, ModifierCard]: M with its weights, and its card.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it holds no modifier or no card, when the modifier is not
            registered, or when its weights do not fit.
    """
    checkpoint = load_checkpoint(path)
    try:
        card = modifier_card(checkpoint)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from None
    if card is None or not card.modifier:
        raise ValueError(
            f'{path} does not tell which modifier it holds: give the config that it '
            'was trained with as the modifier and this file as its weights, or export '
            'it again with --config'
        )
    try:
        modifier = MODELS.build(dict(card.modifier))
    except (KeyError, TypeError) as error:
        raise ValueError(
            f'{path} holds a {card.modifier["type"]}, which cannot be built here: '
            f'{error.args[0]}. Import the module that registers it first, as '
            '`custom_imports` of a config does'
        ) from None
    if not isinstance(modifier, BaseModifier):
        raise ValueError(f'{path} holds a {type(modifier).__name__}, not a modifier')
    fill_modifier(modifier, checkpoint, path)
    return modifier, card


def fill_modifier(
    modifier: BaseModifier, checkpoint: Mapping[str, Any], path: str | Path
) -> None:
    """Load the weights of a learned modifier, all of them or none.

    Args:
        modifier (BaseModifier): M.
        checkpoint (Mapping): The result of :func:`.weight_files.load_checkpoint`.
        path (str or Path): Path of the checkpoint, for errors.

    Raises:
        ValueError: If M has no weights, the weights of the checkpoint do not fit, or
            some are not finite.
    """
    name = type(modifier).__name__
    if not isinstance(modifier, LearnedModifier):
        raise ValueError(f'{name} has no weights to load; leave out {path}')
    state, own = modifier_weights(checkpoint), modifier.state_dict()
    wrong = [
        key
        for key in sorted({*state, *own})
        if key not in own or key not in state or state[key].shape != own[key].shape
    ]
    if wrong:
        shapes = [
            tuple(weights[wrong[0]].shape) if wrong[0] in weights else 'nothing'
            for weights in (state, own)
        ]
        raise ValueError(
            f'{path} does not hold the weights of this {name}: {len(wrong)} differ, '
            f'such as {wrong[0]}, {shapes[0]} in the file and {shapes[1]} here; give '
            'the config that it was trained with'
        )
    floating = [value for value in state.values() if value.is_floating_point()]
    if not all(torch.isfinite(value).all() for value in floating):
        raise ValueError(f'{path} holds weights that are not finite')
    modifier.load_state_dict(state)
