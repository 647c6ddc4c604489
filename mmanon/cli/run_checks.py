"""Rejects, before a run, what would silently make it another run than intended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmengine.config import Config

__all__ = ['anonymizing_hooks', 'check_checkpoint', 'check_hooks', 'find_checkpoint']


def anonymizing_hooks(config: Config) -> list[int]:
    """Places in ``custom_hooks`` of what puts the detector into the game."""
    hooks = config.get('custom_hooks') or []
    return [place for place, hook in enumerate(hooks) if _plays(hook)]


def check_hooks(config: Config, name: str, plain: bool, training: bool) -> None:
    """Refuse a plain detector that was not asked for, and a game that cannot be played.

    A model of mmanon's own, such as an attacker that is trained, is no detector.

    Args:
        config (Config): What is to be run.
        name (str): Its file.
        plain (bool): Whether the plain detector is asked for.
        training (bool): Whether it is to be trained.

    Raises:
        SystemExit: When the config is not what was asked for.
    """
    from mmanon.engine.game.config_check import check_hook_config

    try:
        check_hook_config(config, training)
    except (OSError, ValueError) as error:
        raise SystemExit(f'{name}: {error}') from None
    found = anonymizing_hooks(config)
    if plain and found:
        raise SystemExit(
            f'{name}: custom_hooks[{found[0]}] anonymizes, and --plain asks for a '
            'plain detector: leave one of the two out'
        )
    if found or plain or str(config.model.get('type')).startswith('mmanon.'):
        return
    doing = 'trained' if training else 'tested'
    raise SystemExit(
        f'{name}: none of its custom_hooks anonymizes, so that a plain detector would '
        f'be {doing} on faces as they are. A list replaces that of `_base_`: add to it '
        'by `custom_hooks = [*_base_.custom_hooks, dict(...)]`; or ask for the plain '
        'detector by --plain'
    )


def find_checkpoint(config: Config) -> str | None:
    """The file that the run will begin with, or None."""
    if config.get('resume') and not config.get('load_from'):
        from mmengine.runner import find_latest_checkpoint

        return find_latest_checkpoint(config.work_dir)
    return config.get('load_from')


def check_checkpoint(config: Config, name: str) -> None:
    """Look into the file that the run begins with, before anything is built for it.

    mmengine handles what must be downloaded.

    Raises:
        SystemExit: When the file cannot be read, or is not of what the config runs.
    """
    from mmanon.models.weight_files import DETECTOR, check_checkpoint

    path = find_checkpoint(config)
    if path is None:
        return
    try:
        found = check_checkpoint(path)
    except (OSError, ValueError) as error:
        raise SystemExit(str(error)) from None
    weights = found.get('state_dict', found)
    if any(key.startswith(DETECTOR) for key in weights):
        if not anonymizing_hooks(config):
            raise SystemExit(
                f'{path} holds an anonymized detector (weights named {DETECTOR}*), and '
                f'{name} is of a plain one: name the config that it was trained with, '
                'or take the plain detector out by '
                f'`mmanon export {path} --detector FILE`'
            )
    if config.get('resume') and found and 'optimizer' not in found:
        raise SystemExit(
            f'{path} holds weights only, and its training cannot be resumed as it was: '
            'begin a new one from it by `--cfg-options load_from=...`'
        )


def _plays(hook: Any) -> bool:
    from mmanon.engine.game.config_check import is_game_hook

    if isinstance(hook, Mapping) and is_game_hook(hook):
        return True
    # One derived from ours has another name.
    from mmanon.engine.hooks import AdversarialAnonymizationHook
    from mmanon.registry import HOOKS

    kind = hook.get('type') if isinstance(hook, Mapping) else type(hook)
    if isinstance(kind, str):
        kind = HOOKS.get(kind)
    # mmengine will say what is wrong with what is none.
    return isinstance(kind, type) and issubclass(kind, AdversarialAnonymizationHook)
