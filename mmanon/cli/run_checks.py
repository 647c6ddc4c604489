"""Check before a run that it is the run which the user wants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmengine.config import Config

__all__ = ['anonymizing_hooks', 'check_checkpoint', 'check_hooks', 'find_checkpoint']


def anonymizing_hooks(config: Config) -> list[int]:
    """Positions in ``custom_hooks`` of hooks that wrap the detector for the game."""
    hooks = config.get('custom_hooks') or []
    return [place for place, hook in enumerate(hooks) if _plays(hook)]


def check_hooks(config: Config, name: str, plain: bool, training: bool) -> None:
    """Reject a plain detector without ``--plain``, and an invalid hook of the game.

    A model of mmanon's own, such as an attacker, is no detector and is accepted.

    Args:
        config (Config): The config of the run.
        name (str): Its file.
        plain (bool): Whether ``--plain`` is given.
        training (bool): Whether it is a training, and not a test.

    Raises:
        SystemExit: When the config does not fit.
    """
    from mmanon.engine.game.config_check import check_hook_config

    try:
        check_hook_config(config, training)
    except (OSError, ValueError) as error:
        raise SystemExit(f'{name}: {error}') from None
    found = anonymizing_hooks(config)
    if plain and found:
        raise SystemExit(
            f'{name}: custom_hooks[{found[0]}] anonymizes, but --plain requests a '
            'plain detector: leave one of the two out'
        )
    if found or plain or str(config.model.get('type')).startswith('mmanon.'):
        return
    doing = 'trained' if training else 'tested'
    raise SystemExit(
        f'{name}: none of its custom_hooks anonymizes, so a plain detector would be '
        f'{doing} on original faces. A list replaces that of `_base_`: extend it with '
        '`custom_hooks = [*_base_.custom_hooks, dict(...)]`; or request the plain '
        'detector with --plain'
    )


def find_checkpoint(config: Config) -> str | None:
    """The checkpoint with which the run begins, or None."""
    if config.get('resume') and not config.get('load_from'):
        from mmengine.runner import find_latest_checkpoint

        return find_latest_checkpoint(config.work_dir)
    return config.get('load_from')


def check_checkpoint(config: Config, name: str) -> None:
    """Check the checkpoint of a run before anything is built.

    A checkpoint that must be downloaded is left to mmengine.

    Raises:
        SystemExit: When the file cannot be read, or does not fit the config.
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
                f'{path} contains an anonymized detector (weights named {DETECTOR}*), '
                f'but {name} is the config of a plain one: give the config of its '
                'training, or extract the plain detector with '
                f'`mmanon export {path} --detector FILE`'
            )
    if config.get('resume') and found and 'optimizer' not in found:
        raise SystemExit(
            f'{path} contains weights only, so its training cannot be resumed: start a '
            'new one from it with `--cfg-options load_from=...`'
        )


def _plays(hook: Any) -> bool:
    from mmanon.engine.game.config_check import is_game_hook

    if isinstance(hook, Mapping) and is_game_hook(hook):
        return True
    # A subclass of mmanon's hook has another name.
    from mmanon.engine.hooks import AdversarialAnonymizationHook
    from mmanon.registry import HOOKS

    kind = hook.get('type') if isinstance(hook, Mapping) else type(hook)
    if isinstance(kind, str):
        kind = HOOKS.get(kind)
    # If it is no hook, mmengine raises the error.
    return isinstance(kind, type) and issubclass(kind, AdversarialAnonymizationHook)
