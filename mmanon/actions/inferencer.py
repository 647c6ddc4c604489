"""Anonymize videos and detect the actions in them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from mmengine.config import Config
from tqdm import tqdm

from mmanon.anonymizer import AnonymizerInferencer
from mmanon.anonymizer.io.sources import (
    InputError,
    Source,
    find_sources,
    without_password,
)
from mmanon.anonymizer.options import (
    DetectionOptions,
    EncodingOptions,
    MaskingOptions,
)
from mmanon.anonymizer.result import AnonymizationResult, reason_of
from mmanon.utils.devices import check_device
from mmanon.utils.log import print_log

from .agreement import Agreement
from .agreement import agreement as compare_records
from .detector import ActionDetector
from .film import draw_comparison, draw_film, timed_frames
from .people import (
    FindPeople,
    People,
    detected_people,
    given_people,
    people_by_faces,
    track_people,
)
from .records import ActionRecord, write_records
from .windows import TimedFrame, Window, sliding_windows

if TYPE_CHECKING:
    from mmanon.models.modifiers import BaseModifier

__all__ = ['ActionDetectionInferencer', 'ActionDetectionResult']


@dataclass
class ActionDetectionResult:
    """The result for one video.

    Attributes:
        source (str): The input.
        status (str): ``'written'``, ``'skipped'`` (its output exists) or ``'failed'``.
        reason (str): Why it was not written.
        out (Path, optional): The anonymized video.
        film (Path, optional): The anonymized video with people and actions drawn in.
        comparison (Path, optional): The film of the original and the anonymized video
            side by side.
        records (list[ActionRecord]): The actions in the anonymized video and, if
            requested, in the original.
        agreement (Agreement, optional): How many actions are in both.
    """

    source: str
    status: str = 'failed'
    reason: str = ''
    out: Path | None = None
    film: Path | None = None
    comparison: Path | None = None
    records: list[ActionRecord] = field(default_factory=list)
    agreement: Agreement | None = None


class ActionDetectionInferencer:
    """Anonymizes videos and detects the actions in the anonymized videos.

    The detector gets the anonymized file, as its recipients do. The class is no
    subclass of mmengine's inferencers, like :class:`mmanon.AnonymizerInferencer`.

    Args:
        config (str, Path or Config): The config of the detector, as for
            :class:`.detector.ActionDetector`.
        checkpoint (str or Path): The checkpoint of the detector.
        modifier (str, Path, Mapping or BaseModifier, optional): M, as for
            :class:`mmanon.AnonymizerInferencer`. Defaults to the modifier in the
            checkpoint if the config has one; it then covers whole squares, as in
            training. Otherwise defaults to 16 mean colours.
        people (str or Path): How people are found: ``'faces'``, below their faces; a
            file of boxes, as ``boxes`` of :class:`.DetectionOptions`; or a config of
            mmdet, whose detector finds them. Detectors of single frames need no people.
        people_weights (str or Path, optional): The checkpoint of the detector of
            people.
        people_thr (float): Its boxes below this score, in [0, 1], are dropped.
        labels (str or Path, optional): The names of the actions, instead of those of
            the config: a label map (``*.pbtxt``), or a text file with a name per line.
        step (int, optional): Number of frames from one window to the next. Defaults to
            the smallest distance between two frames of a window, or 8 if a window has
            one frame.
        score_thr (float): Actions below this score, in [0, 1], are dropped.
        top (int): Maximum number of actions of a person, those with the highest scores.
        device (str): Where networks run.
        detection, masking, encoding (optional): As for
            :class:`mmanon.AnonymizerInferencer`.

    Raises:
        FileNotFoundError: When a file does not exist.
        ValueError: When values contradict each other, or a checkpoint does not fit its
            config.
    """

    def __init__(
        self,
        config: str | Path | Config,
        checkpoint: str | Path,
        modifier: str | Path | BaseModifier | None = None,
        people: str | Path = 'faces',
        people_weights: str | Path | None = None,
        people_thr: float = 0.5,
        labels: str | Path | None = None,
        step: int | None = None,
        score_thr: float = 0.3,
        top: int = 3,
        device: str = 'cpu',
        detection: DetectionOptions | None = None,
        masking: MaskingOptions | None = None,
        encoding: EncodingOptions | None = None,
    ) -> None:
        _check(step, top, score_thr=score_thr, people_thr=people_thr)
        device = check_device(device)
        self.detector = ActionDetector(config, checkpoint, labels, device)
        self.people, self._detected = str(people), None
        if str(people).endswith('.py') or '::' in str(people):
            if people_weights is None:
                raise ValueError(
                    f'{people} needs its checkpoint: give it as people_weights'
                )
            self._detected = detected_people(people, people_weights, people_thr, device)
        elif str(people) != 'faces' and not Path(people).is_file():
            raise FileNotFoundError(f'people {people}: there is no such file')
        gaps = np.diff(self.detector.offsets)
        self.step = step or (int(gaps.min()) if len(gaps) and gaps.min() > 0 else 8)
        self.score_thr, self.top = score_thr, top
        masking = masking or MaskingOptions()
        weights = None
        if modifier is None and masking.modifier is None and self.detector.plays_game:
            # An older checkpoint does not say which modifier it contains.
            named = self.detector.config.filename
            modifier, weights = (named, checkpoint) if named else (checkpoint, None)
            if masking == MaskingOptions(seed=masking.seed):
                # The detector was trained with covered squares.
                masking = replace(masking, shape='square')
        self.anonymizer = AnonymizerInferencer(
            modifier,
            weights,
            detection=detection,
            masking=masking,
            encoding=encoding,
            device=device,
        )

    def __call__(
        self,
        inputs: str | Path | int | Sequence[str | Path | int],
        out_dir: str | Path,
        raw: bool = False,
        compare: bool = False,
        film: bool = True,
        start: float | None = None,
        end: float | None = None,
        overwrite: bool = False,
        show_progress: bool = True,
    ) -> list[ActionDetectionResult]:
        """Anonymize videos and find actions in them.

        For each ``NAME.mp4``, the output folder gets the anonymized video with the same
        name and, if requested, ``NAME_actions.mp4`` and ``NAME_compare.mp4``. One table
        of all videos is written as ``actions.parquet`` and ``actions.jsonl``.

        Args:
            inputs (str, Path, int or a sequence of these): Videos, folders, cameras or
                streams; see :func:`mmanon.anonymizer.io.sources.find_sources`.
            out_dir (str or Path): Folder of the outputs.
            raw (bool): Whether the detector also runs on the original video, for the
                table and the agreement. Not for cameras and streams.
            compare (bool): Whether to write a film that shows both videos side by side;
                it contains original faces. Implies ``raw``.
            film (bool): Whether to write a film with people and actions.
            start, end (float, optional): Where to begin and end, in seconds.
            overwrite (bool): Whether to repeat videos whose output exists.
            show_progress (bool): Whether to show progress on a terminal.

        Returns:
            list[ActionDetectionResult]: One for each video.

        Raises:
            InputError: When there is no input, or the folder cannot be written.
        """
        folder = Path(out_dir).expanduser()
        asked = _Asked(raw or compare, compare, film, start, end, overwrite)
        sources, _, missing = find_sources(inputs, folder)
        results = [
            ActionDetectionResult(without_password(name), reason=reason)
            for name, reason in missing
        ]
        quiet = None if show_progress else True
        for source in tqdm(sources, unit='video', disable=quiet):
            result = ActionDetectionResult(without_password(source.where))
            results.append(result)
            try:
                self._one(source, folder, result, asked)
            # Whatever is wrong with one video, continue with the next.
            except Exception as error:
                result.status, result.reason = 'failed', reason_of(error)
            if result.reason:
                print_log(f'{result.source}: {result.reason}', level=logging.WARNING)
        write_records([one for result in results for one in result.records], folder)
        return results

    def _one(
        self,
        source: Source,
        folder: Path,
        result: ActionDetectionResult,
        asked: _Asked,
    ) -> None:
        if source.kind == 'image':
            raise InputError('it is an image: actions are only detected in videos')
        if source.kind == 'live' and asked.raw:
            raise InputError(
                'of a camera or stream, only the anonymized video is kept: leave out '
                'raw and compare'
            )
        (covered,) = self.anonymizer(
            [source],
            folder,
            start=asked.start,
            end=asked.end,
            overwrite=asked.overwrite,
            show_progress=False,
            keep_boxes=True,
        )
        result.out = covered.out
        if covered.status != 'written' or covered.out is None:
            result.status, result.reason = covered.status, covered.reason
            return
        shown: dict[str, tuple[str, float | None, float | None]]
        shown = {'anonymized': (str(covered.out), None, None)}
        if asked.raw:
            shown['raw'] = (source.where, asked.start, asked.end)
        for kind, part in shown.items():
            result.records += self._look(source, kind, timed_frames(*part), covered)
        if asked.raw:
            kinds = [
                [one for one in result.records if one.shown == kind]
                for kind in ('raw', 'anonymized')
            ]
            result.agreement = compare_records(*kinds)
        name = covered.out.with_suffix('')
        if asked.film:
            result.film = name.with_name(f'{name.name}_actions.mp4')
            draw_film(
                timed_frames(*shown['anonymized']),
                (one for one in result.records if one.shown == 'anonymized'),
                result.film,
                self.step,
            )
        if asked.compare:
            result.comparison = name.with_name(f'{name.name}_compare.mp4')
            draw_comparison(
                timed_frames(*shown['raw']),
                timed_frames(*shown['anonymized']),
                result.records,
                result.comparison,
                self.step,
            )
        result.status = 'written'

    def _look(
        self,
        source: Source,
        kind: str,
        frames: Iterator[TimedFrame],
        covered: AnonymizationResult,
    ) -> list[ActionRecord]:
        """Run the detector on one video."""
        find = self._finder(source, covered)
        windows: list[_Looked] = []
        short = False
        for window in sliding_windows(frames, self.detector.offsets, self.step):
            windows.append(self._look_at(window, find))
            short |= window.repeated and window.index == 0
        reach = max(self.detector.offsets) - min(self.detector.offsets) + 1
        if short and covered.frames < reach and kind == 'anonymized':
            print_log(
                f'{source.where} has {covered.frames} frames, but the window of the '
                f'detector spans {reach}: the first and last frames are repeated',
                level=logging.WARNING,
            )
        if not any(len(one.people.boxes) for one in windows):
            print_log(
                f'no person is found in {source.where} ({kind}), so no action can be',
                level=logging.WARNING,
            )
        return list(self._records(source.name, kind, windows))

    def _finder(self, source: Source, covered: AnonymizationResult) -> FindPeople:
        if self._detected is not None:
            return self._detected
        if self.people == 'faces':
            assert covered.boxes is not None
            return people_by_faces(covered.boxes)
        return given_people(self.people, source.name)

    def _look_at(self, window: Window, find: FindPeople) -> _Looked:
        height, width = window.middle.shape[:2]
        if not self.detector.takes_people:
            seen = self.detector.look(window.frames, np.zeros((0, 4)))
            sure = seen.scores.max(1, initial=0) >= self.score_thr
            boxes = seen.boxes[sure] * [width, height, width, height]
            scores = seen.scores[sure]
            people = People(boxes, scores.max(1, initial=0))
        else:
            people = find(window.index, window.middle)
            scores = self.detector.look(window.frames, people.boxes).scores
        return _Looked(window.index, window.time, (width, height), people, scores)

    def _records(
        self, name: str, kind: str, windows: Sequence[_Looked]
    ) -> Iterator[ActionRecord]:
        for one, tracks in zip(windows, _tracks(windows), strict=True):
            people = one.people
            for box, sure, track, scores in zip(
                people.boxes, people.scores, tracks, one.scores, strict=True
            ):
                x1, y1, x2, y2 = (round(float(side), 2) for side in box)
                person = ActionRecord(
                    name,
                    kind,
                    one.index,
                    round(one.time, 4),
                    int(track),
                    x1,
                    y1,
                    x2,
                    y2,
                    round(float(sure), 4),
                )
                order = np.argsort(-scores, kind='stable')[: self.top].tolist()
                best = [k for k in order if scores[k] >= self.score_thr]
                for k in best:
                    action, score = self.detector.names[k], round(float(scores[k]), 4)
                    yield replace(person, action=action, score=score)
                if not best:
                    yield person


class _Asked(NamedTuple):
    raw: bool
    compare: bool
    film: bool
    start: float | None
    end: float | None
    overwrite: bool


@dataclass(frozen=True, eq=False)
class _Looked:
    """A window's people and the scores of their actions."""

    index: int
    time: float
    size: tuple[int, int]
    people: People
    scores: np.ndarray


def _tracks(windows: Sequence[_Looked]) -> Iterable[np.ndarray]:
    """The numbers of people: given ones, or by the overlap of boxes."""
    if all(one.people.tracks is not None for one in windows):
        return [np.asarray(one.people.tracks) for one in windows]
    found = []
    for one in windows:
        found.append((one.people.boxes / (one.size * 2), one.people.scores))
    return track_people(found)


def _check(step: int | None, top: int, **shares: float) -> None:
    if step is not None and step < 1:
        raise ValueError(f'step must be at least 1, got {step}')
    if top < 1:
        raise ValueError(f'top must be at least 1, got {top}')
    for name, value in shares.items():
        if not 0 <= value <= 1:
            raise ValueError(f'{name} must be in [0, 1], got {value}')
