"""Recognizers as attackers: built with their weights, for the view they look in."""

import copy
from typing import Any

import torch
from torch import nn

from mmanon.models.attackers.trained_attacker import margin_for
from mmanon.models.layers.face_views import FaceView
from mmanon.registry import MODELS

__all__ = ['load_recognizer', 'name_of', 'view_of']


def load_recognizer(
    cfg: dict, margin: float, name: str, view: FaceView | None = None
) -> nn.Module:
    """Build a recognizer with its trained weights.

    Args:
        cfg (dict): See :class:`RecognitionMetric`.
        margin (float): Of the modifier's crops.
        name (str): What errors call it.
        view (FaceView, optional): What it will be shown. Defaults to the face box.

    Returns:
        nn.Module: In evaluation mode.

    Raises:
        ValueError: When it has no trained weights, or was made for another margin or
            another view.
    """
    cfg = copy.deepcopy(cfg)
    if cfg.setdefault('margin', margin) != margin:
        raise ValueError(
            f'{name}: recognizer.margin={cfg["margin"]}, but the faces are cut with '
            f'the margin {margin} of the model; leave it out'
        )
    if view is not None:
        cfg['margin'] = margin_for(cfg, view)
    # The weights it begins with are drawn, and then replaced.
    with torch.random.fork_rng(devices=[]):
        recognizer = MODELS.build(cfg)
    if not _has_weights(recognizer):
        raise ValueError(
            f'{name}: a recognizer without trained weights knows nobody and would '
            'make every modifier look safe; give its backbone '
            "`init_cfg=dict(type='Pretrained', checkpoint=...)`"
        )
    recognizer.init_weights()
    if view is not None:
        _check_view(recognizer, view, name)
    return recognizer.eval().requires_grad_(False)


def name_of(recognizer: dict | str) -> str:
    """The default name of a recognizer."""
    if isinstance(recognizer, str):
        return recognizer
    part = recognizer.get('backbone', recognizer)
    return str(part.get('type')).rpartition('.')[2].lower()


def _check_view(recognizer: nn.Module, view: FaceView, name: str) -> None:
    trained_in: Any = getattr(recognizer, 'view', None)
    if isinstance(trained_in, FaceView) and not view.shows_the_same_as(trained_in):
        raise ValueError(
            f'{name}: it was trained on {trained_in} and is shown {view}; train it '
            'anew with the geometry of this model'
        )


def _kind_of(recognizer: dict) -> Any:
    kind = recognizer.get('type')
    return MODELS.get(kind) if isinstance(kind, str) else kind


def view_of(recognizer: dict | str, asked: str | None) -> str:
    """The view to look at faces in: what is asked for, or what it was trained in.

    Raises:
        ValueError: When the recognizer knows another one only.
    """
    if isinstance(recognizer, str):
        if asked not in (None, 'face'):
            raise ValueError(
                f"recognizer='discriminator' sees what the game has shown it; leave "
                f'out view={asked!r}'
            )
        return 'face'
    own = recognizer.get('view')
    own = own['name'] if isinstance(own, dict) else own
    if own is None:
        default = getattr(_kind_of(recognizer), 'view', 'face')
        return asked or (default if isinstance(default, str) else 'face')
    if asked not in (None, own):
        raise ValueError(
            f'the recognizer was trained in the view {own!r}, but view={asked!r}; '
            'leave one of them out'
        )
    return own


def _has_weights(recognizer: nn.Module) -> bool:
    """Whether all that embeds is loaded from a file, or there is nothing to load."""
    cfg = getattr(recognizer, 'init_cfg', None)
    if isinstance(cfg, dict) and cfg.get('type') == 'Pretrained':
        return True
    if next(recognizer.parameters(recurse=False), None) is not None:
        return False
    replaceable = getattr(recognizer, 'replaceable', ())
    return all(
        _has_weights(part)
        for name, part in recognizer.named_children()
        if f'{name}.' not in replaceable
    )
