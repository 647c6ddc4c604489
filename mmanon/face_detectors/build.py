from __future__ import annotations

from collections.abc import Mapping

from .base import BaseFaceDetector
from .boxes_by_onnx import OnnxBoxDetector
from .centerface import CenterFaceDetector
from .combined import CombinedFaceDetector
from .heads import HeadDetector
from .mtcnn import MTCNNFaceDetector
from .yunet import YuNetFaceDetector

__all__ = ['FACE_DETECTORS', 'build_face_detector']

FACE_DETECTORS: dict[str, type[BaseFaceDetector]] = {
    one.__name__: one
    for one in (
        CenterFaceDetector,
        CombinedFaceDetector,
        HeadDetector,
        MTCNNFaceDetector,
        OnnxBoxDetector,
        YuNetFaceDetector,
    )
}


def build_face_detector(
    detector: str | Mapping | BaseFaceDetector,
) -> BaseFaceDetector:
    """Build a face detector; mmanon's own detectors need no OpenMMLab for this.

    Args:
        detector: The config of a face detector, a mapping with its ``type``; its
            ``type`` alone, such as ``'CenterFaceDetector'``; or the detector itself,
            which is returned as it is. Types that are not mmanon's own are looked up in
            :data:`mmanon.registry.MODELS`.

    Returns:
        The detector.

    Raises:
        ImportError: If the type is not mmanon's own, and OpenMMLab's registry is not
            installed.
        ValueError: If a mapping has no ``type``.

    Example:
        >>> build_face_detector(dict(type='CenterFaceDetector', score_threshold=0.5))
        ... # doctest: +ELLIPSIS
        <mmanon.face_detectors.centerface.CenterFaceDetector object at ...>
    """
    if isinstance(detector, BaseFaceDetector):
        return detector
    config = dict(type=detector) if isinstance(detector, str) else dict(detector)
    kind = config.get('type')
    if kind is None:
        raise ValueError(
            f'a face detector needs a `type`, such as {next(iter(FACE_DETECTORS))!r}, '
            f'got {detector!r}'
        )
    own = kind
    if isinstance(kind, str):
        own = FACE_DETECTORS.get(kind.removeprefix('mmanon.'))
    if isinstance(own, type) and issubclass(own, BaseFaceDetector):
        return own(**{key: one for key, one in config.items() if key != 'type'})
    try:
        from mmanon.registry import MODELS
    except ImportError as error:
        raise ImportError(
            f'face detector {kind!r} is none of {", ".join(FACE_DETECTORS)}, and the '
            f'registry of other detectors cannot be imported: {error}'
        ) from error
    return MODELS.build(config)
