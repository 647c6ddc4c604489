"""Pretrained weights that load completely or not at all."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import MMLogger, print_log
from mmengine.model import BaseModule
from torch import Tensor

from mmanon.models.weight_files import (
    load_checkpoint,
    load_weights,
    modifier_card,
    modifier_weights,
)
from mmanon.shipped import SCHEME, shipped_weights


class WholePretrained(BaseModule):
    """A module whose ``init_cfg=dict(type='Pretrained', ...)`` is strict.

    mmengine loads the weights that fit and only logs the others, so a file of another
    architecture could leave a network random. The keys of ``init_cfg`` are those of
    mmengine: ``checkpoint``, a file, an http address, or ``mmanon://NAME`` for a
    modifier that has a name (see :mod:`mmanon.shipped`), and ``prefix``.
    """

    # Weights whose names begin so may be missing or have another shape in the file.
    replaceable: tuple[str, ...] = ()
    # Whether weights have been loaded, from this or any other file.
    has_loaded = False

    def init_weights(self) -> None:
        """Initialize the weights as ``init_cfg`` says.

        Raises:
            FileNotFoundError: If the checkpoint does not exist.
            ValueError: If the checkpoint does not fit this module.
        """
        cfg = self.init_cfg
        if not isinstance(cfg, dict) or cfg.get('type') != 'Pretrained':
            super().init_weights()
            return
        if self.is_init:
            return
        self.load_pretrained(cfg['checkpoint'], cfg.get('prefix') or '')
        self._is_init = True

    def load_pretrained(self, checkpoint: str | Path, prefix: str = '') -> None:
        """Load all weights from a file that holds exactly these.

        Args:
            checkpoint (str or Path): A state dict or a checkpoint of mmengine: a file,
                an http address or ``mmanon://NAME``.
            prefix (str): Use only weights whose names begin with this prefix, and
                remove it. Defaults to ``''``.

        Raises:
            FileNotFoundError: If the checkpoint does not exist.
            ValueError: If the checkpoint does not fit this module.
        """
        state = _read(checkpoint)
        state = {
            name.removeprefix(prefix): value
            for name, value in state.items()
            if name.startswith(prefix)
        }
        state = self.rename_weights(state)
        own = self.state_dict()
        wrong = _differences(state, own)
        replaced = [name for name in wrong if name.startswith(self.replaceable)]
        fatal = [wrong[name] for name in wrong if name not in replaced]
        if fatal:
            shown = '; '.join(fatal[:4])
            raise ValueError(
                f'{checkpoint} does not hold the weights of this '
                f'{type(self).__name__}'
                + (f' under the prefix {prefix!r}' if prefix else '')
                + f': {shown}{f" and {len(fatal) - 4} more" if fatal[4:] else ""}. '
                + _remedy(checkpoint)
            )
        for name in replaced:
            state.pop(name, None)
        self.load_state_dict(state, strict=False)
        note = f'; not loaded, missing or of another shape in the file: {replaced}'
        print_log(
            f'{type(self).__name__}: {len(state)} weights loaded from {checkpoint}'
            + (note if replaced else ''),
            logger='current',
        )

    def _load_from_state_dict(
        self, state: dict[str, Tensor], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        super()._load_from_state_dict(state, prefix, *args, **kwargs)
        if any(name.startswith(prefix) for name in state):
            self.has_loaded = True

    def _dump_init_info(self) -> None:
        # Without a log file, mmengine prints how each parameter was initialized to the
        # console: hundreds of lines before the output of a command.
        handlers = MMLogger.get_current_instance().handlers
        if any(isinstance(handler, logging.FileHandler) for handler in handlers):
            super()._dump_init_info()

    def rename_weights(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Map the names of weights in a file to those of this module."""
        return state


def _read(checkpoint: str | Path) -> Mapping[str, Tensor]:
    if str(checkpoint).startswith(('http://', 'https://')):
        return torch.hub.load_state_dict_from_url(
            str(checkpoint), map_location='cpu', weights_only=True
        )
    if str(checkpoint).startswith(SCHEME):
        return modifier_weights(load_checkpoint(shipped_weights(str(checkpoint))))
    path = Path(checkpoint).expanduser()
    if not path.is_file():
        raise FileNotFoundError(
            f'weights {checkpoint} do not exist; correct `checkpoint` of `init_cfg`'
        )
    return load_weights(path)


def _remedy(checkpoint: str | Path) -> str:
    """What to do when a file holds the weights of another network."""
    if str(checkpoint).startswith(SCHEME):
        card = modifier_card(load_checkpoint(shipped_weights(str(checkpoint))))
        if card is not None and card.modifier:
            return f'They belong to {card.modifier}: use that with this init_cfg'
    return 'Name a file of the same architecture and arguments'


def _differences(
    state: Mapping[str, Tensor], own: Mapping[str, Tensor]
) -> dict[str, str]:
    """The problem of each weight that does not fit, by its name."""
    wrong = {}
    for name in own:
        if name not in state:
            wrong[name] = f'{name} is missing'
        elif state[name].shape != own[name].shape:
            theirs, ours = tuple(state[name].shape), tuple(own[name].shape)
            wrong[name] = f'{name} is {theirs}, not {ours}'
    for name in state:
        if name not in own:
            wrong[name] = f'{name} is unknown'
    return wrong
