"""Compare an anonymized image or video with its original: can a face be recognized?

The audit searches both files for faces. At the place of each face it compares the two
files: have the pixels changed, and, if there is a recognizer, does it still recognize
the person? Both files are read by other code than the anonymizer's. Two contradictions
are findings as well: an output that shows another picture, and a cover where no face is
found.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmanon.structures.boxes import box_ious
from mmanon.utils.resampling import area_mean

from .face_finding import DetectedFaces
from .io.frames import ShownFrame
from .io.independent import independent_frames
from .io.sources import InputError
from .options import SURE
from .picture_change import cell_change, changed_box, fitted_to, shows_another
from .recognizer import embed_face
from .report import frame_ranges

if TYPE_CHECKING:
    from mmanon.face_detectors import BaseFaceDetector
    from mmanon.models.discriminators import FaceClassifier
    from mmanon.structures.faces import Faces

__all__ = ['Audit', 'FaceAuditor', 'Finding']

_CELLS = 4  # a box is divided into 4 x 4 cells
_UNCOVERED = 0.5  # unchanged part from which a face counts as uncovered
_PARTLY = 0.15  # unchanged part from which a face counts as partly open
_SAME_PLACE = 0.5  # IoU of the same face in both files


@dataclass(frozen=True)
class Finding:
    """A place in a frame that the user should check.

    Attributes:
        frame (int): The frame's number, from 0.
        seconds (float, optional): The frame's time; None for an image.
        kind (str): ``'uncovered'`` (a face whose pixels are unchanged), ``'matched'``
            (a changed face that is still recognized), ``'unsure'`` (unchanged, but
            perhaps no face; or a face that is partly open), ``'another picture'`` (the
            output does not show what the original shows), or ``'unexplained'``
            (something was covered, but no face is found in the whole original).
        box (list[int]): x1, y1, x2, y2 in pixels of the upright picture.
        found_in (str): ``'original'`` or ``'anonymized'``.
        confidence (float): The detector's score.
        open (float): The unchanged part of the face, in [0, 1].
        cosine (float, optional): The similarity of the two faces for the recognizer;
            None without a recognizer or landmarks, or if the output has one colour
            there.
    """

    frame: int
    seconds: float | None
    kind: str
    box: list[int]
    found_in: str
    confidence: float
    open: float
    cosine: float | None

    @property
    def leaks(self) -> bool:
        """Whether a face can be recognized here, or whether this is unknown."""
        return self.kind not in ('unsure', 'unexplained')


@dataclass
class Audit:
    """The result of checking one file.

    Attributes:
        original, anonymized (str): The two files.
        threshold (float, optional): The cosine from which two faces belong to one
            person; None without a recognizer.
        frames (int): Number of compared frames.
        faces (int): Number of sure faces in the original.
        findings (list[Finding]): Places to check.
    """

    original: str
    anonymized: str
    threshold: float | None
    frames: int = 0
    faces: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def leaks(self) -> int:
        """The number of findings in which a face can be recognized, over all frames."""
        return sum(finding.leaks for finding in self.findings)

    def as_dict(self) -> dict:
        """The audit in types for JSON."""
        return {**asdict(self), 'leaks': self.leaks}

    def as_text(self) -> str:
        """The audit as a few lines of text."""
        clean = 'no leak found' if self.threshold is not None else 'no open face found'
        verdict = f'{self.leaks} LEAKS' if self.leaks else clean
        lines = [
            f'{self.anonymized}: {verdict}; {self.frames} frames, {self.faces} faces '
            'in the original'
        ]
        for kind, words in _WORDS.items():
            these = [finding for finding in self.findings if finding.kind == kind]
            if these:
                lines.append(f'  {len(these)} {words}')
                lines += [f'    {line}' for line in _by_range(these)]
        return '\n'.join(lines)


_WORDS = {
    'uncovered': 'faces not covered, in frames',
    'matched': 'faces changed but still recognized, in frames',
    'unsure': 'places to check (perhaps no face, or partly open), in frames',
    'another picture': 'outputs with another picture than the original, in frames',
    'unexplained': 'covers without a face in the whole original: check it, in frames',
}


def _by_range(findings: list[Finding]) -> list[str]:
    lines = []
    for first, last in frame_ranges(finding.frame for finding in findings):
        these = [finding for finding in findings if first <= finding.frame <= last]
        worst = max(
            these, key=lambda finding: (finding.cosine or 0, finding.confidence)
        )
        when = '' if worst.seconds is None else f' ({worst.seconds:.2f} s)'
        alike = '' if worst.cosine is None else f', cosine {worst.cosine:.2f}'
        lines.append(
            f'{first}–{last}: worst in {worst.frame}{when} at {worst.box}, confidence '
            f'{worst.confidence:.2f}, {worst.open:.0%} unchanged{alike}'
        )
    return lines


class FaceAuditor:
    """Compares originals with their anonymized files.

    Args:
        detector (BaseFaceDetector): The face detector; preferably another one than the
            anonymizer's, and one that also reports candidates with low scores.
        recognizer (FaceClassifier, optional): Compares faces. Without it, no face is
            ``'matched'``: the audit finds only open faces.
        threshold (float, optional): Cosine, in [-1, 1], from which two faces belong to
            one person; required with a recognizer.
        sure (float): The detector's score from which an open face is a leak; with a
            lower score, it is a place to check. Defaults to 0.6.
        unchanged (float): Pixels whose values, up to 255, differ by less than this on
            average count as unchanged, because encoding alone changes them by as much.
            Defaults to 6.

    Raises:
        ValueError: When a number is out of its range, or only one of recognizer and
            threshold is given.
    """

    def __init__(
        self,
        detector: BaseFaceDetector,
        recognizer: FaceClassifier | None = None,
        threshold: float | None = None,
        sure: float = SURE,
        unchanged: float = 6.0,
    ) -> None:
        if (recognizer is None) != (threshold is None):
            raise ValueError(
                'recognizer and threshold belong together: give both or none'
            )
        if threshold is not None and not -1 <= threshold <= 1:
            raise ValueError(f'threshold must be in [-1, 1], got {threshold}')
        if not 0 <= sure <= 1 or unchanged < 0:
            raise ValueError(
                f'sure must be in [0, 1] and unchanged at least 0, got {sure} and '
                f'{unchanged}'
            )
        self.finder = DetectedFaces(detector)
        self.recognizer = recognizer
        self.threshold, self.sure, self.unchanged = threshold, sure, unchanged

    def compare(self, original: Path, anonymized: Path, every: int = 1) -> Audit:
        """Compare a file with its anonymized version.

        Args:
            original (Path): An image or video.
            anonymized (Path): Its anonymized version, with the same number of frames.
            every (int): Compare each n-th frame only. Defaults to all frames.

        Returns:
            Audit: The result.

        Raises:
            InputError: When a file cannot be read, or they differ in length or size.
            ValueError: When ``every`` is below 1.
        """
        if every < 1:
            raise ValueError(f'every must be at least 1, got {every}')
        audit = Audit(str(original), str(anonymized), self.threshold)
        find_old = self.finder.open(str(original))
        find_new = self.finder.open(str(anonymized))
        covered: Finding | None = None
        faces = 0
        pairs = zip_longest(
            independent_frames(original), independent_frames(anonymized)
        )
        for index, (old, new) in enumerate(pairs):
            if old is None or new is None:
                raise InputError(
                    f'{anonymized} has {"fewer" if new is None else "more"} frames '
                    f'than {original}: compare files of the same length (made without '
                    'start and end)'
                )
            old = old._replace(image=fitted_to(old.image, new.image.shape, index > 0))
            if old.image.shape != new.image.shape:
                raise InputError(
                    f'frame {index} of {anonymized} has {_size(new.image)} pixels, and '
                    f'that of {original} {_size(old.image)}: they must have one size'
                )
            if index % every == 0:
                audit.frames += 1
                found = find_old(index, old.image), find_new(index, new.image)
                self._compare(audit, index, old, new.image, *found)
                faces += len(found[0])
                whole = self._compare_whole(index, old, new.image, found[0])
                if whole is not None and whole.leaks:
                    audit.findings.append(whole)
                covered = covered or whole
        if covered is not None and not covered.leaks and not faces:
            audit.findings.append(covered)
        return audit

    def _compare_whole(
        self, index: int, original: ShownFrame, new: np.ndarray, faces: Faces
    ) -> Finding | None:
        """The finding if a frame shows another picture or has a cover; else None."""
        change = cell_change(original.image, new)
        box = changed_box(change, new.shape, 2 * self.unchanged)
        if box is None:
            return None
        whole = np.array([0, 0, *new.shape[1::-1]])
        blank = self._is_blank(new, whole)  # covered whole
        another = not blank and shows_another(original.image, new, faces.boxes)
        return Finding(
            frame=index,
            seconds=_rounded(original.seconds),
            kind='another picture' if another else 'unexplained',
            box=(whole if another else box).round().astype(int).tolist(),
            found_in='anonymized',
            confidence=0.0,
            open=0.0,
            cosine=None,
        )

    def _compare(
        self,
        audit: Audit,
        index: int,
        original: ShownFrame,
        new: np.ndarray,
        old_faces: Faces,
        new_faces: Faces,
    ) -> None:
        seconds, old = original
        before = _places(old_faces, old.shape, index, audit.original)
        after = _places(new_faces, new.shape, index, audit.anonymized)
        audit.faces += sum(score >= self.sure for _, score, _ in before)
        done: list[tuple[np.ndarray, float]] = []
        for found_in, places in (('original', before), ('anonymized', after)):
            for box, score, marks in places:
                # A face found in both files was already judged at its place in the
                # original, unless its score is higher here.
                if found_in == 'anonymized' and any(
                    box_ious(box, other) > _SAME_PLACE and judged >= score
                    for other, judged in done
                ):
                    continue
                finding = self._judge(index, seconds, old, new, box, score, marks)
                if finding is None:
                    continue
                done.append((box, score))
                audit.findings.append(Finding(found_in=found_in, **finding))

    def _judge(
        self,
        index: int,
        seconds: float | None,
        old: np.ndarray,
        new: np.ndarray,
        box: np.ndarray,
        score: float,
        marks: np.ndarray,
    ) -> dict | None:
        """The finding for a place; None if it has none."""
        left = self._left_open(old, new, box)
        # A recognizer's similarity is meaningless for a face of one colour.
        blank = not left and self._is_blank(new, box)
        cosine = None if blank else self._cosine(old, new, marks)
        if left > _UNCOVERED:
            kind = 'uncovered' if score >= self.sure else 'unsure'
        elif self._is_same(cosine) and score >= self.sure:
            kind = 'matched'
        elif left > _PARTLY or self._is_same(cosine):
            kind = 'unsure'
        else:
            return None
        return dict(
            frame=index,
            seconds=_rounded(seconds),
            kind=kind,
            box=box.round().astype(int).tolist(),
            confidence=round(float(score), 3),
            open=round(left, 3),
            cosine=None if cosine is None else round(cosine, 3),
        )

    def _left_open(self, old: np.ndarray, new: np.ndarray, box: np.ndarray) -> float:
        """The part of a face, in [0, 1], whose pixels are unchanged.

        The corners of its box do not belong to the face.
        """
        change = np.abs(_inside(old, box).astype(np.int16) - _inside(new, box))
        cells = area_mean(change.mean(2), (_CELLS, _CELLS))
        across = (np.arange(_CELLS) + 0.5) / _CELLS * 2 - 1
        face = np.hypot(across, across[:, None]) <= 1
        return float((cells[face] < self.unchanged).mean())

    def _is_blank(self, image: np.ndarray, box: np.ndarray) -> bool:
        """Whether a box has one colour, apart from changes by the encoder."""
        pixels = _inside(image, box).reshape(-1, 3).astype(np.float32)
        return float(pixels.std(0).max()) < self.unchanged

    def _is_same(self, cosine: float | None) -> bool:
        if cosine is None or self.threshold is None:
            return False
        return cosine >= self.threshold

    def _cosine(
        self, old: np.ndarray, new: np.ndarray, marks: np.ndarray
    ) -> float | None:
        if self.recognizer is None:
            return None
        if not np.isfinite(marks).all() or marks.std(0).max() <= 0:
            return None
        before, after = (
            embed_face(self.recognizer, image, marks) for image in (old, new)
        )
        return float(before @ after)


def _places(
    faces: Faces, shape: tuple[int, ...], index: int, where: str
) -> list[tuple[np.ndarray, float, np.ndarray]]:
    """The box in pixels, the score and the landmarks in pixels of each face."""
    if not faces.examined:
        raise InputError(f'frame {index} of {where} could not be examined; see the log')
    size = np.array([shape[1], shape[0]], np.float64)
    return [
        (box * np.tile(size, 2), float(score), marks * size)
        for box, score, marks in zip(
            faces.boxes.astype(np.float64),
            faces.scores,
            faces.landmarks.astype(np.float64),
            strict=True,
        )
    ]


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def _inside(image: np.ndarray, box: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    x1, y1 = np.floor(box[:2]).astype(int).clip(0)
    x2, y2 = np.ceil(box[2:]).astype(int).clip(1, (width, height))
    return image[y1:y2, x1:x2]


def _size(image: np.ndarray) -> str:
    return f'{image.shape[1]}x{image.shape[0]}'
