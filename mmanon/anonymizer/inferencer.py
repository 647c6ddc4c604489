"""Give images, videos or a camera; get the same with the faces redrawn."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from tqdm import tqdm

from mmanon.structures.crop_geometry import CropGeometry
from mmanon.structures.faces import Faces
from mmanon.utils.atomic_write import written_whole
from mmanon.utils.log import print_log
from mmanon.utils.resampling import to_grey
from mmanon.utils.threads import worked_ahead, worked_behind

from .backends.base import build_drawer
from .compositor import FaceRedrawer, cover_whole, widest_fade
from .face_finding import DetectedFaces, GivenFaces, Watch, build_detector
from .face_search import Picture, search
from .frame_compositor import draw_frame, picture_of
from .io.image_files import ImageFile, as_colour, open_image, write_frames, write_image
from .io.sources import InputError, Source, find_sources
from .io.video_reader import VideoReader
from .io.video_writer import VideoWriter
from .mask_planner import Cover, Covered, CoverPlanner, SeenFrame, thumbnail, tilts
from .options import SURE
from .report import FileReport

if TYPE_CHECKING:
    from mmanon.face_detectors import BaseFaceDetector
    from mmanon.models.modifiers import BaseModifier

    from .known_people import KnownPeople

__all__ = ['AnonymizerInferencer', 'Outcome']

_PERSIST, _EVERY = 5, 5
# Frames that wait between the threads that decode, plan, and draw and encode.
_AHEAD, _BEHIND = 8, 4


@dataclass
class Outcome:
    """What became of one input.

    Attributes:
        source (str): What it was; ``'array'`` for pixels.
        status (str): ``'written'``, ``'skipped'`` (finished by an earlier run) or
            ``'failed'``; ``'returned'`` for pixels without an output folder.
        out (Path, optional): The file that was written.
        image (np.ndarray, optional): The anonymized pixels, for an input of pixels.
        reason (str): Why it failed.
        problems (list[str]): What could not be read of it.
        removed (list[str]): Metadata and streams that the output does not have.
        frames (int): Frames of the output.
        faces (int): Boxes covered, over all frames.
        filled (int): Those of them in frames where the detector did not see the face.
        whole (int): Frames covered whole, since they could not be examined.
        spared (int): Faces left visible because of who they are, over all frames.
        report (FileReport): What was covered, frame by frame.
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
    filled: int = 0
    whole: int = 0
    spared: int = 0
    report: FileReport = field(default_factory=FileReport, repr=False)

    def count(self, covered: Covered) -> None:
        """Add a frame."""
        self.frames += 1
        self.whole += covered.whole
        self.spared += covered.spared
        self.faces += len(covered.covers)
        self.filled += sum(not cover.seen for cover in covered.covers)
        self.report.add(covered)

    def write_report(self, path: Path) -> None:
        """Write what was found and done as JSON.

        It quotes the metadata that was removed: it is not for those who get the output.
        """
        self.report.write(
            path,
            source=self.source,
            output=str(self.out),
            problems=self.problems,
            removed=self.removed,
        )


