"""Anonymize videos and cameras as streams, whatever their length.

Four threads share the work: one decodes, one plans, one draws and one encodes.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

import av
from tqdm import tqdm

from mmanon.utils.devices import Place, cuda_number, told_places
from mmanon.utils.log import print_log
from mmanon.utils.threads import worked_ahead, worked_behind

from .face_finding import Find
from .face_search import Picture
from .frame_compositor import composite_frames, picture_of
from .given_faces import GivenFaces
from .io.gpu_codecs import NVENC, encoder_on
from .io.sources import InputError, Source, without_password
from .io.video_reader import VideoReader
from .io.video_writer import VideoWriter, default_codec
from .mask_planner import FramePlan
from .options import EncodingOptions
from .pipeline import FacePipeline
from .result import AnonymizationResult, reason_of
from .track_sheet import Chosen, TrackSheet

__all__ = ['VideoPipeline']

# Frames that wait between the threads.
_AHEAD, _BEHIND = 8, 4


class VideoPipeline:
    """Anonymizes videos, streams and cameras.

    Args:
        faces (FacePipeline): Finds, plans and draws.
        encoding (EncodingOptions): How outputs are written.
        device (str): Where videos are decoded and encoded, as for
            :func:`.devices.check_device`.
    """

    def __init__(
        self, faces: FacePipeline, encoding: EncodingOptions, device: str = 'cpu'
    ) -> None:
        self.faces, self.encoding, self.device = faces, encoding, device
        self._told: str | None = None

    def anonymize(
        self,
        source: Source,
        beside: Path,
        result: AnonymizationResult,
        start: float | None = None,
        end: float | None = None,
        show_progress: bool = True,
        chosen: Chosen | None = None,
        preview: Path | None = None,
    ) -> None:
        """Anonymize one video.

        Args:
            source (Source): A file, a stream's address or a camera's number.
            beside (Path): The file to write; the suffix of ``result.out`` determines
                its format.
            result (AnonymizationResult): The result, which is completed.
            start, end (float, optional): Where to begin and end, in seconds.
            show_progress (bool): Whether to show progress on a terminal.
            chosen (Chosen, optional): The user's decisions about tracks.
            preview (Path, optional): Where to write a :class:`.TrackSheet`.

        Raises:
            InputError: When the video cannot be read or written, or nothing is known of
                its faces.
        """
        live = source.kind == 'live'
        path = None if live else Path(source.where)
        find = self.faces.finder.open(source.name, path)
        self.faces.compositor.begin(source.name)
        assert result.out is not None
        container = result.out.suffix[1:].lower()
        with _stoppable(live) as stopped:
            reader = VideoReader(source.where, live, start, end, stopped, self.device)
            try:
                if result.boxes is not None:
                    turned = reader.orientation.transposed
                    size = (reader.first.width, reader.first.height)
                    result.boxes.size = size[::-1] if turned else size
                writer = self._open_writer(beside, container, reader)
                result.removed = writer.removed
                try:
                    sheet = TrackSheet() if preview is not None else None
                    try:
                        self._pump(
                            source.name,
                            reader,
                            writer,
                            find,
                            result,
                            show_progress,
                            chosen,
                            sheet,
                        )
                    except Exception as error:
                        if not live or not result.frames:
                            raise
                        # A camera cannot be recorded again: keep what is written.
                        reader.problems.append(f'it ends early: {reason_of(error)}')
                    writer.finish()
                    if sheet is not None and preview is not None:
                        sheet.write(preview, float(reader.stream.average_rate or 0))
                except BaseException:
                    writer.abort()
                    raise
            finally:
                result.covers = dict(self.faces.compositor.covers)
                result.problems = reader.problems
                reader.close()
        finder = self.faces.finder
        if isinstance(finder, GivenFaces) and start is None and end is None:
            result.problems += finder.beyond(source.name, result.frames)

    def _open_writer(
        self, path: Path, container: str, reader: VideoReader
    ) -> VideoWriter:
        options = self.encoding
        codec, given, encoder = options.codec, options.encoder_options, None
        if self.device != 'cpu':
            codec, given, encoder = self._encoder(container, reader)
        writer = VideoWriter(
            path,
            container,
            reader,
            codec=codec,
            quality=options.quality,
            encoder_options=given,
            copy_audio=options.copy_audio,
            keep_metadata=options.keep_metadata,
        )
        if encoder is not None:
            self._tell(reader, encoder)
        return writer

    def _encoder(
        self, container: str, reader: VideoReader
    ) -> tuple[str | None, Mapping[str, str] | None, Place]:
        """The encoder, its options, and where it runs."""
        codec, given = self.encoding.codec, self.encoding.encoder_options
        usual = default_codec(container)
        if codec is not None or given or usual != 'libx264':
            # The user has chosen an encoder or its options: keep them.
            return codec, given, Place('cpu', codec or usual)
        missing = encoder_on(self.device, reader.first)
        if missing is not None:
            return None, None, Place('cpu', usual, missing)
        number = cuda_number(self.device)
        return NVENC, {'gpu': str(number)}, Place(f'cuda:{number}', NVENC)

    def _tell(self, reader: VideoReader, encoder: Place) -> None:
        """Log where videos are decoded and encoded, whenever that changes."""
        told = told_places(
            self.device,
            [('videos are decoded', reader.decoder), ('encoded', encoder)],
        )
        if told != self._told:
            print_log(told)
        self._told = told

    def _pump(
        self,
        name: str,
        reader: VideoReader,
        writer: VideoWriter,
        find: Find,
        result: AnonymizationResult,
        show_progress: bool,
        chosen: Chosen | None,
        sheet: TrackSheet | None,
    ) -> None:
        turn, rate = reader.orientation, float(reader.stream.average_rate or 0)
        given = isinstance(self.faces.finder, GivenFaces)
        progress = tqdm(
            total=reader.stream.frames or None,
            unit='frame',
            desc=Path(without_password(reader.where)).name,
            disable=None if show_progress else True,
        )

        def prepared() -> Iterator[Picture | av.Packet]:
            for item in reader:
                if reader.refitted and given:
                    raise InputError(
                        f'{reader.where} changes the size of its picture, so the '
                        'places of the given boxes are unknown: anonymize it without '
                        'boxes'
                    )
                yield item if isinstance(item, av.Packet) else picture_of(item, turn)

        # A camera's frames come slowly, and must not be lost if it ends early.
        at_once = 1 if reader.live else self.faces.compositor.frames_at_once
        gathered: list[FramePlan | av.Packet] = []

        def write(item: av.VideoFrame | av.Packet) -> None:
            if isinstance(item, av.Packet):
                writer.write_packet(item)
            else:
                writer.write_frame(item)

        def draw_gathered() -> None:
            plans = [
                replace(one, picture=writer.colours.fit(one.picture))
                for one in gathered
                if isinstance(one, FramePlan)
            ]
            frames = iter(
                composite_frames(
                    plans, turn, self.faces.compositor, writer.colours.pixel_format
                )
            )
            for one in gathered:
                put_drawn(one if isinstance(one, av.Packet) else next(frames))
            gathered.clear()

        def draw(item: FramePlan | av.Packet) -> None:
            if isinstance(item, av.Packet) and not gathered:
                put_drawn(item)
                return
            gathered.append(item)
            if sum(isinstance(one, FramePlan) for one in gathered) >= at_once:
                draw_gathered()

        with worked_behind(write, _BEHIND) as put_drawn:
            with ExitStack() as stack:
                stack.enter_context(progress)
                put = stack.enter_context(worked_behind(draw, _BEHIND))
                items = stack.enter_context(worked_ahead(prepared(), _AHEAD))

                def pictures() -> Iterator[Picture]:
                    for item in items:
                        if isinstance(item, av.Packet):
                            put(item)
                            continue
                        yield item
                        progress.update()

                plans = self.faces.plan(pictures(), find, name, rate, chosen, sheet)
                # It must be closed before the threads that feed it end.
                stack.enter_context(closing(plans))
                for plan in plans:
                    if self.faces.regions:
                        time = plan.picture.time
                        time = plan.index / (rate or 25) if time is None else time
                        plan = self.faces.regions.apply(plan, name, time)
                    result.count(plan)
                    put(plan.filled())
            draw_gathered()


@contextmanager
def _stoppable(live: bool) -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C end a camera or stream and keep the frames so far.

    A second Ctrl-C stops at once, as the first one does for files.
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
