"""Data types that the packages exchange.

Each module is imported when one of its names is first used, so that code which needs
only :class:`Faces` does not wait for the import of the Parquet reader.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmanon.utils.orientation import Orientation

    from .crop_geometry import CropGeometry
    from .face_table import FaceTable, FaceTableWriter, VideoInfo
    from .faces import Faces
    from .tubes import Tube

__all__ = [
    'CropGeometry',
    'FaceTable',
    'FaceTableWriter',
    'Faces',
    'Orientation',
    'Tube',
    'VideoInfo',
]

_MODULES = {
    'CropGeometry': 'mmanon.structures.crop_geometry',
    'FaceTable': 'mmanon.structures.face_table',
    'FaceTableWriter': 'mmanon.structures.face_table',
    'Faces': 'mmanon.structures.faces',
    'Orientation': 'mmanon.utils.orientation',
    'Tube': 'mmanon.structures.tubes',
    'VideoInfo': 'mmanon.structures.face_table',
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return __all__