class AnonymizerInferencer:
    """Anonymizes the faces of images, videos and cameras.

    It is called as mmengine's inferencers are, and is none of their subclasses:
    ``BaseInferencer`` finds a model's config and weights by a metafile, makes one
    pipeline, and passes batches of inputs whose results are collected in a list. Here
    there are several models, a video is one input that must never be in memory, and
    the result is a file.

    Args:
        modifier (str, Path, Mapping or BaseModifier, optional): M by name, config or
            config file; see :func:`build_modifier`. Defaults to a solid mask.
        weights (str or Path, optional): Weights of a learned modifier.
        detector (str or Mapping, optional): ``'centerface'``, ``'mtcnn'``,
            ``'yunet'``, ``'thorough'`` or the config of a face detector; see
            :func:`build_detector`. Defaults to ``'centerface'``.
        detector_weights (str or Path, optional): ONNX file of YuNet.
        boxes (str or Path, optional): A face table or JSON file to take the faces from
            instead; see :class:`GivenFaces`.
        exempt (str or Path, optional): Folder with photographs of people who stay
            visible.
        only (str or Path, optional): Folder with photographs of the only people to
            cover.
        recognizer (str, Path or Mapping, optional): What recognizes them: weights of
            MobileFaceNet, or the config of a ``FaceClassifier``.
        crop_size (int, optional): Side of a face crop in pixels. Defaults to what the
            modifier's config says, or 128.
        margin (float, optional): By how much a face box is enlarged on each side, in
            parts of its longer side. Defaults to what the modifier's config says, or
            0.3.
        feather (float, optional): Width of the fading edge, in parts of the crop.
            Defaults to what the modifier's config says, or 0.08, and never so wide
            that a face box would show.
        shape (str): ``'square'`` or ``'ellipse'``.
        align (bool): Whether the modifier is shown faces turned upright by their eyes,
            for those who lean their head; with a margin of at least 0.21. Defaults to
            ``False``.
        look_ahead (int): Frames known beyond the one that is written.
        hold (int): Frames a face is covered before and after it is seen.
        every (int, optional): Look closely at each n-th frame of a video, where the
            picture changes, and at all frames between two that do not agree about
            small faces; the others are looked at in half the size, where the smallest
            do not show. At most ``hold + 1``, so that a face that comes and stays is
            covered. Defaults to 5, and to 1 where people are told apart or the detector
            is given as a config.
        scale (float): Look for faces in a picture made smaller by this, in (0, 1].
        score_thr (float): Score from which a face needs no track to be covered.
        persist (int, optional): Cover a face below that score, too, when its track
            finds it in so many frames of those known at a time. Defaults to 5 for
            ``'thorough'`` (with as much look-ahead), else to not doing so.
        codec, quality, container, encoder_options: Of videos; see
            :class:`VideoWriter`. The container defaults to the source's.
        copy_audio (bool): Whether sound is copied. Defaults to ``True``.
        keep_metadata (bool): Whether titles, places, devices and dates are kept;
            thumbnails never are. Defaults to ``False``.
        seed (int, optional): Makes noise repeatable. Defaults to a secret one.
        device (str): Where networks run.

    Raises:
        FileNotFoundError: When weights, boxes or photographs do not exist.
        ValueError: When arguments do not go together.

    Examples:
        >>> anonymize = AnonymizerInferencer('PixelateModifier')
        >>> outcome = anonymize(np.zeros((64, 64, 3), np.uint8))[0]
        >>> outcome.image.shape
        (64, 64, 3)
    """

    def __init__(
        self,
        modifier: str | Path | Mapping | BaseModifier | None = None,
        weights: str | Path | None = None,
        detector: str | Mapping | BaseFaceDetector | None = None,
        detector_weights: str | Path | None = None,
        boxes: str | Path | None = None,
        exempt: str | Path | None = None,
        only: str | Path | None = None,
        recognizer: str | Path | Mapping | None = None,
        crop_size: int | None = None,
        margin: float | None = None,
        feather: float | None = None,
        shape: str = 'square',
        align: bool = False,
        look_ahead: int = 30,
        hold: int = 8,
        every: int | None = None,
        scale: float = 1.0,
        score_thr: float = SURE,
        persist: int | None = None,
        codec: str | None = None,
        quality: int | None = None,
        container: str | None = None,
        encoder_options: Mapping[str, str] | None = None,
        copy_audio: bool = True,
        keep_metadata: bool = False,
        seed: int | None = None,
        device: str = 'cpu',
    ) -> None:
        if not 0 <= score_thr <= 1:
            raise ValueError(f'score_thr must be in [0, 1], got {score_thr}')
        if exempt is not None and only is not None:
            raise ValueError('exempt and only exclude each other: name one of them')
        if boxes is not None and (exempt is not None or only is not None):
            raise ValueError(
                'people are recognized by the landmarks that a detector finds: exempt '
                'and only do not go with boxes'
            )
        drawer, geometry = build_drawer(
            modifier, weights, crop_size, margin, feather, device, seed
        )
        if feather is None:
            geometry = _spare_the_face(geometry, shape, align)
        self.redrawer = FaceRedrawer(drawer, geometry, shape, align)
        if every is None:
            apart = boxes is not None or exempt is not None or only is not None
            # Nobody knows what size of faces a detector of one's own sees at a glance.
            own = detector is not None and not isinstance(detector, str)
            every = 1 if apart or own else min(_EVERY, hold + 1)
        if not 1 <= every <= hold + 1:
            raise ValueError(
                f'every must be in [1, hold + 1], got every={every} and hold={hold}: '
                'a face that comes into view would show until it is looked for'
            )
        self.people = None
        if boxes is not None:
            if every > 1 or scale != 1:
                raise ValueError(
                    'every and scale are for looking for faces: they do not go with '
                    'boxes'
                )
            self.finder = GivenFaces(boxes)
        else:
            found_by = build_detector(detector, detector_weights, device)
            self.finder = DetectedFaces(found_by, scale)
            self.people = _known_people(exempt, only, recognizer, found_by)
        self.every, self.scale = every, scale
        self.score_thr = score_thr
        visible = None if self.people is None else self.people.visible
        if persist is None and detector == 'thorough' and look_ahead >= _PERSIST:
            persist = _PERSIST
        self.planner = CoverPlanner(
            look_ahead, hold, sure=score_thr, persist=persist, visible=visible
        )
        self.writing = dict(
            codec=codec,
            quality=quality,
            encoder_options=encoder_options,
            copy_audio=copy_audio,
            keep_metadata=keep_metadata,
        )
        self.container = container

    def __call__(
        self,
        inputs: str | Path | int | np.ndarray | Sequence,
        out_dir: str | Path | None = None,
        start: float | None = None,
        end: float | None = None,
        overwrite: bool = False,
        show_progress: bool = True,
        report: str | Path | None = None,
    ) -> list[Outcome]:
        """Anonymize all inputs.

        One that fails is told of in its outcome; the others are done all the same.

        Args:
            inputs (str, Path, int, np.ndarray or a sequence of these): See
                :func:`find_sources`; an array is one uint8 picture, (H, W, 3) RGB or
                (H, W) grey.
            out_dir (str or Path, optional): Folder of the outputs, which have the
                names, and in it the folders, of the inputs. Needed for all but arrays,
                which are written as ``<number>.png``.
            start (float, optional): Second at which to begin, of videos.
            end (float, optional): Second at which to end, of videos.
            overwrite (bool): Whether files that are there are made anew. Defaults to
                leaving them: they are whole.
            show_progress (bool): Whether progress is shown, on a terminal.
            report (str or Path, optional): Folder in which each file that is written
                gets a report, ``<name>.json``, of what was found and done. See
                :meth:`FileReport.as_dict`.

        Returns:
            list[Outcome]: One for each input.

        Raises:
            InputError: When an input is not there or names nothing, or the folder of
                outputs or reports cannot be written.
            ValueError: When an argument is missing or out of its range.
        """
        if start is not None and start < 0 or end is not None and end <= (start or 0):
            raise ValueError(f'0 <= start < end must hold, got {start} and {end}')
        out_dir = None if out_dir is None else Path(out_dir).expanduser()
        arrays, named = _split(inputs)
        if named and out_dir is None:
            raise ValueError('name a folder for the outputs by out_dir')
        if out_dir is not None:
            _check_writable(out_dir, 'output')
        if report is not None:
            _check_writable(Path(report), 'report')
        outcomes = [
            self._array(number, image, out_dir) for number, image in enumerate(arrays)
        ]
        if not named:
            return outcomes
        sources, others = find_sources(named, out_dir)
        if others:
            print_log(
                f'{len(others)} files are neither images nor videos and are left out: '
                f'{", ".join(others[:3])}{" …" if len(others) > 3 else ""}',
                level=logging.WARNING,
            )
        taken: dict[Path, str] = {}
        for source in tqdm(
            sources, unit='file', disable=None if show_progress else True
        ):
            out = source.output(out_dir, self.container)
            outcome = Outcome(source.where, out=out)
            outcomes.append(outcome)
            try:
                _check_output(source, out, taken)
                if out.exists() and not overwrite:
                    outcome.status = 'skipped'
                    continue
                with written_whole(out) as beside:
                    if source.kind == 'image':
                        self._image(source, beside, outcome)
                    else:
                        progress = show_progress and len(sources) == 1
                        self._video(source, beside, outcome, start, end, progress)
                    if report is not None:
                        outcome.write_report(Path(report, f'{source.name}.json'))
                outcome.status = 'written'
            # Whatever is wrong with one file, the next one may be done.
            except Exception as error:
                outcome.reason = _words(error)
            _log(outcome)
        return outcomes

    # --- Pictures ---------------------------------------------------------------------

    def _array(self, number: int, image: np.ndarray, out_dir: Path | None) -> Outcome:
        if image.dtype != np.uint8 or image.ndim not in (2, 3) or 0 in image.shape:
            raise ValueError(
                'a picture must be uint8 (H, W, 3) RGB or (H, W) grey, got '
                f'{image.dtype} {image.shape}'
            )
        outcome = Outcome('array', 'returned')
        find = self.finder.open(f'{number:08d}.png')
        outcome.image = self._still(image.copy(), find, outcome)
        if out_dir is not None:
            outcome.out = out_dir / f'{number:08d}.png'
            with written_whole(outcome.out) as beside:
                like = ImageFile(outcome.out, 'PNG')
                write_image(outcome.image, like, beside)
            outcome.status = 'written'
        return outcome

    def _image(self, source: Source, beside: Path, outcome: Outcome) -> None:
        image = open_image(Path(source.where), self.writing['keep_metadata'])
        outcome.removed = image.removed
        find = self.finder.open(source.name)
        if image.frames == 1:
            (pixels,) = image.pixels()
            write_image(self._still(pixels.copy(), find, outcome), image, beside)
            return
        write_frames(self._moving(image, find, outcome), image, beside)

    def _still(
        self, pixels: np.ndarray, find: Callable, outcome: Outcome
    ) -> np.ndarray:
        """Anonymize one picture of any kind; it is changed."""
        colour = as_colour(pixels)
        eight = colour if colour.dtype == np.uint8 else (colour >> 8).astype(np.uint8)
        faces = find(0, eight)
        size = np.tile(eight.shape[1::-1], 2)
        sure = np.flatnonzero(faces.scores >= self.score_thr)
        boxes = faces.boxes.astype(np.float64) * size
        leans = tilts(faces.landmarks, eight.shape[1::-1])
        covers = [
            Cover(boxes[one], -1, True, float(faces.scores[one]), float(leans[one]))
            for one in sure
        ]
        spared = 0
        if self.people is not None:
            alike = self.people.likeness(eight, faces)[sure]
            here = np.zeros(1, int)
            shown = [
                self.people.visible(here, alike[[one]]) for one in range(len(sure))
            ]
            covers = [one for one, seen in zip(covers, shown, strict=True) if not seen]
            spared = sum(shown)
        if not faces.examined:
            covers = []
        covered = Covered(None, not faces.examined, covers, spared)
        outcome.count(covered)
        if covered.whole or covers:
            self._draw(colour, covered)
            _put_colour(pixels, colour)
        return pixels

    def _moving(
        self, image: ImageFile, find: Callable, outcome: Outcome
    ) -> Iterator[np.ndarray]:
        pictures = (
            Picture(
                pixels,
                (pixels.shape[1], pixels.shape[0]),
                thumbnail(pixels[..., :3]),
                lambda _, pixels=pixels: pixels[..., :3],
            )
            for pixels in image.pixels()
        )
        for covered in self.planner.plan(self._search(pictures, find, 1)):
            outcome.count(covered)
            pixels = covered.picture.copy()
            colour = np.ascontiguousarray(pixels[..., :3])
            self._draw(colour, covered)
            pixels[..., :3] = colour
            yield pixels

    def _draw(self, image: np.ndarray, covered: Covered) -> None:
        """Cover in an RGB picture what has to be."""
        if covered.whole:
            cover_whole(image)
        else:
            self.redrawer.redraw(image, covered.covers)

    def _search(
        self, pictures: Iterator[Picture], find: Callable, every: int
    ) -> Iterator[SeenFrame]:
        def look(index: int, image: np.ndarray) -> tuple[Faces, np.ndarray | None]:
            return self._look(find, index, image)

        # PyTorch is not for several threads: it shares its work out by itself.
        parallel = self.finder.parallel and self.people is None
        return search(pictures, look, Watch(every, self.scale), parallel)

    def _look(
        self, find: Callable, index: int, image: np.ndarray
    ) -> tuple[Faces, np.ndarray | None]:
        """The faces of a picture, and how much each is like the people looked for."""
        faces = find(index, image)
        if self.people is None:
            return faces, None
        return faces, self.people.likeness(image, faces)

    # --- Videos -----------------------------------------------------------------------

    def _video(
        self,
        source: Source,
        beside: Path,
        outcome: Outcome,
        start: float | None,
        end: float | None,
        show_progress: bool,
    ) -> None:
        if source.kind == 'video' and not Path(source.where).stat().st_size:
            raise InputError(f'{source.where} is empty')
        live = source.kind == 'live'
        find = self.finder.open(source.name)
        with _stoppable(live) as stopped:
            reader = VideoReader(source.where, live, start, end, stopped)
            try:
                container = outcome.out.suffix[1:].lower()
                writer = VideoWriter(beside, container, reader, **self.writing)
                outcome.removed = writer.removed
                try:
                    self._pump(reader, writer, find, outcome, show_progress)
                    writer.finish()
                except BaseException:
                    writer.abort()
                    raise
            finally:
                outcome.problems = reader.problems
                reader.close()

    def _pump(
        self,
        reader: VideoReader,
        writer: VideoWriter,
        find: Callable,
        outcome: Outcome,
        show_progress: bool,
    ) -> None:
        turn = reader.orientation
        progress = tqdm(
            total=reader.stream.frames or None,
            unit='frame',
            desc=Path(reader.where).name,
            disable=None if show_progress else True,
        )

        def prepared() -> Iterator[Picture | av.Packet]:
            for item in reader:
                yield item if isinstance(item, av.Packet) else picture_of(item, turn)

        def write(item: Covered | av.Packet) -> None:
            if isinstance(item, av.Packet):
                writer.write_packet(item)
                return
            format_ = writer.pixel_format
            writer.write_frame(draw_frame(item, turn, self.redrawer, format_))

        with ExitStack() as stack:
            stack.enter_context(progress)
            put = stack.enter_context(worked_behind(write, _BEHIND))
            items = stack.enter_context(worked_ahead(prepared(), _AHEAD))

            def pictures() -> Iterator[Picture]:
                for item in items:
                    if isinstance(item, av.Packet):
                        put(item)
                        continue
                    yield item
                    progress.update()

            seen = stack.enter_context(
                closing(self._search(pictures(), find, self.every))
            )
            for covered in self.planner.plan(seen):
                outcome.count(covered)
                put(covered)


