"""Crops of photographs, as the anonymizer cuts them for a learned modifier."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.logging import print_log
from tqdm import tqdm

from mmanon.anonymizer.compositor import FaceCompositor
from mmanon.anonymizer.frame_plan import FaceMask, tilts
from mmanon.face_detectors import BaseFaceDetector
from mmanon.registry import MODELS
from mmanon.structures.crop_geometry import CropGeometry
from mmanon.utils.atomic_write import write_whole
from mmanon.utils.images import read_image
from mmanon.utils.media_types import IMAGES, files_in

__all__ = ['as_crops', 'cut_face']

# Side in pixels of the crops that are kept; data sets make them smaller.
_SIDE = 256
# A photograph is enlarged to at least this height, and its edges are repeated by this
# fraction of the height, so that a face that fills it is found.
_LEAST_HEIGHT, _BORDER = 250, 0.3


class _Learned:
    """What the compositor needs to know of a modifier to cut crops for it."""

    learned = True

    def modify(self, faces: np.ndarray, tracks: Any) -> tuple[np.ndarray, np.ndarray]:
        return faces, np.zeros(len(faces), bool)


def as_crops(people: dict, geometry: CropGeometry, folder: Path) -> dict:
    """Turn a set of people into a data set of crops; cut photographs first.

    Args:
        people (dict): Config of a :class:`FaceIdentityDataset`. With a ``detector``,
            its images are photographs: their crops are written to ``folder``.
        geometry (CropGeometry): Geometry of the modifier's crops.
        folder (Path): Folder for the crops.

    Returns:
        dict: Config of a data set without a detector.

    Raises:
        FileNotFoundError: If the folder of a person does not exist.
        ValueError: If no face is found in any photograph.
    """
    if not people.get('detector'):
        return dict(people)
    rest = {k: v for k, v in people.items() if k not in ('detector', 'identities')}
    root = Path(rest['data_root'])
    names = _names(people.get('identities'), root)
    done = folder / 'done'
    if not done.is_file():
        detector = MODELS.build(people['detector'])
        todo = [(name, path) for name in names for path in _images(root / name)]
        missing = []
        for name, path in tqdm(todo, desc='cutting faces', unit='img', disable=None):
            image = read_image(path)
            crop = None if image is None else cut_face(image, detector, geometry)
            if crop is None:
                missing.append(f'{name}/{path.name}')
                continue
            packed = cv2.imencode('.png', crop[..., ::-1])[1].tobytes()
            write_whole(folder / name / f'{path.stem}.png', packed)
        if missing:
            print_log(f'{root}: no face found in {missing}, left out', 'current')
        if len(missing) == len(todo):
            raise ValueError(f'no face was found in any photograph of {root}')
        write_whole(done, '')
    return {**rest, 'data_root': str(folder)}


def cut_face(
    image: np.ndarray, detector: BaseFaceDetector, geometry: CropGeometry
) -> np.ndarray | None:
    """Cut out the main face of a photograph: large, and near the centre.

    Args:
        image (np.ndarray): Photograph, uint8 RGB, (H, W, 3).
        detector (BaseFaceDetector): The face detector.
        geometry (CropGeometry): Geometry of the modifier's crops; the crop gets its
            margin and feather.

    Returns:
        np.ndarray: Crop, uint8 (256, 256, 3), or None if no face is found.
    """
    scale = max(1, -(-_LEAST_HEIGHT // image.shape[0]))
    if scale > 1:
        image = cv2.resize(
            image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC
        )
    edge = round(_BORDER * image.shape[0])
    image = cv2.copyMakeBorder(image, edge, edge, edge, edge, cv2.BORDER_REPLICATE)
    found = detector.detect(np.ascontiguousarray(image))
    if not len(found):
        return None
    size = np.array(image.shape[1::-1], np.float64)
    boxes = np.asarray(found.boxes, np.float64)
    away = (boxes[:, :2] + boxes[:, 2:]) / 2 - size / 2
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    chosen = int(np.argmax(area - 2 * (away**2).sum(1)))
    lean = float(tilts(found.landmarks[[chosen]] / size, image.shape[1::-1])[0])
    mask = FaceMask(boxes[chosen], -1, True, float(found.scores[chosen]), lean)
    shown = CropGeometry(_SIDE, geometry.margin, geometry.feather)
    cut = FaceCompositor(_Learned(), shown).cut(image, [mask])
    pixels = (cut.crops[0].transpose(1, 2, 0).clip(-1, 1) + 1) * 127.5
    return pixels.round().astype(np.uint8)


def _names(identities: Any, root: Path) -> list[str]:
    if isinstance(identities, (list, tuple)):
        return list(identities)
    if identities is not None:
        lines = Path(identities).read_text(encoding='utf-8').splitlines()
        return [line.strip() for line in lines if line.strip()]
    return sorted(path.name for path in root.iterdir() if path.is_dir())


def _images(folder: Path) -> Iterable[Path]:
    if not folder.is_dir():
        raise FileNotFoundError(f'people to measure on: {folder} does not exist')
    return files_in(folder, IMAGES)
