"""The description of a modifier inside its own file, which replaces its config."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from mmanon.version import __version__

from .crop_geometry import GAME_GEOMETRY, CropGeometry, check_geometry

__all__ = ['GAME_HOOK', 'ModifierCard', 'find_game_hooks']

GAME_HOOK = 'AdversarialAnonymizationHook'
"""The hook of a training config that names the modifier."""

_FORMAT = 1
_GEOMETRY = ('crop_size', 'margin', 'feather')
_TEXTS = ('trained_on', 'licence', 'mmanon_version')


@dataclass(frozen=True)
class ModifierCard:
    """A modifier's config, what it is to be shown, and where it comes from.

    It travels in an exported file, in a training checkpoint and in an ONNX file; see
    ``tools/export_checkpoint.py``.

    Attributes:
        modifier (dict): Its config, with ``type`` and without weights; empty where it
            is not known, as in ONNX files of the first version.
        geometry (CropGeometry): How faces are cut out for it.
        trained_on (str): Which faces and videos it has learned from.
        licence (str): Under which its weights may be used.
        figures (dict[str, float]): What was measured of it, by the metrics' names.
        mmanon_version (str): The version that wrote the card.

    Raises:
        ValueError: When a value is of another kind, or out of range.
    """

    modifier: dict[str, Any]
    geometry: CropGeometry
    trained_on: str = ''
    licence: str = ''
    figures: dict[str, float] = field(default_factory=dict)
    mmanon_version: str = __version__

    def __post_init__(self) -> None:
        modifier = _plain(self.modifier, 'modifier')
        if not isinstance(modifier, dict) or (
            modifier and not isinstance(modifier.get('type'), str)
        ):
            raise ValueError(
                f'modifier must be a config with a `type`, got {self.modifier!r}'
            )
        # Its weights are in the file.
        modifier.pop('init_cfg', None)
        object.__setattr__(self, 'modifier', modifier)
        check_geometry(**asdict(self.geometry))
        for name in _TEXTS:
            if not isinstance(getattr(self, name), str):
                raise ValueError(f'{name} must be a text, got {getattr(self, name)!r}')
        if not isinstance(self.figures, Mapping):
            raise ValueError(f'figures must be numbers by names, got {self.figures!r}')
        for name, value in self.figures.items():
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise ValueError(f'figures.{name} must be a number, got {value!r}')
        object.__setattr__(self, 'figures', dict(self.figures))

    def to_dict(self) -> dict[str, Any]:
        """The card in texts, numbers, lists and dicts, which JSON and PyTorch keep."""
        return dict(
            format=_FORMAT,
            modifier=self.modifier,
            **asdict(self.geometry),
            trained_on=self.trained_on,
            licence=self.licence,
            figures=self.figures,
            mmanon_version=self.mmanon_version,
        )

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> ModifierCard:
        """The card that :meth:`to_dict` has written.

        Keys that this version does not know are left out.

        Raises:
            ValueError: When a key is missing, a value is wrong, or the format is that
                of a later version.
        """
        if not isinstance(said, Mapping):
            raise ValueError(f'a modifier card must be a dict, got {said!r}')
        version = said.get('format', 0)
        if not isinstance(version, int) or version > _FORMAT:
            raise ValueError(
                f'the modifier card is of format {version!r}, and this version reads '
                f'up to {_FORMAT}: pip install --upgrade mmanon'
            )
        missing = [name for name in _GEOMETRY if name not in said]
        if missing:
            raise ValueError(f'the modifier card lacks {", ".join(missing)}')
        return cls(
            modifier=dict(said.get('modifier') or {}),
            geometry=CropGeometry(**{name: said[name] for name in _GEOMETRY}),
            figures=said.get('figures') or {},
            **{name: said.get(name, '') for name in _TEXTS},
        )

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> ModifierCard | None:
        """The card of what a config names, or None where it names no modifier.

        Args:
            config (Mapping): As read. It contains ``modifier = dict(...)``, and
                ``crop_size``, ``margin`` and ``feather`` if they differ from the
                defaults of :class:`CropGeometry`; or it trains a modifier by an
                ``AdversarialAnonymizationHook``, whose defaults then apply.

        Raises:
            ValueError: As :class:`ModifierCard`.
        """
        said: Mapping[str, Any] = config
        default, trained_on = CropGeometry(), ''
        if config.get('modifier') is None:
            hooks = [hook for _, hook in find_game_hooks(config)]
            if not hooks:
                return None
            said, default = hooks[0], GAME_GEOMETRY
            trained_on = _data_of(config, said)
        geometry = {
            name: said.get(name, value) for name, value in asdict(default).items()
        }
        return cls(
            dict(said.get('modifier') or {}), CropGeometry(**geometry), trained_on
        )


def find_game_hooks(
    config: Mapping[str, Any],
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The hooks of a config that train a modifier, with their places.

    Args:
        config (Mapping): As read, with ``custom_hooks`` or without.

    Yields:
        tuple[int, Mapping]: Position in ``custom_hooks``, and the config of that hook.
    """
    for index, hook in enumerate(config.get('custom_hooks') or []):
        kind = hook.get('type')
        name = kind if isinstance(kind, str) else getattr(kind, '__name__', str(kind))
        if name.rpartition('.')[2] == GAME_HOOK:
            yield index, hook


def _data_of(config: Mapping[str, Any], hook: Mapping[str, Any]) -> str:
    """The faces and videos of a training, as its config names them."""
    faces = (hook.get('faces') or {}).get('dataset') or {}
    loader = config.get('train_dataloader') or {}
    videos = loader.get('dataset') or {}
    while 'dataset' in videos and 'data_prefix' not in videos:
        videos = videos['dataset']
    prefixes = [
        prefix for prefix in (videos.get('data_prefix') or {}).values() if prefix
    ]
    named = dict(
        faces=faces.get('data_root'),
        videos=videos.get('data_root') or (prefixes[0] if prefixes else None),
    )
    named = {
        kind: path if isinstance(path, str) else ' and '.join(path)
        for kind, path in named.items()
        if path
    }
    return ', '.join(f'{kind} of {path}' for kind, path in named.items())


def _plain(value: Any, where: str) -> Any:
    if isinstance(value, Mapping):
        return {
            str(key): _plain(inner, f'{where}.{key}') for key, inner in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_plain(inner, f'{where}[{i}]') for i, inner in enumerate(value)]
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, type):  # as configs in pure Python have it
        return f'{value.__module__}.{value.__qualname__}'
    raise ValueError(
        f'{where} is a {type(value).__name__}, which a file cannot keep: a config is '
        'made of texts, numbers, lists and dicts'
    )
