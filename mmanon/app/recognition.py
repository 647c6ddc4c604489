"""Let a recognizer name the people in a file, before and after anonymization."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmanon.anonymizer.io.frames import upright_frames
from mmanon.anonymizer.options import SURE
from mmanon.anonymizer.recognizer import embed_face, embed_people
from mmanon.face_detectors.alignment import align_face

if TYPE_CHECKING:
    from mmanon.face_detectors import BaseFaceDetector
    from mmanon.models.discriminators import FaceClassifier

__all__ = ['Guess', 'PeopleNamer', 'Sighting']

_FRAMES = 6  # number of examined frames of a video
_FACES = 12
_SHOWN = 112  # side of a shown face in pixels
_MARGIN = 0.25
_MIDDLE = 0.8  # radius of the examined part, as a fraction of half the side
_BLANK = 6.0  # standard deviation, of 255, that encoding alone may cause


@dataclass(frozen=True)
class Guess:
    """A person from the folder of known people.

    Attributes:
        name (str): The name of the person's folder.
        cosine (float): The similarity of the face to the person's most similar
            photograph, in [-1, 1].
        same (bool): Whether the recognizer takes both for one person.
    """

    name: str
    cosine: float
    same: bool


@dataclass(frozen=True)
class Sighting:
    """A face before and after anonymization.

    Attributes:
        seconds (float, optional): The time of its frame; None for an image.
        before, after (np.ndarray): The aligned crops, uint8 (S, S, 3) RGB.
        guesses_before, guesses_after (list[Guess]): The most similar people, best
            first. The second list is empty if the face is covered by one colour.
    """

    seconds: float | None
    before: np.ndarray
    after: np.ndarray
    guesses_before: list[Guess]
    guesses_after: list[Guess]


class PeopleNamer:
    """Names the people of an image or video.

    Args:
        folder (Path): It contains one folder of photographs for each person, with the
            person's name.
        detector (BaseFaceDetector): Finds faces.
        recognizer (FaceClassifier): Compares faces.
        threshold (float): Cosine from which two faces belong to one person, in [-1, 1].
        guesses (int): Number of most similar people to show. Defaults to 3.

    Attributes:
        people (list[str]): The names of the known people.

    Raises:
        FileNotFoundError: When the folder does not exist.
        ValueError: When no face is found in the photographs, or the threshold is out of
            its range.
    """

    def __init__(
        self,
        folder: Path,
        detector: BaseFaceDetector,
        recognizer: FaceClassifier,
        threshold: float,
        guesses: int = 3,
    ) -> None:
        if not -1 <= threshold <= 1:
            raise ValueError(f'threshold must be in [-1, 1], got {threshold}')
        self.detector, self.recognizer = detector, recognizer
        self.threshold, self.guesses = threshold, guesses
        self._names, self._gallery = self._embed_photographs(folder)
        self.people = sorted(set(self._names))

    def _embed_photographs(self, folder: Path) -> tuple[list[str], np.ndarray]:
        if not folder.is_dir():
            raise FileNotFoundError(f'folder of people {folder} does not exist')
        names, known = embed_people(folder, self.detector, self.recognizer)
        if not names:
            raise ValueError(
                f'no face is found in photographs in the folders of {folder}: put the '
                'photographs of each person into a folder with the name of that person'
            )
        return names, known

    def look(self, original: Path, anonymized: Path, frames: int) -> list[Sighting]:
        """Compare a few frames of a file and of its anonymized version.

        Args:
            original (Path): An image or video.
            anonymized (Path): The anonymized version.
            frames (int): The number of its frames.

        Returns:
            list[Sighting]: At most 12 faces found in the original, in the order of
            time.

        Raises:
            InputError: When a file cannot be read.
        """
        every = max(1, frames // _FRAMES)
        pairs = zip(upright_frames(original), upright_frames(anonymized), strict=False)
        found = []
        for (seconds, old), (_, new) in islice(pairs, every // 2, None, every):
            found += self._look_at(seconds, old, new)
        return found[:_FACES]

    def _look_at(
        self, seconds: float | None, old: np.ndarray, new: np.ndarray
    ) -> list[Sighting]:
        sightings = []
        faces = self.detector.detect(old)
        for marks in faces.landmarks[faces.scores >= SURE].astype(np.float64):
            if not np.isfinite(marks).all() or marks.std(0).max() <= 0:
                continue
            before, after = (
                align_face(image, marks, _SHOWN, _MARGIN) for image in (old, new)
            )
            sightings.append(
                Sighting(
                    seconds,
                    before,
                    after,
                    self._name(embed_face(self.recognizer, old, marks)),
                    []
                    if _is_blank(align_face(new, marks, _SHOWN, 0))
                    else self._name(embed_face(self.recognizer, new, marks)),
                )
            )
        return sightings

    def _name(self, embedding: np.ndarray) -> list[Guess]:
        cosines = self._gallery @ embedding
        best: dict[str, float] = {}
        for place in np.argsort(-cosines, kind='stable'):
            best.setdefault(self._names[place], float(cosines[place]))
        return [
            Guess(name, cosine, cosine >= self.threshold)
            for name, cosine in islice(best.items(), self.guesses)
        ]


def _is_blank(face: np.ndarray) -> bool:
    """Whether a face has one colour; the corners of the crop are ignored."""
    place = np.linspace(-1, 1, len(face))
    middle = np.hypot(place[:, None], place) < _MIDDLE
    return float(face[middle].std(0).max()) < _BLANK
