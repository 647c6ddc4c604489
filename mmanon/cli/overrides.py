"""Check that the keys of ``--cfg-options`` exist."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

__all__ = ['check_overrides']

# Keys that mmengine, its hooks and this project read, besides the arguments of
# mmengine's Runner.
_READ_ELSEWHERE = (
    'activation_checkpointing',
    'compile',
    'efficient_conv_bn_eval',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'runner_type',
    'strategy',
    'sync_bn',
    'tradeoff',
)


def check_overrides(config: Mapping, overrides: Mapping[str, Any]) -> list[str]:
    """Check the keys of overrides.

    Args:
        config (Mapping): The config in its file.
        overrides (Mapping): Values by dotted keys.

    Returns:
        list[str]: Warnings about new keys that are similar to existing ones.

    Raises:
        ValueError: When an index is out of range, a value has no keys, or nothing reads
            a new key.
    """
    settings = dict(config.items())
    doubts = [_check(settings, key.split('.')) for key in overrides]
    return [doubt for doubt in doubts if doubt is not None]


def _check(config: Mapping, parts: list[str]) -> str | None:
    key = '.'.join(parts)
    place: Any = config
    for depth, part in enumerate(parts):
        where = '.'.join(parts[:depth])
        if isinstance(place, list):
            if not (part.isdigit() and int(part) < len(place)):
                there = f'0 to {len(place) - 1}' if place else 'none'
                raise ValueError(
                    f'{key}: {where} is a list, whose entries are {there}, not {part!r}'
                )
            place = place[int(part)]
        elif not isinstance(place, Mapping):
            raise ValueError(f'{key}: {where} is {place!r}, which has no {part!r}')
        elif part in place:
            place = place[part]
        else:
            return _check_new(key, where, part, place)
    return None


def _check_new(key: str, where: str, part: str, place: Mapping) -> str | None:
    if where:
        near = _near(part, place)
        return (
            f'{key}: {where} has no {part!r}, so it is added; but it has {near}'
            if near
            else None
        )
    known = _read_keys()
    if part in known:
        return None
    near = _near(part, [*place, *known])
    raise ValueError(
        f'{key}: the config has no {part!r} and nothing would read it'
        + (f'; did you mean {near}?' if near else '; write it into the config file')
    )


def _near(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, dict.fromkeys(known), 2, cutoff=0.75)
    return ' or '.join(map(repr, near))


def _read_keys() -> list[str]:
    from mmengine.runner import Runner

    arguments = inspect.signature(Runner.__init__).parameters
    return [*list(arguments)[1:], *_READ_ELSEWHERE]
