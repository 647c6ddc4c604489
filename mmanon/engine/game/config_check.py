"""Checks the game in a config before anything heavy is imported or built.

It imports neither PyTorch nor a registry: it reads registered names from the source.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from mmanon.structures.crop_geometry import GAME_GEOMETRY, check_geometry
from mmanon.structures.modifier_card import GAME_HOOK, find_game_hooks
from mmanon.utils.near_names import or_near

from .source_registry import arguments_by_name

__all__ = ['check_arguments', 'check_hook_config', 'is_game_hook']

_ARGUMENTS = (
    'modifier',
    'discriminator',
    'faces',
    'val_faces',
    'face_table',
    'adversarial_loss',
    'structure_loss',
    'temporal_loss',
    'crop_size',
    'margin',
    'feather',
    'ema',
    'optim_wrapper',
    'param_scheduler',
    'phases',
    'discriminator_steps',
)
# Arguments of all hooks.
_OF_HOOKS = ('type', '_scope_', 'priority')
_KEYS = {
    'faces': ('dataset', 'batch_size', 'num_workers'),
    'val_faces': ('dataset', 'batch_size', 'num_workers'),
    'face_table': ('train', 'val', 'test'),
    'optim_wrapper': ('modifier', 'discriminator'),
    'param_scheduler': ('modifier', 'discriminator'),
    'phases': ('warm_up', 'fine_tune', 'restart', 'catch_up'),
}
_PARTS = (
    'modifier',
    'discriminator',
    'adversarial_loss',
    'structure_loss',
    'temporal_loss',
)


def check_hook_config(config: Mapping[str, Any], training: bool = False) -> None:
    """Check the game in a config; a config without a game is valid.

    Args:
        config (Mapping): The config, such as mmengine's ``Config``.
        training (bool): Whether the config is for training: then the folders of
            ``faces`` must exist. Defaults to False.

    Raises:
        FileNotFoundError: If a folder of faces does not exist.
        ValueError: If there are two games, or an argument of the hook is unknown, has
            a wrong type, is out of range or contradicts another one. The message
            suggests what may have been meant.
    """
    hooks = list(find_game_hooks(config))
    if len(hooks) > 1:
        places = ' and '.join(f'custom_hooks[{index}]' for index, _ in hooks)
        raise ValueError(
            f'{places} are both an {GAME_HOOK}: one detector plays one game, so leave '
            'out all but one'
        )
    for index, hook in hooks:
        where = f'custom_hooks[{index}] ({GAME_HOOK}): '
        arguments = {key: hook[key] for key in hook if key not in _OF_HOOKS}
        try:
            check_arguments(arguments, config.get('default_scope') or 'mmengine')
        except ValueError as error:
            raise ValueError(where + str(error)) from None
        for name in ('faces', 'val_faces') if training else ('val_faces',):
            roots = _roots((hook.get(name) or {}).get('dataset') or {})
            missing = [root for root in roots if not root.is_dir()]
            if missing and hook.get('discriminator'):
                raise FileNotFoundError(
                    f'{where}{name}.dataset.data_root is {missing[0]}, which is not a '
                    'folder; it must hold one folder of images for each person'
                )


def is_game_hook(hook: Mapping[str, Any]) -> bool:
    """Whether an entry of ``custom_hooks`` is an ``AdversarialAnonymizationHook``."""
    return any(True for _ in find_game_hooks(dict(custom_hooks=[hook])))


def check_arguments(
    arguments: Mapping[str, Any], default_scope: str | None = None
) -> None:
    """Check the arguments of an ``AdversarialAnonymizationHook``.

    Args:
        arguments (Mapping): The arguments by name; missing ones have their defaults.
        default_scope (str, optional): The registry of types without a scope. Defaults
            to mmanon's own registries.

    Raises:
        ValueError: As in :func:`check_hook_config`.
    """
    _check_keys('', arguments, _ARGUMENTS)
    if arguments.get('modifier') is None:
        raise ValueError(
            'the hook has no `modifier` to redraw faces: give '
            "`modifier=dict(type='mmanon.ResNetModifier')` or another one"
        )
    _check_geometry(arguments)
    steps = arguments.get('discriminator_steps', 1)
    if not _is_whole(steps) or steps < 1:
        raise ValueError(
            f'discriminator_steps must be a whole number, at least 1, got {steps!r}'
        )
    for name, keys in _KEYS.items():
        given = arguments.get(name)
        if name == 'face_table' and not isinstance(given, Mapping):
            continue
        if given is not None:
            _check_keys(name, given, keys)
    for name, value in (arguments.get('phases') or {}).items():
        if not _is_whole(value) or value < 0:
            raise ValueError(
                f'phases.{name} must be a number of iterations, at least 0, '
                f'got {value!r}'
            )
    for name in _PARTS:
        _check_types(name, arguments.get(name), 'MODELS', default_scope)
    discriminator = arguments.get('discriminator')
    if discriminator is None:
        return
    if arguments.get('faces') is None and arguments.get('val_faces') is None:
        raise ValueError(
            'a discriminator learns from face batches: give '
            '`faces=dict(dataset=..., batch_size=...)`'
        )
    if isinstance(discriminator, Mapping) and not _names_people(discriminator):
        raise ValueError('the discriminator names people: give it a `head`')
    for name in ('faces', 'val_faces'):
        _check_faces(name, arguments.get(name), default_scope)


def _check_keys(where: str, given: Any, known: Sequence[str]) -> None:
    if not isinstance(given, Mapping):
        raise ValueError(f'{where} must be a dict of {", ".join(known)}, got {given!r}')
    for key in given:
        if key not in known:
            detectors = ''
            if key == 'detector' and where in ('optim_wrapper', 'param_scheduler'):
                detectors = "; the detector's is in the detector's own config"
            raise ValueError(
                f'unknown key `{where}{"." if where else ""}{key}`: '
                f'{or_near(str(key), known, len(known))}{detectors}'
            )


def _check_geometry(arguments: Mapping[str, Any]) -> None:
    names = ('crop_size', 'margin', 'feather')
    geometry = {
        name: arguments.get(name, getattr(GAME_GEOMETRY, name)) for name in names
    }
    for name, value in geometry.items():
        if isinstance(value, str):
            raise ValueError(
                f'{name} must be a number, got the text {value!r}: leave out the quotes'
            )
    check_geometry(**geometry)


def _check_faces(name: str, given: Any, default_scope: str | None) -> None:
    if given is None:
        return
    dataset = given.get('dataset')
    if not isinstance(dataset, Mapping):
        raise ValueError(
            f'{name} has no `dataset` of faces: give it '
            "dict(type='mmanon.FaceIdentityDataset', data_root=...)"
        )
    for key in ('batch_size', 'num_workers'):
        value, least = given.get(key, 1), int(key == 'batch_size')
        if not _is_whole(value) or value < least:
            raise ValueError(
                f'{name}.{key} must be a whole number, at least {least}, got {value!r}'
            )
    # Its nested configs, such as a face detector, belong to other registries.
    flat = {
        key: None if isinstance(value, dict) else value
        for key, value in dataset.items()
    }
    _check_types(f'{name}.dataset', flat, 'DATASETS', default_scope)
    people = _people(dataset)
    if len(people) == 1:
        raise ValueError(
            f'{name} has only one person, {people[0]!r} of {dataset["data_root"]}: a '
            'discriminator learns to tell people apart, and needs at least two, with a '
            'folder of images for each'
        )


def _check_types(
    where: str, part: Any, registry: str, default_scope: str | None
) -> None:
    """Check that a part, and all nested parts, have registered types."""
    if not isinstance(part, Mapping):
        return
    kind = part.get('type')
    if isinstance(kind, str):
        scope, _, name = kind.rpartition('.')
        known = _registered(registry)
        if (scope or default_scope) == 'mmanon' and name not in known:
            raise ValueError(
                f'{where}.type is {kind!r}, but nothing of that name is registered: '
                + or_near(kind, (f'mmanon.{other}' for other in known), 40)
            )
        if not scope and default_scope not in (None, 'mmanon') and name in known:
            raise ValueError(
                f"{where}.type is {kind!r}, which is mmanon's: write 'mmanon.{kind}'"
            )
        if scope in ('', 'mmanon'):
            _check_arguments_of(name, where, part, registry)
    for key, inner in part.items():
        for place, one in _listed(f'{where}.{key}', inner):
            _check_types(place, one, registry, default_scope)


def _listed(where: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield a value, or the values of a list, with their places."""
    if isinstance(value, (list, tuple)):
        yield from ((f'{where}[{i}]', one) for i, one in enumerate(value))
    else:
        yield where, value


