"""Face detectors by their names in the commands."""

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
    """Make the config of a face detector.

    Args:
        name: ``'centerface'``, ``'mtcnn'``, ``'yunet'`` or ``'thorough'``.
            ``'thorough'`` runs CenterFace on the picture itself, mirrored and enlarged,
            and on its green and blue channels. If weights are given, it also runs YuNet
            on the picture and on each channel.
        weights: ONNX file of YuNet, for ``'yunet'`` and ``'thorough'``.
        score: Faces below this score, in [0, 1], are dropped. Defaults to the
            detector's own threshold.
        device: Where networks run, ``'cpu'`` or a GPU such as ``'cuda:0'``.

    Returns:
        A config for :func:`mmanon.face_detectors.build_face_detector`.

    Raises:
        ValueError: If the name is unknown, the detector takes no weights but they are
            given, or ``'yunet'`` gets none. The message says what to do.
    """
    if name not in DETECTOR_NAMES:
        raise ValueError(
            f'no face detector is called {name!r}: there are '
            f'{", ".join(DETECTOR_NAMES)}'
        )
    if name in ('centerface', 'mtcnn') and weights is not None:
        raise ValueError(
            f'face detector {name!r} has its own weights: leave out {weights}'
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
    # Under coloured light, a face is visible in the other channels.
    views = ('plain', 'mirrored', 'enlarged', 'green', 'blue')
    passes: list[dict[str, Any]] = [dict(detector=centerface, views=views)]
    if weights is not None:
        passes.append(dict(detector=yunet, views=('plain', 'red', 'green', 'blue')))
    return dict(type='mmanon.CombinedFaceDetector', detectors=passes)
