"""Who a recognizer thinks a person is, before and after."""

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

_FRAMES = 6  # of a video that are looked at
_FACES = 12
_SHOWN = 112  # side of a face that is shown
_MARGIN = 0.25
_MIDDLE = 0.8  # of an aligned face from its middle to its side
_BLANK = 6.0  # grey levels, of 255, that encoding changes a colour by


@dataclass(frozen=True)
class Guess:
    """A person of the folder.

    Attributes:
        name (str): The name of their folder.
        cosine (float): How much alike the recognizer finds the face and the most
            similar photograph of them, in [-1, 1].
        same (bool): Whether it takes both for one person.
    """

    name: str
    cosine: float
    same: bool


@dataclass(frozen=True)
class Sighting:
    """A face before and after.

    Attributes:
        seconds (float, optional): When it is shown; None for an image.
        before, after (np.ndarray): What is seen there, uint8 (S, S, 3) RGB.
        guesses_before, guesses_after (list[Guess]): The most similar people, best
            first; none where a face is masked by one colour, of which a recognizer
            sees nothing.
    """

    seconds: float | None
    before: np.ndarray
    after: np.ndarray
    guesses_before: list[Guess]
    guesses_after: list[Guess]


class PeopleNamer:
    """Names the people of an image or video.

    Args:
        folder (Path): One folder of photographs for each person, with the person's
            name.
        detector (BaseFaceDetector): Finds faces.
        recognizer (FaceClassifier): Compares faces.
        threshold (float): Cosine from which two faces are one person's, in [-1, 1].
        guesses (int): How many of the most similar people are shown. Defaults to 3.

    Attributes:
        people (list[str]): Who is known.

    Raises:
        FileNotFoundError: When there is no such folder.
        ValueError: When no face is found on the photographs.
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
                f'no face is found on photographs in the folders of {folder}: put the '
                'photographs of each person into a folder of their name'
            )
        return names, known

    def look(self, original: Path, anonymized: Path, frames: int) -> list[Sighting]:
        """Look at a few frames of a file and of what was made of it.

        Args:
            original (Path): An image or video.
            anonymized (Path): The same, anonymized.
            frames (int): How many frames it has.

        Returns:
            list[Sighting]: Faces that are found in the original, in the order in which
            they are shown.

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
    """Whether a face is of one colour, whatever is in the corners around it."""
    place = np.linspace(-1, 1, len(face))
    middle = np.hypot(place[:, None], place) < _MIDDLE
    return float(face[middle].std(0).max()) < _BLANK
