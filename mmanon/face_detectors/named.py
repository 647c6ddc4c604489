"""Face detectors by the names that commands know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ['DETECTOR_NAMES', 'named_detector']

DETECTOR_NAMES = ('centerface', 'mtcnn', 'yunet', 'thorough')


def named_detector(
    name: str,
    weights: str | Path | None = None,
    score: float | None = None,
    device: str = 'cpu',
) -> dict[str, Any]:
    """The config of a face detector.

    Args:
        name: ``'centerface'``, ``'mtcnn'``, ``'yunet'``, or ``'thorough'``: CenterFace,
            also on the picture mirrored, enlarged, and on its green and its blue
            alone, and YuNet, on each colour channel too, where its weights are given.
        weights: ONNX file of YuNet, for ``'yunet'`` and ``'thorough'``.
        score: Faces below this confidence, in [0, 1], are left out. Defaults to each
            detector's own.
        device: Where networks run, ``'cpu'`` or a GPU such as ``'cuda:0'``.

    Returns:
        For :func:`mmanon.face_detectors.build_face_detector`.

    Raises:
        ValueError: If there is no such name, the weights are not this detector's or
            those of ``'yunet'`` are not given; says what to do.
    """
    if name not in DETECTOR_NAMES:
        raise ValueError(
            f'no face detector is called {name!r}: there are '
            f'{", ".join(DETECTOR_NAMES)}'
        )
    if name in ('centerface', 'mtcnn') and weights is not None:
        raise ValueError(
            f'face detector {name!r} brings its own weights: leave out {weights}'
        )
    if name == 'yunet' and weights is None:
        raise ValueError("face detector 'yunet' needs its weights, an ONNX file")
    if name == 'mtcnn':
        mtcnn: dict[str, Any] = dict(type='mmanon.MTCNNFaceDetector', device=device)
        if score is not None:
            mtcnn['thresholds'] = (0.6, 0.7, score)
        return mtcnn
    sure: dict[str, Any] = {} if score is None else dict(score_threshold=score)
    if device != 'cpu':
        sure['device'] = device
    yunet = dict(type='mmanon.YuNetFaceDetector', weights=str(weights), **sure)
    centerface = dict(type='mmanon.CenterFaceDetector', **sure)
    if name == 'yunet':
        return yunet
    if name == 'centerface':
        return centerface
    # Under red, green or blue light a face shows in another channel than that.
    views = ('plain', 'mirrored', 'enlarged', 'green', 'blue')
    passes: list[dict[str, Any]] = [dict(detector=centerface, views=views)]
    if weights is not None:
        passes.append(dict(detector=yunet, views=('plain', 'red', 'green', 'blue')))
    return dict(type='mmanon.CombinedFaceDetector', detectors=passes)
