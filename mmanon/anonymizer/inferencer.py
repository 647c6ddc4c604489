"""Anonymize images, videos and cameras with one class."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from mmanon.face_detectors.kinds import FACES
from mmanon.utils.atomic_write import written_whole
from mmanon.utils.devices import check_device
from mmanon.utils.log import print_log

from .backends.base import known_names
from .build_compositor import build_compositor
from .covered_boxes import CoveredBoxes
from .face_finding import DetectedFaces, FaceFinder, build_detector
from .given_faces import GivenFaces
from .image_pipeline import ImagePipeline
from .io.sources import find_sources, without_password
from .mask_planner import MaskPlanner
from .options import (
    DetectionOptions,
    EncodingOptions,
    MaskingOptions,
    PeopleOptions,
    group_options,
)
from .other_kinds import NoFaces, build_others
from .output_files import check_output, check_writable, write_beside
from .pipeline import FacePipeline
from .placement import say_where
from .regions import Regions
from .result import AnonymizationResult, log_result, reason_of
from .track_sheet import Chosen
from .video_pipeline import VideoPipeline

if TYPE_CHECKING:
    from mmanon.face_detectors import BaseFaceDetector
    from mmanon.models.modifiers import BaseModifier

    from .known_people import KnownPeople

__all__ = ['AnonymizationResult', 'AnonymizerInferencer']

_RENAMED = {'exempt': 'allowlist', 'persist': 'minimum_consecutive_frames'}


class AnonymizerInferencer:
    """Anonymizes the faces of images, videos and cameras.

    It is called like mmengine's inferencers but is not a subclass of them.
    ``BaseInferencer`` finds the config and weights of one model by a metafile, builds
    one pipeline, and collects the results of batches in a list. Here there are several
    models, a video is one input that does not fit into memory, and the result is a
    file.

    Args:
        modifier (str, Path, Mapping or BaseModifier, optional): M by its name (see
            :meth:`list_modifiers`), config or file; short for
            ``masking=MaskingOptions(modifier=...)``. Defaults to 16 mean colours
            (:data:`.backends.base.DEFAULT_MODIFIER`).
        weights (str or Path, optional): Its weights; short for
            ``masking=MaskingOptions(weights=...)``.
        detection (DetectionOptions, optional): How faces are searched for and followed.
        people (PeopleOptions, optional): Whose faces are covered, if not everybody's.
        masking (MaskingOptions, optional): How faces are covered.
        encoding (EncodingOptions, optional): How outputs are written and what they
            keep.
        device (str): Where networks run and videos are decoded and encoded, such as
            ``'cuda'``. Parts that cannot run there run on the CPU, and the log names
            them.
        **options: The attributes of these groups as single arguments, as in earlier
            versions; the next version removes them.

    Attributes:
        left_out (list[str]): Files in the folders of the last call that are neither
            images nor videos.

    Raises:
        FileNotFoundError: When weights, boxes or photographs do not exist.
        ImportError: When a package that the modifier, the detector or the recognizer
            needs is not installed.
        TypeError: When an option is unknown.
        ValueError: When arguments contradict each other.

    Examples:
        >>> anonymize = AnonymizerInferencer('PixelateModifier')
        >>> result = anonymize(np.zeros((64, 64, 3), np.uint8))[0]
        >>> result.image.shape
        (64, 64, 3)
    """

    def __init__(
        self,
        modifier: str | Path | Mapping | BaseModifier | None = None,
        weights: str | Path | None = None,
        *,
        detection: DetectionOptions | None = None,
        people: PeopleOptions | None = None,
        masking: MaskingOptions | None = None,
        encoding: EncodingOptions | None = None,
        device: str = 'cpu',
        **options: Any,
    ) -> None:
        device = check_device(device)
        groups: dict[str, Any] = dict(
            detection=detection, people=people, masking=masking, encoding=encoding
        )
        groups = {name: group for name, group in groups.items() if group is not None}
        if options:
            groups |= _grouped(options, groups)
        detection = groups.get('detection', DetectionOptions())
        people = groups.get('people', PeopleOptions())
        masking = _with_modifier(groups.get('masking'), modifier, weights)
        encoding = groups.get('encoding', EncodingOptions())
        if detection.boxes is not None and people.folder is not None:
            raise ValueError(
                'allowlist and only need the landmarks that a detector finds: they '
                'cannot be combined with boxes'
            )
        compositor = build_compositor(masking, device)
        finder: FaceFinder
        known = None
        kinds = detection.kinds()
        if FACES not in kinds:
            finder = NoFaces()
        elif detection.boxes is not None:
            finder = GivenFaces(detection.boxes)
        else:
            detector = build_detector(
                detection.detector, detection.detector_weights, device, detection.heads
            )
            finder = DetectedFaces(detector, detection.scale)
            known = _known_people(people, detector, device)
        given = detection.boxes is not None
        planner = MaskPlanner(
            detection.look_ahead,
            detection.hold,
            # Boxes from a file are covered, whatever their score.
            track_activation_threshold=0.0 if given else detection.score_thr,
            minimum_consecutive_frames=detection.frames_to_believe(),
            visible=None if known is None else known.visible,
            follow=not given,
        )
        self.faces = FacePipeline(
            finder=finder,
            planner=planner,
            compositor=compositor,
            people=known,
            score_thr=detection.score_thr,
            every=detection.keyframe_interval(known is not None),
            scales=detection.looks_in_scales and known is None,
            regions=Regions(masking.regions),
            others=build_others(kinds, detection, device),
        )
        self.images = ImagePipeline(
            self.faces, encoding.keep_metadata, encoding.largest_image
        )
        self.videos = VideoPipeline(self.faces, encoding, device)
        say_where(device, finder, compositor, known)
        self.container = encoding.container
        self.left_out: list[str] = []

    @staticmethod
    def list_modifiers() -> list[str]:
        """The names of modifiers that need no PyTorch.

        Returns:
            list[str]: The names; learned modifiers (:mod:`mmanon.shipped`) come first.
        """
        return known_names()

    def __call__(
        self,
        inputs: str | Path | int | np.ndarray | Sequence,
        out_dir: str | Path | None = None,
        start: float | None = None,
        end: float | None = None,
        overwrite: bool = False,
        show_progress: bool = True,
        report: str | Path | None = None,
        preview: str | Path | None = None,
        drop_tracks: Iterable[int] = (),
        keep_tracks: Iterable[int] = (),
        keep_boxes: bool = False,
        boxes_out: str | Path | None = None,
    ) -> list[AnonymizationResult]:
        """Anonymize all inputs.

        The result of a failed input contains the reason; the other inputs are processed
        anyway.

        Args:
            inputs (str, Path, int, np.ndarray or a sequence of these): See
                :func:`.io.sources.find_sources`; an array is one uint8 picture,
                (H, W, 3) RGB or (H, W) grey.
            out_dir (str or Path, optional): Folder of the outputs, which have the same
                names and subfolders as the inputs. Required, except for arrays; an
                array is written as ``<number>.png``.
            start (float, optional): Where to begin in videos, in seconds.
            end (float, optional): Where to end in videos, in seconds.
            overwrite (bool): Whether existing outputs are written again. By default
                they are kept, because an existing output is complete.
            show_progress (bool): Whether to show progress on a terminal.
            report (str or Path, optional): Folder for a report, ``<name>.json``, of
                each written file. See :meth:`.report.FileReport.as_dict`.
            preview (str or Path, optional): Folder for a sheet, ``<name>.png``, of the
                most uncertain tracks of each written video, with their numbers.
            drop_tracks, keep_tracks (Iterable[int]): Numbers of tracks that are not
                faces, and of tracks that are faces, from a preview with the same
                settings. For one video.
            keep_boxes (bool): Whether each result contains the covered boxes.
            boxes_out (str or Path, optional): Folder for files of the covered boxes;
                see :func:`.box_writer.write_boxes`.

        Returns:
            list[AnonymizationResult]: One for each input.

        Raises:
            InputError: When there is no input, or a folder cannot be written.
            ValueError: When an argument is missing or out of its range.
        """
        if start is not None and start < 0 or end is not None and end <= (start or 0):
            raise ValueError(
                f'start and end must be 0 <= start < end, got {start} and {end}'
            )
        folder = None if out_dir is None else Path(out_dir).expanduser()
        arrays, named = _split(inputs)
        if named and folder is None:
            raise ValueError('out_dir is missing: give a folder for the outputs')
        if folder is not None:
            check_writable(folder, 'output')
        more = dict(report=report, preview=preview, boxes=boxes_out)
        for what, beside_it in more.items():
            if beside_it is not None:
                check_writable(Path(beside_it), what)
        chosen = Chosen(frozenset(drop_tracks), frozenset(keep_tracks))
        results = [
            self.images.anonymize_array(number, image, folder)
            for number, image in enumerate(arrays)
        ]
        if not named or folder is None:
            return results
        sources, self.left_out, missing = find_sources(named, folder)
        if self.left_out:
            print_log(
                f'{len(self.left_out)} files are neither images nor videos and are '
                f'left out: {", ".join(self.left_out[:3])}'
                f'{" …" if len(self.left_out) > 3 else ""}',
                level=logging.WARNING,
            )
        for name, reason in missing:
            results.append(AnonymizationResult(without_password(name), reason=reason))
            log_result(results[-1])
        if chosen != Chosen() and [one.kind for one in sources] != ['video']:
            raise ValueError(
                'drop_tracks and keep_tracks are for one video (images have no '
                'tracks): give only that video'
            )
        if preview is not None and all(one.kind == 'image' for one in sources):
            print_log(
                'there is no video, so no preview is drawn', level=logging.WARNING
            )
        taken: dict[Path, str] = {}
        for source in tqdm(
            sources, unit='file', disable=None if show_progress else True
        ):
            out = source.output(folder, self.container)
            result = AnonymizationResult(without_password(source.where), out=out)
            if keep_boxes or boxes_out is not None:
                result.boxes = CoveredBoxes()
            results.append(result)
            beside = out
            try:
                check_output(source, out, taken)
                if out.exists() and not overwrite:
                    result.status = 'skipped'
                    result.reason = 'its output exists; overwrite writes it again'
                    continue
                with written_whole(out) as beside:
                    if source.kind == 'image':
                        self.images.anonymize(source, beside, result)
                    else:
                        progress = show_progress and len(sources) == 1
                        sheet = preview and Path(preview, f'{source.name}.png')
                        self.videos.anonymize(
                            source,
                            beside,
                            result,
                            start,
                            end,
                            progress,
                            chosen,
                            sheet or None,
                        )
                result.status = 'written'
            # Whatever is wrong with one file, continue with the next.
            except Exception as error:
                # The user does not know the temporary name.
                result.reason = reason_of(error).replace(str(beside), str(out))
            if result.status == 'written':
                write_beside(result, source.name, report, boxes_out)
            log_result(result)
        return results


def _grouped(options: dict[str, Any], groups: Mapping[str, Any]) -> dict[str, Any]:
    """Sort options that were given as single arguments into their groups."""
    new = {
        _RENAMED.get(name, name): value
        for name, value in options.items()
        if value is not None
    }
    found = group_options(**new)
    twice = sorted(found.keys() & groups.keys())
    if twice:
        raise ValueError(
            f'{", ".join(sorted(options))} belong to {" and ".join(twice)}, which is '
            'given as well: put them there'
        )
    warnings.warn(
        f'{", ".join(sorted(options))}: options are given in groups now, '
        + ', '.join(f'{name}={type(found[name]).__name__}(...)' for name in found)
        + '; the next version drops the single arguments',
        DeprecationWarning,
        stacklevel=3,
    )
    return found


def _with_modifier(
    masking: MaskingOptions | None,
    modifier: str | Path | Mapping | BaseModifier | None,
    weights: str | Path | None,
) -> MaskingOptions:
    masking = masking or MaskingOptions()
    given: dict[str, Any] = dict(modifier=modifier, weights=weights)
    given = {name: value for name, value in given.items() if value is not None}
    for name in given:
        if getattr(masking, name) is not None:
            raise ValueError(f'{name} is given twice: as an argument and in masking')
    return replace(masking, **given)


def _known_people(
    people: PeopleOptions, detector: BaseFaceDetector, device: str
) -> KnownPeople | None:
    if people.folder is None or people.recognizer is None:
        return None
    from .known_people import KnownPeople
    from .recognizer import build_recognizer

    recognizer = build_recognizer(people.recognizer, device)
    only = people.only is not None
    return KnownPeople(people.folder, detector, recognizer, only=only)


def _split(
    inputs: str | Path | int | np.ndarray | Sequence,
) -> tuple[list[np.ndarray], list]:
    """Separate arrays from everything else."""
    if isinstance(inputs, str | Path | int | np.ndarray):
        inputs = [inputs]
    arrays = [item for item in inputs if isinstance(item, np.ndarray)]
    return arrays, [item for item in inputs if not isinstance(item, np.ndarray)]