def _split(
    inputs: str | Path | int | np.ndarray | Sequence,
) -> tuple[list[np.ndarray], list]:
    """Pixels and everything else."""
    if isinstance(inputs, (str, Path, int, np.ndarray)):
        inputs = [inputs]
    arrays = [one for one in inputs if isinstance(one, np.ndarray)]
    return arrays, [one for one in inputs if not isinstance(one, np.ndarray)]


def _spare_the_face(geometry: CropGeometry, shape: str, align: bool) -> CropGeometry:
    """Narrow the fading edge until no face box shows through."""
    widest = widest_fade(geometry.margin, shape, align)
    feather = min(geometry.feather, max(widest, 0))
    return CropGeometry(geometry.crop_size, geometry.margin, feather)


def _known_people(
    exempt: str | Path | None,
    only: str | Path | None,
    recognizer: str | Path | Mapping | None,
    detector: BaseFaceDetector,
) -> KnownPeople | None:
    folder = exempt if only is None else only
    if folder is None:
        return None
    if recognizer is None:
        raise ValueError(
            'to tell people apart name a recognizer: weights of MobileFaceNet, or the '
            'config of a FaceClassifier'
        )
    from .known_people import KnownPeople
    from .recognizer import build_recognizer

    built = build_recognizer(recognizer)
    return KnownPeople(folder, detector, built, only=only is not None)


