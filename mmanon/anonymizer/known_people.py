"""Recognize people from photographs, who stay visible or are the only ones covered."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmanon.structures.faces import Faces
from mmanon.utils.deprecation import renamed_attributes
from mmanon.utils.log import print_log
from mmanon.utils.media_types import is_image

from .recognizer import embed_face, embed_photographs

if TYPE_CHECKING:
    from mmanon.face_detectors import BaseFaceDetector
    from mmanon.models.discriminators import FaceClassifier

__all__ = ['KnownPeople']


@renamed_attributes(likeness='similarity')
class KnownPeople:
    """Decides which tracked faces stay visible. When unsure, a face is covered.

    Args:
        folder (str or Path): Photographs with one face each, or with the main face as
            the largest in the middle; subfolders are searched as well.
        detector (BaseFaceDetector): Finds the faces in them.
        recognizer (FaceClassifier): Compares faces.
        only (bool): ``False`` leaves these people visible and covers all others;
            ``True`` covers these people and leaves the others visible.
        same (float): Cosine of embeddings from which two faces belong to one person.
            Pairs of one person are above about 0.3 for MobileFaceNet trained on MS1M;
            the default is higher, because a mistake would show a face. Defaults to
            0.45.
        different (float): Cosine below which they belong to two people. Defaults to
            0.15.

    Raises:
        FileNotFoundError: When the folder does not exist.
        ValueError: When no face is found in the photographs, or the cosines are out of
            order or range.
    """

    def __init__(
        self,
        folder: str | Path,
        detector: BaseFaceDetector,
        recognizer: FaceClassifier,
        only: bool = False,
        same: float = 0.45,
        different: float = 0.15,
    ) -> None:
        if not -1 <= different <= same <= 1:
            raise ValueError(
                f'different and same must be -1 <= different <= same <= 1, got '
                f'{different} and {same}'
            )
        self.recognizer, self.only = recognizer, only
        self.same, self.different = same, different
        self._gallery = self._embed_photographs(Path(folder), detector)

    def _embed_photographs(
        self, folder: Path, detector: BaseFaceDetector
    ) -> np.ndarray:
        if not folder.is_dir():
            raise FileNotFoundError(f'folder of photographs {folder} does not exist')
        paths = sorted(path for path in folder.rglob('*') if is_image(path))
        known, without = [], []
        for path, embedding in embed_photographs(paths, detector, self.recognizer):
            if embedding is None:
                without.append(path)
            else:
                known.append(embedding)
        if not known:
            raise ValueError(
                f'no face is found in the {len(paths)} photographs of {folder}'
            )
        print_log(
            f'{folder}: {len(known)} faces of people '
            + ('to be covered' if self.only else 'who stay visible')
            + (f'; no face found in {", ".join(map(str, without))}' if without else ''),
            level=logging.WARNING if without else logging.INFO,
        )
        return np.stack(known)

    def similarity(self, image: np.ndarray, faces: Faces) -> np.ndarray:
        """The similarity of each face to the most similar photograph.

        Args:
            image (np.ndarray): uint8 (H, W, 3) RGB.
            faces (Faces): Its faces.

        Returns:
            np.ndarray: Cosines, (k,); NaN for a face without landmarks.
        """
        height, width = image.shape[:2]
        cosines = np.full(len(faces), np.nan)
        for place, marks in enumerate(faces.landmarks.astype(np.float64)):
            marks = np.asarray(marks) * [width, height]
            if faces.examined and np.isfinite(marks).all() and marks.std(0).max() > 0:
                cosines[place] = (
                    self._gallery @ embed_face(self.recognizer, image, marks)
                ).max()
        return cosines

    def visible(self, away: np.ndarray, similarity: np.ndarray) -> bool:
        """Whether a track's face stays visible in a frame.

        Args:
            away (np.ndarray): Distances in frames, (n,), ascending, from this frame to
                each frame in which the face was seen; 0 is this frame.
            similarity (np.ndarray): Its :meth:`similarity` there, (n,).

        Returns:
            bool: ``True`` if the median over these frames is clear, and neither the
            nearest frames (for people who stay visible) nor any frame (with ``only``)
            contradict it.
        """
        before, after = np.flatnonzero(away <= 0), np.flatnonzero(away >= 0)
        nearest = similarity[[*before[-1:], *after[:1]]]
        told = similarity[np.isfinite(similarity)]
        if not len(told) or not np.isfinite(nearest).all():
            return False
        middle = (self.same + self.different) / 2
        if self.only:
            return bool(np.median(told) < self.different and told.max() < middle)
        return bool(np.median(told) >= self.same and nearest.min() >= middle)
