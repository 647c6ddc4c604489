"""Kinds of objects that can be covered besides faces, and their detectors."""

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
"""The kind that is covered by a modifier; other kinds get a plain cover."""

ENTRY_POINTS = 'mmanon.covered_kinds'
"""The group of entry points with which an installed package adds kinds."""

KindMaker = Callable[..., 'BaseFaceDetector']
"""Takes the arguments ``weights`` (str or None) and ``device``; returns a detector."""

_NAME = re.compile(r'[a-z][a-z0-9_-]*')
_MAKERS: dict[str, KindMaker] = {}


def register_kind(name: str, make: KindMaker) -> None:
    """Register the detector of a kind of objects.

    Args:
        name (str): The name of the kind in the plural, such as ``'plates'``.
        make (callable): It is called with ``weights=`` (the user's file, or None) and
            ``device=``, and returns a :class:`.BaseFaceDetector`; a subclass works as
            well. Objects with a score of at least 0.6 count as sure; landmarks may be
            NaN.

    Raises:
        ValueError: When the name is registered already, or is no lower-case word.
    """
    _check_name(name)
    if name in _MAKERS:
        raise ValueError(f'{name!r} is registered already, for {_MAKERS[name]!r}')
    _MAKERS[name] = make


def known_kinds() -> list[str]:
    """The kinds that need no file: registered ones and those of installed packages."""
    installed = {one.name for one in entry_points(group=ENTRY_POINTS)}
    return sorted(_MAKERS.keys() | installed)


def parse_kinds(text: str) -> dict[str, str | None]:
    """Read the kinds of ``--covered-kinds``.

    Args:
        text (str): Kinds separated by commas. A kind may be followed by ``=`` and the
            file of its detector or of its boxes.

    Returns:
        dict[str, str or None]: The file of each kind; None if none is given.

    Raises:
        ValueError: When the text has another form.

    Examples:
        >>> parse_kinds('faces,plates=plates.onnx')
        {'faces': None, 'plates': 'plates.onnx'}
    """
    kinds: dict[str, str | None] = {}
    for part in text.split(','):
        name, equals, file = (one.strip() for one in part.partition('='))
        if not name or (equals and not file):
            raise ValueError(
                f"covered kinds {text!r} must have the form 'faces,plates=plates.onnx'"
            )
        if name in kinds:
            raise ValueError(f'covered kinds {text!r} name {name!r} twice')
        if name == FACES and file:
            raise ValueError(
                f'covered kinds {text!r}: faces take no file here; use --detector or '
                '--boxes'
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
    """Build the detector of a kind of objects.

    Args:
        name (str): The kind.
        by (str, Path, Mapping or BaseFaceDetector, optional): The file of its detector,
            the config of a detector, or a detector. The detector of a registered kind
            gets the file; for another kind, the file is an ONNX file for
            :class:`.OnnxBoxDetector`.
        device (str): Where it runs.

    Raises:
        FileNotFoundError: When the file does not exist.
        ValueError: When the kind has no detector, or the file has another form.
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
            f'there is no detector for {name!r}: give the ONNX file of one, '
            f'{name}=FILE.onnx; without a file, '
            f'{or_near(name, [FACES, *known_kinds()])}'
        )
    return build_face_detector(
        dict(type='mmanon.OnnxBoxDetector', weights=by, device=device)
    )


def _check_name(name: str) -> None:
    if name == FACES or not _NAME.fullmatch(name):
        raise ValueError(
            f'the name of a kind must be a lower-case word other than {FACES!r}, '
            f'got {name!r}'
        )