def _check_writable(folder: Path, name: str) -> None:
    try:
        with written_whole(folder / '.mmanon_probe') as probe:
            probe.touch()
        (folder / '.mmanon_probe').unlink()
    except OSError as error:
        raise InputError(
            f'{name} folder {folder} cannot be written: {error.strerror}'
        ) from error


def _check_output(source: Source, out: Path, taken: dict[Path, str]) -> None:
    if out in taken:
        raise InputError(
            f'{source.where} and {taken[out]} would both be written to {out}; '
            'anonymize them to different folders'
        )
    taken[out] = source.where
    if source.kind != 'live' and out.exists() and out.samefile(source.where):
        raise InputError(
            f'{source.where} would be written over itself; name another output folder'
        )


def _words(error: Exception) -> str:
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        where = f' ({error.filename})' if error.filename else ''
        return f'{error.strerror}{where}'
    return f'{type(error).__name__}: {error}'


def _log(outcome: Outcome) -> None:
    if outcome.status == 'failed':
        level, words = logging.ERROR, [f'failed: {outcome.reason}']
    else:
        level = logging.WARNING if outcome.problems or outcome.whole else logging.INFO
        words = [
            f'{outcome.out}: {outcome.frames} frames, {outcome.faces} faces covered '
            f'({outcome.filled} of them where the detector saw none)'
        ]
        if outcome.spared:
            words.append(f'{outcome.spared} faces left visible')
        if outcome.whole:
            words.append(
                f'{outcome.whole} frames that could not be examined are covered whole'
            )
    words += outcome.problems + outcome.removed
    print_log('; '.join([outcome.source, *words]), level=level)


@contextmanager
def _stoppable(live: bool) -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C end a camera or stream so that what was seen so far is kept.

    A second Ctrl-C stops at once, as the first does for files.
    """
    stop = threading.Event()
    if not live or threading.current_thread() is not threading.main_thread():
        yield stop.is_set
        return
    before = signal.getsignal(signal.SIGINT)

    def ask(*_: object) -> None:
        signal.signal(signal.SIGINT, before)
        stop.set()

    signal.signal(signal.SIGINT, ask)
    try:
        yield stop.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def _put_colour(pixels: np.ndarray, colour: np.ndarray) -> None:
    """Write an RGB picture over one of any kind; alpha stays."""
    if pixels.ndim == 3 and pixels.shape[2] >= 3:
        pixels[..., :3] = colour
        return
    grey = to_grey(colour)
    # What was not redrawn is grey already and must not be rounded again.
    same = (colour == colour[..., :1]).all(2)
    grey[same] = colour[..., 0][same]
    if pixels.ndim == 2:
        pixels[:] = grey
    else:
        pixels[..., 0] = grey
