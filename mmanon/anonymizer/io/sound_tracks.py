"""Write the sound and subtitles of the output: copy packets, or encode sound again."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import cast

import av

__all__ = ['CopiedTrack', 'EncodedTrack', 'add_track']

# The encoder if a file format does not support the source's sound.
_SOUND = {'webm': 'libopus', 'avi': 'pcm_s16le'}
_OPUS_RATE = 48000
_LEAST_BITS = 96_000
_LAYOUTS: dict[int, str] = {1: 'mono', 2: 'stereo', 3: '2.1', 4: '4.0', 6: '5.1'}
_NOT_IN_MOV = {'opus', 'libopus', 'flac', 'vorbis', 'libvorbis'}
# In a transport stream, any other codec is stored as unknown private data.
_IN_TRANSPORT = {
    *('aac', 'aac_latm', 'ac3', 'eac3', 'dca', 'truehd', 'opus', 's302m'),
    *('mp1', 'mp2', 'mp3', 'mp1float', 'mp2float', 'mp3float'),
}
_TITLES = {'dvbsub', 'dvb_subtitle', 'dvb_teletext', 'libzvbi_teletextdec', 'pgssub'}
# AVI has no time stamps of sound and counts instead. With a copied header it counts
# wrongly, with the header of this encoder it counts correctly.
_COUNTED_IN_AVI = {
    **{'mp3': 'libmp3lame', 'mp3float': 'libmp3lame'},
    **{'mp2': 'mp2', 'mp2float': 'mp2', 'ac3': 'ac3'},
}
_NEARLY = Fraction(1, 10)  # seconds by which the time of a packet may be corrected


class CopiedTrack:
    """A stream whose packets are copied.

    Args:
        out: The stream of the output.

    Attributes:
        dropped (int): Number of packets that were dropped because of their times.
        out: The stream of the output.
    """

    said = ''

    def __init__(self, out: av.stream.Stream) -> None:
        self.out = out
        self.dropped = 0
        self._last: Fraction | None = None

    def put(self, packet: av.Packet) -> Iterator[av.Packet]:
        """Yield the packets to write for a packet of the source, whose time is set."""
        base = packet.time_base or Fraction(1)
        when = packet.dts if packet.dts is not None else packet.pts
        if when is not None and self._last is not None and when * base <= self._last:
            late = self._last - when * base
            # In the ticks of the output, the two packets could have the same time.
            tick = max(base, self.out.time_base or base)
            if late > _NEARLY:
                self.dropped += 1
                return
            behind = int((self._last + tick) / base) + 1
            packet.dts = behind
            if packet.pts is None or packet.pts < behind:
                packet.pts = behind
            when = behind
        if when is not None:
            self._last = when * base
        packet.stream = self.out
        yield packet

    def finish(self) -> Iterator[av.Packet]:
        """Yield the remaining packets."""
        return iter(())


class EncodedTrack:
    """A stream of sound that is encoded again.

    Args:
        source: The stream of the source.
        out: The stream of the output.
    """

    dropped = 0

    def __init__(self, source: av.AudioStream, out: av.AudioStream) -> None:
        self._source, self.out = source, out
        self.said = (
            f'stream {source.index} ({source.codec_context.name}) was encoded again as '
            f'{out.codec_context.name}, because this file format does not support it'
        )
        self._resampler: av.AudioResampler | None = None
        self._next: int | None = None  # in samples

    def put(self, packet: av.Packet) -> Iterator[av.Packet]:
        """Yield the packets to write for a packet of the source, whose time is set."""
        try:
            frames = self._source.decode(packet)
        except av.FFmpegError:
            self.dropped += 1
            return
        base = packet.time_base or Fraction(0)
        for frame in frames:
            if self._next is None:
                # Decoders may delay or drop the first frames.
                pts = packet.pts if frame.pts is None else frame.pts
                self._next = round((pts or 0) * base * self._rate)
            yield from self._encode(frame)

    @property
    def _rate(self) -> int:
        return int(self.out.codec_context.sample_rate)

    def _encode(self, frame: av.AudioFrame | None) -> Iterator[av.Packet]:
        context = self.out.codec_context
        if self._resampler is None:
            if frame is None:
                return
            self._resampler = av.AudioResampler(
                context.format, context.layout, self._rate, context.frame_size or 1024
            )
        if frame is not None:
            frame.pts = None  # samples are counted here
        for piece in self._resampler.resample(frame):
            piece.pts, piece.time_base = self._next, Fraction(1, self._rate)
            self._next = (self._next or 0) + piece.samples
            yield from self.out.encode(piece)

    def finish(self) -> Iterator[av.Packet]:
        """Yield the remaining packets."""
        try:
            for frame in self._source.decode(None):
                yield from self._encode(frame)
        except (av.FFmpegError, ValueError):
            pass  # damaged sound at the end is dropped
        yield from self._encode(None)
        if self._next is not None:
            yield from self.out.encode(None)


def add_track(
    container: av.container.OutputContainer, kind: str, source: av.stream.Stream
) -> CopiedTrack | EncodedTrack:
    """Add a stream like one of the source.

    Args:
        container: The output.
        kind (str): FFmpeg's name of its format.
        source: A stream of sound or subtitles.

    Raises:
        ValueError: When that format does not support such a stream.
    """
    codec = source.codec_context.name if source.codec_context else ''
    if kind == 'avi' and source.type == 'audio' and not codec.startswith('pcm_'):
        sound = cast(av.AudioStream, source)
        if codec in _COUNTED_IN_AVI:
            header = _COUNTED_IN_AVI[codec]
            return CopiedTrack(
                _new(container, header, sound, sound.codec_context.bit_rate)
            )
        return EncodedTrack(sound, _new(container, 'pcm_s16le', sound))
    if kind == 'mpegts' and source.type == 'subtitle' and codec not in _TITLES:
        raise ValueError(f'a transport stream does not support subtitles of {codec}')
    try:
        if kind == 'mpegts' and source.type == 'audio' and codec not in _IN_TRANSPORT:
            raise ValueError(f'a transport stream does not support {codec}')
        if kind == 'mov' and codec in _NOT_IN_MOV:
            raise ValueError(f'QuickTime does not support {codec}')
        if kind == 'mp4' and codec.startswith('pcm_') and not _knows_places(source):
            raise ValueError('MP4 needs the positions of the channels of raw sound')
        return CopiedTrack(container.add_stream_from_template(source))
    except ValueError:
        if source.type != 'audio':
            raise
    sound = cast(av.AudioStream, source)
    bit_rate = max(sound.codec_context.bit_rate or 0, _LEAST_BITS)
    codec = _SOUND.get(kind, 'aac')
    return EncodedTrack(sound, _new(container, codec, sound, bit_rate))


def _knows_places(source: av.stream.Stream) -> bool:
    """Whether the sound declares the positions of its channels, not only the number."""
    layout = cast(av.AudioStream, source).codec_context.layout
    return not layout.name.endswith(' channels')


def _new(
    container: av.container.OutputContainer,
    codec: str,
    source: av.AudioStream,
    bit_rate: int | None = None,
) -> av.AudioStream:
    rate = source.codec_context.sample_rate
    if codec == 'libopus':
        rate = _OPUS_RATE
    out = cast(av.AudioStream, container.add_stream(codec, rate))
    channels = source.codec_context.layout.nb_channels
    # Some files declare only the number of channels.
    out.codec_context.layout = _LAYOUTS.get(channels, source.codec_context.layout)
    if bit_rate:
        out.codec_context.bit_rate = bit_rate
    return out