def _names_people(discriminator: Mapping[str, Any]) -> bool:
    members = discriminator.get('members')
    if not isinstance(members, (list, tuple)):
        members = [discriminator]
    return any(isinstance(one, Mapping) and one.get('head') for one in members)


def _check_arguments_of(
    name: str, where: str, part: Mapping[str, Any], registry: str
) -> None:
    taken = arguments_by_name(registry).get(name)
    if taken is None:
        return
    for key in part:
        if key not in taken and key not in ('type', '_scope_'):
            raise ValueError(
                f'unknown key `{where}.{key}` of a {name}: {or_near(key, taken, 20)}'
            )


def _registered(registry: str) -> set[str]:
    """Return the names in one of mmanon's registries, also those added by others."""
    live = getattr(sys.modules.get('mmanon.registry'), registry, None)
    return {*arguments_by_name(registry), *getattr(live, 'module_dict', {})}


def _people(dataset: Mapping[str, Any]) -> list[str]:
    """Return two people of a face data set; none if they are unknown."""
    named: Iterable[str] | None = dataset.get('identities')
    if isinstance(named, (str, Path)):
        if not Path(named).is_file():
            return []
        lines = Path(named).read_text(encoding='utf-8').splitlines()
        named = [line.strip() for line in lines if line.strip()]
    if named is not None:
        return sorted(set(named))[:2]
    roots = _roots(dataset)
    if not all(root.is_dir() for root in roots):
        return []
    found = (
        path.name
        for root in roots
        for path in root.iterdir()
        if not path.name.startswith('.') and path.is_dir()
    )
    return list(islice(found, 2))


def _roots(dataset: Mapping[str, Any]) -> list[Path]:
    """Return the folders of a ``FaceIdentityDataset``; none for other data sets."""
    kind, roots = str(dataset.get('type')), dataset.get('data_root')
    if kind.rpartition('.')[2] != 'FaceIdentityDataset' or roots is None:
        return []
    return [Path(root) for root in ([roots] if isinstance(roots, str) else roots)]


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
