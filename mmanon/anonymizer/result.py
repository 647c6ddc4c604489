"""The result of one input."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmanon.face_detectors.kinds import FACES
from mmanon.utils.log import print_log

from .covered_boxes import CoveredBoxes
from .io.sources import InputError, without_password
from .mask_planner import FramePlan
from .report import FileReport

__all__ = ['AnonymizationResult', 'log_result', 'reason_of']


@dataclass
class AnonymizationResult:
    """The result of one input.

    Attributes:
        source (str): The input; ``'array'`` for an array.
        status (str): ``'written'``, ``'skipped'`` (its output exists already) or
            ``'failed'``; ``'returned'`` for an array without an output folder.
        out (Path, optional): The written file.
        image (np.ndarray, optional): The anonymized pixels, for an array.
        reason (str): Why it, its report or its boxes failed, or why it was skipped.
        problems (list[str]): Problems that do not prevent an output, such as parts that
            could not be read.
        removed (list[str]): Metadata and streams that the output does not have.
        frames (int): Number of frames of the output.
        faces (int): Number of covered faces, over all frames.
        others (dict[str, int]): Number of covered objects of each other kind, over all
            frames.
        filled (int): Number of covered faces without a detection of their own: the
            frame was not searched, or the detector did not see the face.
        whole (int): Number of frames covered whole because they could not be examined.
        spared (int): Number of faces that stay visible, over all frames.
        covers (dict[str, int]): Number of faces that a learned modifier did not draw
            and that got another cover, by reason: ``'too small'``, or ``'let through'``
            (nearly unchanged).
        report (FileReport): The masks, frame by frame.
        boxes (CoveredBoxes, optional): The covered boxes, if requested.
    """

    source: str
    status: str = 'failed'
    out: Path | None = None
    image: np.ndarray | None = None
    reason: str = ''
    problems: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    frames: int = 0
    faces: int = 0
    others: dict[str, int] = field(default_factory=dict)
    filled: int = 0
    whole: int = 0
    spared: int = 0
    covers: dict[str, int] = field(default_factory=dict)
    report: FileReport = field(default_factory=FileReport, repr=False)
    boxes: CoveredBoxes | None = field(default=None, repr=False)

    @property
    def nothing_masked(self) -> bool:
        """Whether the output was written without any cover."""
        return self.status == 'written' and not (
            self.faces or self.others or self.whole or self.spared
        )

    def count(self, plan: FramePlan) -> None:
        """Count the masks of a frame."""
        self.frames += 1
        self.whole += plan.whole
        self.spared += plan.spared
        faces = plan.faces()
        self.faces += len(faces)
        self.filled += sum(not mask.seen for mask in faces)
        for mask in plan.masks:
            if mask.kind != FACES:
                self.others[mask.kind] = self.others.get(mask.kind, 0) + 1
        self.report.add(plan)
        if self.boxes is not None:
            self.boxes.add(plan)

    def write_report(self, path: Path) -> None:
        """Write the report as JSON.

        It quotes the removed metadata, so do not give it to recipients of the output.
        """
        self.report.write(
            path,
            source=self.source,
            output=str(self.out),
            problems=self.problems,
            removed=self.removed,
            covered_instead_of_drawn=self.covers,
        )

    def what_was_not_drawn(self) -> str:
        """A text about :attr:`covers`; empty if there are none."""
        if not self.covers:
            return ''
        reasons = ', '.join(f'{count} {why}' for why, count in self.covers.items())
        return (
            f'{sum(self.covers.values())} faces are covered but not drawn by the '
            f'modifier ({reasons})'
        )


def reason_of(error: Exception) -> str:
    """The reason why an input failed, as a text."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        where = f' ({error.filename})' if error.filename else ''
        return without_password(f'{error.strerror}{where}')
    return f'{type(error).__name__}: {error}'


def log_result(result: AnonymizationResult) -> None:
    """Log the result of an input."""
    if result.status == 'failed':
        level, words = logging.ERROR, [f'failed: {result.reason}']
    else:
        told = result.problems or result.whole or result.nothing_masked
        level = logging.WARNING if told else logging.INFO
        words = [
            f'{result.out}: {result.frames} frames, {result.faces} faces covered '
            f'({result.filled} of them along a track, between detections)'
        ]
        words += [f'{count} {kind} covered' for kind, count in result.others.items()]
        if result.nothing_masked:
            words.append('NO FACE WAS FOUND: check whether this is right')
        if result.spared:
            words.append(f'{result.spared} faces left visible')
        if result.whole:
            words.append(
                f'{result.whole} frames that could not be examined are covered whole'
            )
        words += filter(None, [result.what_was_not_drawn()])
    words += result.problems + result.removed
    print_log('; '.join([result.source, *words]), level=level)
