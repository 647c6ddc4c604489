"""Write a video in the format of its source, and copy the source's other streams."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple, cast

import av

from mmanon.utils.log import print_log
from mmanon.utils.orientation import Orientation
from mmanon.utils.video import file_url

from .colours import Colours
from .filters import scaled, turned
from .gpu_codecs import NVENC
from .sound_tracks import CopiedTrack, EncodedTrack, add_track
from .sources import InputError
from .tags import keep_or_remove_tags
from .video_reader import VideoReader

__all__ = ['VideoWriter', 'default_codec']

_FORMATS = {
    **{'mp4': 'mp4', 'm4v': 'mp4', 'mov': 'mov', 'mkv': 'matroska', 'webm': 'webm'},
    **{'avi': 'avi', 'ts': 'mpegts'},
}
# Players guess the time stamps of H.264 in AVI wrongly.
_CODECS = {'webm': 'libvpx-vp9', 'avi': 'mpeg4'}
# Constant quality at which the output looks like the source; smaller is better.
_QUALITY = {
    **{'libx264': 17, 'libx265': 20, 'libvpx-vp9': 24, 'libvpx': 10},
    **{'libsvtav1': 24, 'libaom-av1': 24, NVENC: 19},
}
# x264's default, medium, takes 2.5 times as long, and files are up to 15 % smaller at
# 18; see docs/speed.md.
_PRESETS = {'libx264': 'veryfast'}
_QUANTIZER = 3  # for encoders without a constant quality, such as MPEG-4
_FINEST_SCALE = 10_000_000  # an hour takes 36 bits
# Formats that cannot declare a rotation.
_UPRIGHT_ONLY = {'avi', 'mpegts'}
# Formats and encoders that can declare the pixel aspect. Matroska can, but PyAV does
# not support it.
_TELLING_ASPECT = {'mp4', 'mov', NVENC, 'libx264', 'libx265', 'mpeg4', 'mpeg2video'}
_UNIT = 118  # a step of a quantizer in FFmpeg's global_quality


def default_codec(container: str) -> str:
    """The default encoder of a format, given as an extension without a dot."""
    return _CODECS.get(_FORMATS.get(container, ''), 'libx264')


class _Times(NamedTuple):
    """The times at which a packet is shown and decoded, in ticks."""

    pts: int | None
    dts: int | None


class VideoWriter:
    """Writes one video.

    Time stamps, pixel aspect, colour description and rotation are those of the source.
    Packets of sound and subtitles are copied.

    Args:
        path (Path): The file to write.
        container (str): Its format, as an extension without a dot.
        reader (VideoReader): The source.
        codec (str, optional): FFmpeg's name of an encoder. Defaults to ``'libx264'``,
            ``'libvpx-vp9'`` in WebM, and ``'mpeg4'`` in AVI.
        quality (int, optional): The encoder's constant quality (CRF), or its quantizer
            if it has none; smaller is better. Defaults to a value at which the output
            looks like the source.
        encoder_options (Mapping, optional): More of the encoder's options, such as
            ``dict(preset='veryfast')``.
        copy_audio (bool): Whether sound is copied. Defaults to ``True``.
        keep_metadata (bool): Whether titles, places, devices, dates and chapters are
            kept. Defaults to ``False``.

    Attributes:
        removed (list[str]): Descriptions of what the output does not have.
        colours (Colours): The format and meaning of its pixels.

    Raises:
        InputError: When the container does not support the codec or a stream.
    """

    def __init__(
        self,
        path: Path,
        container: str,
        reader: VideoReader,
        codec: str | None = None,
        quality: int | None = None,
        encoder_options: Mapping[str, str] | None = None,
        copy_audio: bool = True,
        keep_metadata: bool = False,
    ) -> None:
        if container not in _FORMATS:
            raise InputError(
                f'container {container!r} is not supported; there are '
                f'{", ".join(sorted(_FORMATS))}'
            )
        self._format = _FORMATS[container]
        self._reader = reader
        self._options = dict(encoder_options or {})
        self._last_pts: int | None = None
        self._late = 0
        self._durations: dict[int, int] = {}
        self._held: av.VideoFrame | None = None
        self._first: _Times | None = None
        if self._format != 'mpegts':
            reader.count_from_zero()
        self.removed = [f'left out: {stream}' for stream in reader.left_out]
        options = {}
        if self._format in ('mp4', 'mov'):
            # The starts of streams are rounded to this scale; its default is 1/1000 s.
            streams = [reader.stream, *reader.copied]
            bases = [stream.time_base for stream in streams]
            scale = math.lcm(*(base.denominator for base in bases if base))
            if scale <= _FINEST_SCALE:
                options['movie_timescale'] = str(scale)
        self.container = av.open(
            file_url(path), 'w', format=self._format, container_options=options
        )
        try:
            codec = codec or _CODECS.get(self._format, 'libx264')
            self._add_picture(codec, quality)
            self._copies = self._add_copies(copy_audio)
            copies = [(stream, track.out) for stream, track in self._copies.items()]
            pairs = [(reader.stream, self.picture), *copies]
            self.removed += keep_or_remove_tags(
                reader.container, self.container, pairs, keep_metadata
            )
            self.container.start_encoding()
        except (av.FFmpegError, ValueError, OSError) as error:
            self.container.close()
            given = ', '.join(f'{k}={v}' for k, v in (encoder_options or {}).items())
            remedy = (
                f'check the options of the encoder: {given}'
                if given
                else "Matroska (container='mkv') supports most kinds of streams"
            )
            raise InputError(
                f'{reader.where} cannot be written as {container} with {codec}: '
                f'{getattr(error, "strerror", None) or error}; {remedy}'
            ) from error
        # The encoder has removed the options that it has used.
        unknown = [key for key in encoder_options or () if key in self._unused()]
        if unknown:
            self.abort()
            raise InputError(
                f'the encoder {codec} does not know the option {unknown[0]!r}: leave '
                'it out, or give another codec'
            )

    def _unused(self) -> Mapping[str, str]:
        """The options that the encoder does not know."""
        return self.picture.codec_context.options

    def _add_picture(self, codec: str, quality: int | None) -> None:
        source, first = self._reader.stream, self._reader.first
        rate = source.average_rate or source.guessed_rate or Fraction(25)
        crf = quality if quality is not None else _QUALITY.get(codec)
        if codec == NVENC:
            # It also has a constant quality, but with other names of options.
            named = {'rc': 'vbr', 'cq': str(crf), 'b': '0'}
            self._options = {**named, **self._options}
        elif codec in _QUALITY:
            self._options.setdefault('crf', str(crf))
        if codec in _PRESETS:
            self._options.setdefault('preset', _PRESETS[codec])
        if codec.startswith('libvpx'):
            self._options.setdefault('b', '0')
        if self._format == 'avi':
            # AVI has no time stamps: players guess them from the reordering of frames.
            counted = self._reader.container.format.name == 'avi'
            reordered = counted and source.codec_context.has_b_frames
            self._options.setdefault('bf', '2' if reordered else '0')
        out = cast(
            av.VideoStream,
            self.container.add_stream(codec, rate, options=self._options),
        )
        context = out.codec_context
        context.width, context.height = first.width, first.height
        # Frames are rotated here if the format cannot declare a rotation.
        self._turn = self._reader.orientation
        sideways = self._turn.transposed and self._format in _UPRIGHT_ONLY
        if sideways:
            context.width, context.height = first.height, first.width
        self.colours = Colours.of_output(first, codec, self._format)
        context.pix_fmt = self.colours.pixel_format
        # AVI counts frames; all other formats have time stamps.
        avi = self._format == 'avi'
        time_base = source.time_base or 1 / rate
        if avi:
            time_base = 1 / rate
        if codec == 'mpeg4' and time_base.denominator > 65535:
            time_base = Fraction(1, 65535)  # the finest that MPEG-4 supports
        context.time_base = out.time_base = self._time_base = time_base
        aspect = self._reader.aspect
        if aspect and sideways:
            aspect = 1 / aspect
        self._square: tuple[int, int] | None = None
        if aspect and aspect != 1:
            if self._format in _TELLING_ASPECT or codec in _TELLING_ASPECT:
                context.sample_aspect_ratio = aspect
            else:
                self._square = _squared(context.width, context.height, aspect)
                context.width, context.height = self._square
                self.removed.append(
                    f'pixels with an aspect of {aspect} became square, {context.width}x'
                    f'{context.height}: this format cannot declare their aspect'
                )
        context.color_range = self.colours.span
        context.colorspace = self.colours.matrix
        context.color_primaries = first.color_primaries
        context.color_trc = first.color_trc
        if codec not in _QUALITY:
            context.qscale = True
            context.global_quality = _UNIT * (
                quality if quality is not None else _QUANTIZER
            )
        if self._reader.matrix is not None and self._format not in _UPRIGHT_ONLY:
            out.set_display_matrix(self._reader.matrix)
        self.picture = out

    def _add_copies(
        self, copy_audio: bool
    ) -> dict[av.stream.Stream, CopiedTrack | EncodedTrack]:
        copies = {}
        for stream in self._reader.copied:
            if stream.type == 'audio' and not copy_audio:
                self.removed.append(f'left out: stream {stream.index} (audio)')
                continue
            copies[stream] = add_track(self.container, self._format, stream)
            if copies[stream].said:
                self.removed.append(copies[stream].said)
        return copies

    def write_frame(self, frame: av.VideoFrame) -> None:
        """Encode one frame at its own time.

        It is kept until the next frame determines its duration.

        Args:
            frame (av.VideoFrame): A frame with the output's colours, in stored
                orientation.
        """
        time_base = self._time_base
        pts = self._pts(frame, time_base)
        if self._format in _UPRIGHT_ONLY and self._turn != Orientation():
            frame = turned(frame, self._turn)
        if self._square is not None:
            frame = scaled(frame, *self._square)
        frame.pict_type = av.video.frame.PictureType.NONE  # not that of the source
        if frame.duration and frame.time_base:
            length = round(frame.duration * frame.time_base / time_base)
        else:
            length = 0
        frame.pts, frame.time_base, frame.duration = pts, time_base, length
        before, self._held = self._held, frame
        if before is not None:
            self._encode(before, pts - cast(int, before.pts))

    def _encode(self, frame: av.VideoFrame, length: int) -> None:
        self._durations[cast(int, frame.pts)] = length
        self._mux(self.picture.encode(frame))

    def _pts(self, frame: av.VideoFrame, time_base: Fraction) -> int:
        if frame.pts is None or frame.time_base is None:
            # Raw streams have no times: frames follow at the frame rate.
            rate = self.picture.codec_context.framerate or Fraction(25)
            step = 1 / (rate * time_base)
            pts = 0 if self._last_pts is None else self._last_pts + round(step)
        else:
            offset = self._reader.offset(self._reader.stream)
            pts = round((frame.pts - offset) * frame.time_base / time_base)
        if self._last_pts is not None and pts <= self._last_pts:
            if not self._late:
                print_log(
                    f'{self._reader.where}: a frame at {float(pts * time_base):.3f} s '
                    'comes after a later one; it gets a later time, as does every '
                    'other such frame',
                    level=logging.WARNING,
                )
            self._late += 1
            pts = self._last_pts + 1
        self._last_pts = pts
        return pts

    def _last_length(self, frame: av.VideoFrame) -> int:
        """The duration of the last frame, in ticks.

        If frames are reordered, some files store only the distance to the next
        decoding.
        """
        source = self._reader.stream
        rate = self.picture.codec_context.framerate or Fraction(25)
        length = frame.duration or max(1, round(1 / (rate * self._time_base)))
        if source.duration and source.time_base and self._reader.ends_with_source:
            end = (source.start_time or 0) + source.duration
            left = round(
                (end - self._reader.offset(source)) * source.time_base / self._time_base
            ) - cast(int, frame.pts)
            if 0 < left < length:
                return left
        return length

    def _end_at(self, end: int, packets: list[av.Packet]) -> None:
        """Set the duration of the packet that is decoded last.

        It determines the length of an MP4. If frames are reordered, this packet is not
        the one that is shown last.
        """
        if self._format not in ('mp4', 'mov') or not packets:
            return
        first, last = self._first or packets[0], packets[-1]
        if None not in (first.pts, first.dts, last.pts, last.dts):
            decoded = cast(int, last.dts) - cast(int, first.dts)
            self._durations[cast(int, last.pts)] = max(
                1, end - cast(int, first.pts) - decoded
            )

    def _mux(self, packets: Sequence[av.Packet]) -> None:
        for packet in packets:
            self._first = self._first or _Times(packet.pts, packet.dts)
            if packet.pts is None:
                duration = None
            else:
                duration = self._durations.pop(packet.pts, None)
            if duration:
                packet.duration = duration
            self.container.mux(packet)

    def write_packet(self, packet: av.Packet) -> None:
        """Write one packet of sound or subtitles, if these are kept."""
        track = self._copies.get(packet.stream)
        if track is None:
            return
        offset = self._reader.offset(packet.stream)
        if packet.pts is not None:
            packet.pts -= offset
        if packet.dts is not None:
            packet.dts -= offset
        for made in track.put(packet):
            self._mux_of(track, made)

    def _mux_of(self, track: CopiedTrack | EncodedTrack, packet: av.Packet) -> None:
        try:
            self.container.mux(packet)
        except (av.ArgumentError, av.InvalidDataError):
            track.dropped += 1  # only the damaged packet is lost

    def finish(self) -> None:
        """Write the remaining packets, and close the file."""
        packets = []
        if self._held is not None:
            length = self._last_length(self._held)
            end = cast(int, self._held.pts) + length
            self._durations[cast(int, self._held.pts)] = length
            packets = [*self.picture.encode(self._held), *self.picture.encode()]
            self._end_at(end, packets)
        self._mux(packets)
        for stream, track in self._copies.items():
            for packet in track.finish():
                self._mux_of(track, packet)
            if track.dropped:
                self._reader.problems.append(
                    f'{track.dropped} packets of stream {stream.index} ({stream.type}) '
                    'are damaged or have wrong times, and were left out'
                )
        self.container.close()

    def abort(self) -> None:
        """Close an output that failed."""
        try:
            self.container.close()
        except (av.FFmpegError, OSError):
            pass  # the caller already handles the actual error


def _squared(width: int, height: int, aspect: Fraction) -> tuple[int, int]:
    """The size with square pixels of the same aspect; no pixel is lost."""
    if aspect > 1:
        return 2 * round(width * aspect / 2), height
    return width, 2 * round(height / aspect / 2)
