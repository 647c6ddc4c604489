"""What kinds of things are covered beside faces, and what finds each."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from mmanon.utils.near_names import or_near

if TYPE_CHECKING:
    from .base import BaseFaceDetector

__all__ = [
    'ENTRY_POINTS',
    'FACES',
    'KindMaker',
    'build_kind',
    'known_kinds',
    'parse_kinds',
    'register_kind',
]

FACES = 'faces'
"""The kind that a modifier draws."""

ENTRY_POINTS = 'mmanon.covered_kinds'
"""The group of entry points by which an installed package adds kinds."""

KindMaker = Callable[..., 'BaseFaceDetector']
"""Of the arguments ``weights`` (str or None) and ``device`` to a detector."""

_NAME = re.compile(r'[a-z][a-z0-9_-]*')
_MAKERS: dict[str, KindMaker] = {}


def register_kind(name: str, make: KindMaker) -> None:
    """Let a detector find a kind of things.

    Args:
        name (str): Of the kind, in the plural, such as ``'plates'``.
        make (callable): Called with ``weights=`` (the file that the user names, or
            None) and ``device=``; answers with a :class:`.BaseFaceDetector`, such as
            a class of one. Its scores are sure from 0.6 on; landmarks may be NaN.

    Raises:
        ValueError: When the name is taken, or is no lower-case word.
    """
    _check_name(name)
    if name in _MAKERS:
        raise ValueError(f'{name!r} is found already, by {_MAKERS[name]!r}')
    _MAKERS[name] = make


def known_kinds() -> list[str]:
    """The kinds that need no file: those that were registered, or are installed."""
    installed = {one.name for one in entry_points(group=ENTRY_POINTS)}
    return sorted(_MAKERS.keys() | installed)


def parse_kinds(text: str) -> dict[str, str | None]:
    """Read kinds as ``--covered-kinds`` takes them.

    Args:
        text (str): Kinds with commas between, each alone or with the file of its
            detector, or of its boxes.

    Returns:
        dict: By kind its file; None where none is named.

    Raises:
        ValueError: When it is of another form.

    Examples:
        >>> parse_kinds('faces,plates=plates.onnx')
        {'faces': None, 'plates': 'plates.onnx'}
    """
    kinds: dict[str, str | None] = {}
    for part in text.split(','):
        name, equals, file = (one.strip() for one in part.partition('='))
        if not name or (equals and not file):
            raise ValueError(
                f"covered kinds {text!r} must be such as 'faces,plates=plates.onnx'"
            )
        if name in kinds:
            raise ValueError(f'covered kinds {text!r} name {name!r} twice')
        if name == FACES and file:
            raise ValueError(
                f'covered kinds {text!r}: faces are found as --detector and '
                '--boxes say; name no file there'
            )
        if name != FACES:
            _check_name(name)
        kinds[name] = file or None
    return kinds


def build_kind(
    name: str,
    by: str | Path | Mapping | BaseFaceDetector | None = None,
    device: str = 'cpu',
) -> BaseFaceDetector:
    """Build what finds a kind of things.

    Args:
        name (str): The kind.
        by (str, Path, Mapping or BaseFaceDetector, optional): The file of its detector;
            the config of a detector, or one that is built. A kind that somebody has
            registered is given the file; of another it is an ONNX file for
            :class:`.OnnxBoxDetector`.
        device (str): Where it runs.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When nothing finds the kind, or the file is of another form.
    """
    from .base import BaseFaceDetector
    from .build import build_face_detector

    if isinstance(by, Mapping | BaseFaceDetector):
        return build_face_detector(by)
    make = _MAKERS.get(name)
    if make is None:
        for one in entry_points(group=ENTRY_POINTS, name=name):
            make = one.load()
    if make is not None:
        return make(weights=None if by is None else str(by), device=device)
    if by is None:
        raise ValueError(
            f'nothing is known that finds {name!r}: name the ONNX file of a detector, '
            f'{name}=FILE.onnx; without a file {or_near(name, [FACES, *known_kinds()])}'
        )
    return build_face_detector(
        dict(type='mmanon.OnnxBoxDetector', weights=by, device=device)
    )


def _check_name(name: str) -> None:
    if name == FACES or not _NAME.fullmatch(name):
        raise ValueError(
            f'a kind of things must be called by a lower-case word other '
            f'than {FACES!r}, got {name!r}'
        )
