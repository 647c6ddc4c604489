"""A recognizer and its embeddings of photographs; needs PyTorch (extra ``train``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmanon.face_detectors.alignment import align_face, find_face
from mmanon.utils.devices import torch_place
from mmanon.utils.extras import require
from mmanon.utils.images import read_image
from mmanon.utils.media_types import is_image

if TYPE_CHECKING:
    from mmanon.face_detectors import BaseFaceDetector
    from mmanon.models.discriminators import FaceClassifier

__all__ = [
    'build_recognizer',
    'embed_face',
    'embed_people',
    'embed_photographs',
    'threshold_at_far',
]


def build_recognizer(
    recognizer: str | Path | Mapping, device: str = 'cpu'
) -> FaceClassifier:
    """Build a recognizer.

    Args:
        recognizer (str, Path or Mapping): Weights of MobileFaceNet, or the config of a
            :class:`FaceClassifier`, whose ``init_cfg`` names its weights.
        device (str): Where it runs; the CPU is used if PyTorch cannot use the device.

    Returns:
        FaceClassifier: The recognizer in evaluation mode.

    Raises:
        FileNotFoundError: When the weights do not exist.
        ValueError: When they do not fit, or a config has no weights.
        ImportError: When PyTorch or mmengine is not installed.
    """
    require('a recognizer', ('torch', 'mmengine'), 'train')
    from mmanon.registry import MODELS

    if not isinstance(recognizer, Mapping):
        pretrained = dict(type='Pretrained', checkpoint=str(recognizer))
        backbone = dict(type='mmanon.MobileFaceNet', init_cfg=pretrained)
        recognizer = dict(type='mmanon.FaceClassifier', backbone=backbone, margin=0.0)
    if not any('init_cfg' in part for part in (recognizer, recognizer['backbone'])):
        raise ValueError(
            'the recognizer has no weights: give it, or its backbone, '
            "init_cfg=dict(type='Pretrained', checkpoint=...)"
        )
    built = MODELS.build(dict(recognizer))
    built.init_weights()
    return built.to(torch_place(device).device).eval().requires_grad_(False)


def embed_face(
    recognizer: FaceClassifier, image: np.ndarray, landmarks: np.ndarray
) -> np.ndarray:
    """Embed one face of a picture, aligned by its landmarks.

    Args:
        recognizer (FaceClassifier): The recognizer.
        image (np.ndarray): uint8 (H, W, 3) RGB.
        landmarks (np.ndarray): In pixels of the image, (5, 2), not all in one point.

    Returns:
        np.ndarray: The embedding, (E,), with L2 norm 1.
    """
    import torch

    margin = recognizer.margin
    size = round(max(recognizer.backbone.input_size) * (1 + 2 * margin))
    face = torch.from_numpy(align_face(image, landmarks, size, margin))
    face = face.permute(2, 0, 1)[None].float() / 127.5 - 1
    weights = next(recognizer.parameters(), None)
    if weights is not None:
        face = face.to(weights.device)
    with torch.no_grad():
        return torch.nn.functional.normalize(recognizer.embed(face))[0].cpu().numpy()


def embed_photographs(
    paths: Iterable[Path], detector: BaseFaceDetector, recognizer: FaceClassifier
) -> Iterator[tuple[Path, np.ndarray | None]]:
    """Embed the main face of each photograph.

    Args:
        paths (Iterable[Path]): Photographs with one face each, or with the main face as
            the largest in the middle.
        detector (BaseFaceDetector): Finds the faces.
        recognizer (FaceClassifier): The recognizer.

    Yields:
        tuple: Each photograph and its embedding, (E,) with L2 norm 1; None if no face
        is found or the file cannot be read.
    """
    for path in paths:
        image = read_image(path)
        marks = None if image is None else find_face(image, detector)
        if image is None or marks is None:
            yield path, None
        else:
            yield path, embed_face(recognizer, image, marks)


def embed_people(
    folder: Path, detector: BaseFaceDetector, recognizer: FaceClassifier
) -> tuple[list[str], np.ndarray]:
    """Embed photographs of people.

    Args:
        folder (Path): It contains one folder of photographs for each person; the
            folder's name is that of the person.
        detector (BaseFaceDetector): Finds the faces in them.
        recognizer (FaceClassifier): The recognizer.

    Returns:
        tuple[list[str], np.ndarray]: For each photograph with a face, the name of the
        person, and the embedding, (K, E) with L2 norm 1.
    """
    people = sorted(path for path in folder.iterdir() if path.is_dir())
    names: list[str] = []
    known: list[np.ndarray] = []
    for person in people:
        photographs = sorted(path for path in person.rglob('*') if is_image(path))
        for _, embedding in embed_photographs(photographs, detector, recognizer):
            if embedding is not None:
                names.append(person.name)
                known.append(embedding)
    return names, np.stack(known) if known else np.zeros((0, 1), np.float32)


def threshold_at_far(
    folder: Path,
    detector: BaseFaceDetector,
    recognizer: FaceClassifier,
    far: float = 0.01,
) -> float:
    """The cosine for a false accept rate.

    Args:
        folder (Path): Photographs, with one folder for each person.
        detector (BaseFaceDetector): Finds the faces in them.
        recognizer (FaceClassifier): The recognizer.
        far (float): False accept rate in (0, 1). Defaults to 0.01.

    Returns:
        float: The lowest cosine that at most the fraction ``far`` of all pairs of
        different people reaches.

    Raises:
        FileNotFoundError: When the folder does not exist.
        ValueError: When ``far`` is out of its range, or there are too few faces to
            measure this rate.
    """
    if not 0 < far < 1:
        raise ValueError(f'far must be in (0, 1), got {far}')
    if not folder.is_dir():
        raise FileNotFoundError(f'identity folder {folder} does not exist')
    people, vectors = embed_people(folder, detector, recognizer)
    names = np.array(people, dtype=str)
    other = np.triu(names[:, None] != names[None])
    if other.sum() * far < 1:
        raise ValueError(
            f'{folder} has {len(people)} faces of {len(set(people))} people, which '
            f'make {other.sum()} pairs of different people; a false accept rate of '
            f'{far:g} needs {1 / far:.0f}'
        )
    units = vectors.astype(np.float64)
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    cosines = np.sort((units @ units.T)[other])[::-1]
    refused = cosines[int(far * len(cosines))]
    return float(np.nextafter(refused, 2))
