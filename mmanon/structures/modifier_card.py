"""The description of a modifier in its own file, so that no config is needed."""

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
    """A modifier's config, crop geometry and origin.

    Exported files, training checkpoints and ONNX files contain it; see
    ``mmanon export``.

    Attributes:
        modifier (dict): Its config, with ``type`` and without weights; empty if
            unknown, as in ONNX files of the first version.
        geometry (CropGeometry): How faces are cut out for it.
        trained_on (str): The faces and videos of its training.
        licence (str): The licence of its weights.
        figures (dict[str, float]): Measured results, by the names of the metrics.
        mmanon_version (str): The version that wrote the card.

    Raises:
        ValueError: When a value has the wrong type or is out of range.
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
        # init_cfg names weights, and the file contains them.
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
        """The card as texts, numbers, lists and dicts, for JSON and PyTorch files."""
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
        """Read a card that :meth:`to_dict` has written; unknown keys are ignored.

        Raises:
            ValueError: When a key is missing, a value is wrong, or a later version
                wrote the format.
        """
        if not isinstance(said, Mapping):
            raise ValueError(f'a modifier card must be a dict, got {said!r}')
        version = said.get('format', 0)
        if not isinstance(version, int) or version > _FORMAT:
            raise ValueError(
                f'the modifier card has format {version!r}, and this version reads '
                f'formats up to {_FORMAT}: pip install --upgrade mmanon'
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
        """The card of the modifier in a config, or None if it contains no modifier.

        Args:
            config (Mapping): The config. It contains ``modifier = dict(...)``, and
                ``crop_size``, ``margin`` and ``feather`` if they differ from the
                defaults of :class:`CropGeometry`. Or it trains a modifier by an
                ``AdversarialAnonymizationHook``; then :data:`GAME_GEOMETRY` is the
                default.

        Raises:
            ValueError: As for :class:`ModifierCard`.
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
    """Find the hooks of a config that train a modifier.

    Args:
        config (Mapping): The config, with or without ``custom_hooks``.

    Yields:
        tuple[int, Mapping]: Position in ``custom_hooks``, and the config of that hook.
    """
    for index, hook in enumerate(config.get('custom_hooks') or []):
        kind = hook.get('type')
        name = kind if isinstance(kind, str) else getattr(kind, '__name__', str(kind))
        if name.rpartition('.')[2] == GAME_HOOK:
            yield index, hook


def _data_of(config: Mapping[str, Any], hook: Mapping[str, Any]) -> str:
    """The faces and videos of a training, by the paths in its config."""
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
    if isinstance(value, type):  # in configs in pure Python
        return f'{value.__module__}.{value.__qualname__}'
    raise ValueError(
        f'{where} is a {type(value).__name__}, which cannot be saved: a config may '
        'contain texts, numbers, lists and dicts'
    )
