"""Read a video as a stream of decoded frames and of packets of its other streams."""

from __future__ import annotations

import heapq
import sys
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.codec.hwaccel import HWAccel

from mmanon.utils.devices import Place, cuda_number
from mmanon.utils.orientation import Orientation
from mmanon.utils.video import display_matrix, file_url

from .filters import letterboxed
from .gpu_codecs import NVDEC, FromGpu, reading_on
from .missing_frames import MissingFrames
from .sources import STDIN, InputError, without_password
from .timeline import Timeline

__all__ = ['VideoReader', 'open_input']

_MOST_REORDERED = 4  # frames by which a frame may be reordered
_FROM_ANYWHERE = {'mpegts', 'mpeg'}
_TIMEOUTS = (15.0, 15.0)  # seconds to wait for a stream to open, and for its data


def open_input(
    where: str, live: bool = False, hwaccel: HWAccel | None = None
) -> av.container.InputContainer:
    """Open a file, a stream's address, or a camera by its number.

    Args:
        where (str): A file, an address, a number, or ``'-'`` for the standard input.
        live (bool): Whether it is not a file.
        hwaccel (HWAccel, optional): Decodes the pictures of a file.

    Raises:
        InputError: When it cannot be opened.
        OSError: When it cannot be opened with ``hwaccel``.
    """
    # torchvision switches FFmpeg's messages on. A decoding thread would then wait for
    # Python's lock, and a thread that closes the decoder with the lock waits for it.
    av.logging.set_level(None)
    if not live and Path(where).is_file() and not Path(where).stat().st_size:
        raise InputError(f'{where} is empty')
    try:
        if where.isdecimal() and live:
            device, driver = _camera(int(where))
            return av.open(device, 'r', format=driver, timeout=_TIMEOUTS)
        address = where if live else file_url(where)
        return av.open(
            'pipe:0' if live and where == STDIN else address,
            'r',
            timeout=_TIMEOUTS if live else None,
            # Otherwise a video whose tags are not UTF-8 could not be read.
            metadata_errors='replace',
            hwaccel=hwaccel,
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        if hwaccel is not None:
            raise
        what = f'camera {where}' if where.isdecimal() and live else where
        raise InputError(
            f'{without_password(what)} cannot be opened: {_reason(error)}'
        ) from error


def _camera(number: int) -> tuple[str, str]:
    system: str = sys.platform
    if system.startswith('linux'):
        return f'/dev/video{number}', 'v4l2'
    if system == 'darwin':
        return str(number), 'avfoundation'
    raise InputError(
        f'camera {number} cannot be opened by its number on {system}: give the '
        'address of a stream'
    )


def _reason(error: Exception) -> str:
    if isinstance(error, av.ExitError):
        return f'no data for {_TIMEOUTS[1]:.0f} seconds'
    return getattr(error, 'strerror', None) or str(error)


class VideoReader:
    """Reads the frames of a video and the packets of its other streams, in order.

    The first frame is decoded at once, because the writer needs its properties.

    Args:
        where (str): A file, a stream's address, or a camera's number.
        live (bool): Whether it is a stream or camera, which ends when it is stopped.
        start (float, optional): Seconds to skip at the beginning.
        end (float, optional): Where to stop, in seconds from the beginning of the
            source.
        stopped (callable, optional): Called between packets; returns whether to stop.
        device (str): Where the pictures of a file are decoded, as for
            :func:`.devices.check_device`; a GPU is used if NVDEC can decode the file.

    Attributes:
        decoder (Place): Where the pictures are actually decoded.
        container: PyAV's container.
        stream: The video stream that is read.
        copied (list): The audio and subtitle streams, whose packets are not decoded.
        left_out (list[str]): Descriptions of the streams that the output will not have.
        first (av.VideoFrame): The first frame.
        orientation (Orientation): How to rotate frames so that they are upright.
        matrix (list[int] or None): The display matrix with this rotation.
        aspect (Fraction, optional): Width of a pixel divided by its height, as the file
            or the stream declares it.
        refitted (bool): Whether the picture has changed its size. Such frames get black
            bars and the size of the first frame.
        problems (list[str]): Descriptions of what could not be read so far.

    Raises:
        InputError: When no picture can be read.
    """

    def __init__(
        self,
        where: str,
        live: bool = False,
        start: float | None = None,
        end: float | None = None,
        stopped: Callable[[], bool] = lambda: False,
        device: str = 'cpu',
    ) -> None:
        self.where = without_password(where)
        self.live = live
        self.problems: list[str] = []
        self._stopped = stopped
        self._damaged = 0
        self.refitted = False
        self._zero: float | None = None
        self._size: tuple[int, int] | None = None
        self.decoder = Place('cpu', 'FFmpeg')
        self._from_gpu: FromGpu | None = None
        if device != 'cpu':
            self._use_gpu(where, device)
        gpu = self._from_gpu
        self.container = open_input(where, live, gpu.hwaccel if gpu else None)
        flag = cast(int, av.format.Flags.ts_discont.value)
        jumps = self.container.format.flags & flag
        self._timeline = Timeline(bool(jumps) or live)
        try:
            self._choose_streams()
            beginning = (self.container.start_time or 0) / av.time_base
            self._start = None if start is None else beginning + start
            self._end = None if end is None else beginning + end
            if self._start is not None and not live:
                self.container.seek(int(self._start * av.time_base))
            self._items = self._in_order(self._read())
            self._ahead: list = []
            for item in self._items:
                self._ahead.append(item)
                if isinstance(item, av.VideoFrame):
                    break
            else:
                raise InputError(self._no_frames())
        except BaseException:
            self.container.close()
            raise
        self.first: av.VideoFrame = self._ahead[-1]
        # A GPU's frames have no display matrix.
        self.matrix = display_matrix(gpu.example if gpu else self.first)
        self.orientation = (
            Orientation() if self.matrix is None else Orientation.of_matrix(self.matrix)
        )
        self.aspect = self.stream.sample_aspect_ratio

    def _use_gpu(self, where: str, device: str) -> None:
        missing: str | None = 'it is no file'
        if not self.live:
            self._from_gpu, missing = reading_on(
                device, lambda hwaccel: open_input(where, False, hwaccel)
            )
        if self._from_gpu is not None:
            self.decoder = Place(f'cuda:{cuda_number(device)}', NVDEC)
        else:
            self.decoder = replace(self.decoder, missing=missing)

    def _choose_streams(self) -> None:
        streams = self.container.streams
        pictures = [
            stream
            for stream in streams.video
            if not stream.disposition & av.stream.Disposition.attached_pic
        ]
        if not pictures:
            raise InputError(f'{self.where} has no video stream')
        self.stream = pictures[0]
        self.stream.thread_type = 'AUTO'
        self.copied = [*streams.audio, *streams.subtitles]
        kept = [self.stream, *self.copied]
        # Other streams are not copied, because they could show faces.
        self._missing = MissingFrames(self.container, self.stream)
        self.left_out = [_describe(stream) for stream in streams if stream not in kept]

    def _no_frames(self) -> str:
        if self._start is not None:
            return f'{self.where} has no frame after the requested start'
        return '; '.join([f'no frame of {self.where} can be decoded', *self.problems])

    def __iter__(self) -> Iterator[av.VideoFrame | av.Packet]:
        """Iterate over all frames and packets; this works only once."""
        yield from self._ahead
        self._ahead = []
        yield from self._items

    def count_from_zero(self) -> None:
        """Let the time of the output begin at 0, even if that of the source does not.

        Television counts the time since the transmitter was switched on.
        """
        anywhere = self.container.format.name in _FROM_ANYWHERE or self.live
        if anywhere and self.container.start_time:
            self._zero = self.container.start_time / av.time_base

    def offset(self, stream: av.stream.Stream) -> int:
        """The offset of time stamps of ``stream`` with which the output begins at 0."""
        zero = self._zero if self._start is None else self._start
        return 0 if zero is None else _ticks(zero, stream.time_base)

    @property
    def ends_with_source(self) -> bool:
        """Whether the output ends with the last frame of the source."""
        joined = self._timeline.joined
        return self._end is None and not self.live and not joined

    def close(self) -> None:
        """Close the file or camera."""
        self.container.close()

    @staticmethod
    def _in_order(items: Iterator) -> Iterator[av.VideoFrame | av.Packet]:
        """Assign time stamps to frames in ascending order.

        Decoders return frames in the order in which they are shown. Formats such as AVI
        store only the order of decoding, and some frames have wrong time stamps.
        """
        frames: deque[av.VideoFrame] = deque()
        stamps: list[int] = []

        def release() -> av.VideoFrame:
            frame = frames.popleft()
            if stamps:
                frame.pts = heapq.heappop(stamps)
            return frame

        for item in items:
            if not isinstance(item, av.VideoFrame):
                yield item
                continue
            stamp = item.dts if item.pts is None else item.pts
            frames.append(item)
            if stamp is not None:
                heapq.heappush(stamps, stamp)
            if len(frames) > _MOST_REORDERED:
                yield release()
        while frames:
            yield release()

    def _read(self) -> Iterator[av.VideoFrame | av.Packet]:
        running = {self.stream, *self.container.streams.audio}
        packets = self.container.demux([self.stream, *self.copied])
        while running:
            if self._stopped():
                break
            try:
                packet = next(packets)
            except (StopIteration, av.EOFError):
                break
            except av.FFmpegError as error:
                self.problems.append(f'reading ends early: {_reason(error)}')
                break
            self._timeline.put(packet)
            self._missing.see_packet(packet)
            if packet.stream is self.stream:
                if self.stream in running:
                    yield from self._decode(packet, running)
            elif packet.size:
                when = packet.pts if packet.pts is not None else packet.dts
                if self._is_before_start(when, packet.stream):
                    continue
                if self._is_past_end(when, packet.stream):
                    running.discard(packet.stream)
                else:
                    yield packet
        else:
            self._sum_up(whole=False)
            return
        # If reading ended early, the decoder may still have frames.
        yield from self._decode(None, running)
        self._sum_up(whole=self._start is None and self._end is None and not self.live)

    def _decode(self, packet: av.Packet | None, running: set) -> Iterator:
        try:
            frames = self.stream.decode(packet)
        except av.EOFError:
            return
        except av.FFmpegError:
            # The packet is damaged by a cut or an error of transmission.
            self._damaged += 1
            return
        for frame in frames:
            if frame.time_base is None:
                # A frame that the decoder returns without a packet has none.
                frame.time_base = self.stream.time_base
            if self._is_past_end(frame.pts, self.stream):
                running.discard(self.stream)
                return
            if not self._is_before_start(frame.pts, self.stream):
                self._missing.see_frame(frame)
                if self._from_gpu is not None:
                    frame = self._from_gpu(frame)
                yield self._of_one_size(frame)

    def _of_one_size(self, frame: av.VideoFrame) -> av.VideoFrame:
        size = (frame.width, frame.height)
        if self._size is None:
            self._size = size
        if size == self._size:
            return frame
        if not self.refitted:
            self.refitted = True
            when = '' if frame.time is None else f' at {frame.time:.2f} s'
            first = 'x'.join(map(str, self._size))
            self.problems.append(
                f'its picture changes from {first} to {size[0]}x{size[1]}{when}: from '
                'there on, it has black bars'
            )
        return letterboxed(frame, *self._size)

    def _is_before_start(self, pts: int | None, stream: av.stream.Stream) -> bool:
        if self._start is None or pts is None:
            return False
        return pts < _ticks(self._start, stream.time_base)

    def _is_past_end(self, pts: int | None, stream: av.stream.Stream) -> bool:
        if self._end is None or pts is None:
            return False
        return pts >= _ticks(self._end, stream.time_base)

    def _sum_up(self, whole: bool) -> None:
        """Add descriptions of what could not be read to :attr:`problems`.

        Args:
            whole (bool): Whether the whole video was requested.
        """
        if self._timeline.joined:
            self.problems.append(
                f'jumps in its time, whose parts were joined: {self._timeline.joined}'
            )
        damaged = bool(self.problems) or self._damaged > 0
        if self._damaged:
            self.problems.append(f'packets that cannot be decoded: {self._damaged}')
        self.problems += self._missing.as_words(whole, damaged, self._timeline.joined)


def _ticks(seconds: float, time_base: Fraction | None) -> int:
    assert time_base is not None  # a container's stream always has one
    return round(Fraction(seconds).limit_denominator(1_000_000) / time_base)


def _describe(stream: av.stream.Stream) -> str:
    codec = stream.codec_context.name if stream.codec_context else 'unknown'
    if stream.type == 'video' and (
        stream.disposition & av.stream.Disposition.attached_pic
    ):
        return f'stream {stream.index} (cover picture)'
    return f'stream {stream.index} ({stream.type}, {codec})'
