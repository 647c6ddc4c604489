"""Builds recognizers as attackers, with their weights and for a view."""

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
        margin (float): Enlargement of the face box on each side of the modifier's
            crops, as a fraction of its side.
        name (str): Name of the recognizer in errors.
        view (FaceView, optional): The view that it will see. Defaults to the face box.

    Returns:
        nn.Module: The recognizer in evaluation mode, frozen.

    Raises:
        ValueError: If it has no trained weights, or is for another margin or another
            view.
    """
    cfg = copy.deepcopy(cfg)
    if cfg.setdefault('margin', margin) != margin:
        raise ValueError(
            f'{name}: recognizer.margin={cfg["margin"]}, but the faces are cut with '
            f'the margin {margin} of the model; leave it out'
        )
    if view is not None:
        cfg['margin'] = margin_for(cfg, view)
    # Its random initial weights, which are replaced, must not change the random state.
    with torch.random.fork_rng(devices=[]):
        recognizer = MODELS.build(cfg)
    if not _has_weights(recognizer):
        raise ValueError(
            f'{name}: a recognizer without trained weights recognizes nobody and would '
            'make every modifier look safe; give its backbone '
            "`init_cfg=dict(type='Pretrained', checkpoint=...)`"
        )
    recognizer.init_weights()
    if view is not None:
        _check_view(recognizer, view, name)
    return recognizer.eval().requires_grad_(False)


def name_of(recognizer: dict | str) -> str:
    """Return the default name of a recognizer."""
    if isinstance(recognizer, str):
        return recognizer
    part = recognizer.get('backbone', recognizer)
    return str(part.get('type')).rpartition('.')[2].lower()


def _check_view(recognizer: nn.Module, view: FaceView, name: str) -> None:
    trained_in: Any = getattr(recognizer, 'view', None)
    if isinstance(trained_in, FaceView) and not view.shows_the_same_as(trained_in):
        raise ValueError(
            f'{name}: it was trained on {trained_in}, but would see {view}; train it '
            'again with the geometry of this model'
        )


def _kind_of(recognizer: dict) -> Any:
    kind = recognizer.get('type')
    return MODELS.get(kind) if isinstance(kind, str) else kind


def view_of(recognizer: dict | str, asked: str | None) -> str:
    """Return the requested view, or the view in which a recognizer was trained.

    Raises:
        ValueError: If the recognizer was trained in another view.
    """
    if isinstance(recognizer, str):
        if asked not in (None, 'face'):
            raise ValueError(
                f"recognizer='discriminator' has the view of the game; leave out "
                f'view={asked!r}'
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
    """Whether all weights of the embedding come from a file, or there are none."""
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
