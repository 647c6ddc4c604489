"""Detectors of faces in a picture.

Modules are imported when first used, so that commands can list the names of detectors
before anything large is loaded.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .base import BaseFaceDetector, FaceDetections
    from .boxes_by_onnx import OnnxBoxDetector
    from .build import build_face_detector
    from .centerface import CenterFaceDetector
    from .combined import CombinedFaceDetector
    from .heads import HeadDetector
    from .kinds import register_kind
    from .mtcnn import MTCNNFaceDetector
    from .yunet import YuNetFaceDetector

__all__ = [
    'BaseFaceDetector',
    'CenterFaceDetector',
    'CombinedFaceDetector',
    'FaceDetections',
    'HeadDetector',
    'MTCNNFaceDetector',
    'OnnxBoxDetector',
    'YuNetFaceDetector',
    'build_face_detector',
    'register_kind',
]

_MODULES = {
    'BaseFaceDetector': 'base',
    'CenterFaceDetector': 'centerface',
    'CombinedFaceDetector': 'combined',
    'FaceDetections': 'base',
    'HeadDetector': 'heads',
    'MTCNNFaceDetector': 'mtcnn',
    'OnnxBoxDetector': 'boxes_by_onnx',
    'YuNetFaceDetector': 'yunet',
    'build_face_detector': 'build',
    'register_kind': 'kinds',
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'.{_MODULES[name]}', __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
