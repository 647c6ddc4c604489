"""Videos of any kind that the installed FFmpeg writes, drawn by Hypothesis.

A case says what to write; :func:`write` writes 16 frames of it, :func:`look` tells what
a file holds, by FFmpeg alone.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
from hypothesis import strategies as st

LENGTH = 16
BOX = (12, 12, 36, 36)  # of the face in the upright picture
FACE = (220, 30, 30)

_X264 = ['yuv420p', 'yuv422p', 'yuv444p', 'yuvj420p', 'yuv420p10le', 'gray', 'nv12']
PIXELS = {
    'libx264': _X264,
    'libx264rgb': ['rgb24', 'bgr0'],
    'libx265': ['yuv420p', 'yuv444p', 'gbrp', 'yuv420p10le', 'yuv422p10le'],
    'libvpx-vp9': ['yuv420p', 'yuv444p', 'gbrp'],
    'mpeg4': ['yuv420p'],
    'mpeg2video': ['yuv420p', 'yuv422p'],
    'mpeg1video': ['yuv420p'],
    'mjpeg': ['yuvj420p', 'yuvj422p', 'yuvj444p'],
    'ffv1': ['yuv420p', 'yuv422p10le', 'bgr0', 'gray', 'yuv444p16le', 'gbrp10le'],
    'huffyuv': ['yuv422p', 'rgb24'],
    'png': ['rgb24', 'rgba', 'gray', 'rgb48be'],
    'prores_ks': ['yuv422p10le', 'yuv444p10le'],
    'qtrle': ['rgb24', 'argb'],
    'rawvideo': ['yuv420p', 'bgr24', 'uyvy422'],
    'flv': ['yuv420p'],
    'wmv1': ['yuv420p'],
    'wmv2': ['yuv420p'],
    'msmpeg4': ['yuv420p'],
    'gif': ['rgb8'],
}
CODECS = {
    'mp4': ['libx264', 'libx264rgb', 'libx265', 'libvpx-vp9', 'mpeg4', 'mjpeg'],
    'm4v': ['libx264', 'mpeg4'],
    'mov': ['libx264', 'libx265', 'png', 'prores_ks', 'qtrle', 'mjpeg', 'rawvideo'],
    'mkv': [
        *('libx264', 'libx264rgb', 'libx265', 'libvpx-vp9', 'ffv1', 'mjpeg', 'mpeg4'),
        *('mpeg2video', 'prores_ks'),
    ],
    'webm': ['libvpx-vp9'],
    'avi': ['mpeg4', 'mjpeg', 'huffyuv', 'ffv1', 'msmpeg4', 'rawvideo', 'png'],
    'ts': ['libx264', 'libx265', 'mpeg2video'],
    'm2ts': ['libx264', 'mpeg2video'],
    'mpg': ['mpeg1video', 'mpeg2video'],
    'vob': ['mpeg2video'],
    'flv': ['flv', 'libx264'],
    'wmv': ['wmv1', 'wmv2', 'msmpeg4'],
    '3gp': ['libx264', 'mpeg4'],
    '3g2': ['libx264', 'mpeg4'],
    'nut': ['libx264', 'ffv1', 'mpeg4', 'huffyuv'],
    'mxf': ['mpeg2video'],
}
SOUNDS = {
    'mp4': ['aac', 'libmp3lame', 'ac3', 'libopus', 'flac'],
    'm4v': ['aac'],
    'mov': ['aac', 'pcm_s16le', 'libmp3lame', 'alac', 'pcm_s24le'],
    'mkv': ['aac', 'libmp3lame', 'ac3', 'libopus', 'flac', 'pcm_s16le'],
    'webm': ['libopus'],
    'avi': ['libmp3lame', 'ac3', 'pcm_s16le', 'pcm_u8', 'mp2', 'adpcm_ms', 'aac'],
    'ts': ['aac', 'libmp3lame', 'ac3', 'mp2'],
    'm2ts': ['ac3', 'aac'],
    'mpg': ['mp2', 'ac3'],
    'vob': ['mp2', 'ac3'],
    'flv': ['aac', 'libmp3lame', 'nellymoser', 'adpcm_swf', 'pcm_s16le'],
    'wmv': ['wmav2', 'wmav1', 'libmp3lame'],
    '3gp': ['aac', 'libopencore_amrnb'],
    '3g2': ['aac', 'libopencore_amrnb'],
    'nut': ['aac', 'pcm_s16le', 'libmp3lame'],
    'mxf': ['pcm_s16le'],
}
_SOUND_RATES = {
    **{'libopencore_amrnb': 8000, 'nellymoser': 16000, 'adpcm_swf': 22050},
    **{'wmav1': 44100, 'wmav2': 44100},
}
# Kinds of files that tell when each frame is shown, and how the picture is turned.
_TIMED = {'mp4', 'm4v', 'mov', 'mkv', 'webm', 'ts', 'm2ts', 'nut', '3gp', '3g2'}
_TURNED = {'mp4', 'm4v', 'mov', 'mkv', '3gp', '3g2'}
_REORDERED = {'libx264', 'libx265', 'mpeg4', 'mpeg2video'}
_DVD_RATES = [Fraction(25), Fraction(30000, 1001), Fraction(24)]
_TEXT = {
    'srt': '1\n00:00:00,100 --> 00:00:00,300\nHallo\n\n',
    'ass': '[Script Info]\nScriptType: v4.00+\n\n[Events]\n'
    'Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n'
    'Dialogue: 0,0:00:00.10,0:00:00.30,Default,,0,0,0,,Hallo\n',
}


@dataclass(frozen=True)
class Case:
    """A video to write."""

    container: str
    codec: str
    pixels: str
    size: tuple[int, int]
    rate: Fraction
    steps: tuple[int, ...]  # from a frame to the next, in frames
    b_frames: int
    turn: tuple[int, bool]
    aspect: Fraction | None
    span: int | None  # range of the numbers
    matrix: int | None
    sound: str | None
    channels: str
    text: str | None
    output: str | None


@st.composite
def cases(draw):
    """Any case."""
    container = draw(st.sampled_from(sorted(CODECS)))
    codec = draw(st.sampled_from(CODECS[container]))
    steady = container in ('mpg', 'vob', 'mxf') or codec.startswith('mpeg')
    rates = [*_DVD_RATES, Fraction(10), Fraction(60), Fraction(15), Fraction(50)]
    rate = draw(st.sampled_from(_DVD_RATES if steady else rates))
    pixels = draw(st.sampled_from(PIXELS[codec]))
    odd = codec in ('ffv1', 'png', 'mjpeg', 'qtrle') and draw(st.booleans())
    size = (75, 57) if odd and pixels.startswith(('rgb', 'bgr', 'gray')) else (80, 60)
    if codec == 'prores_ks' or container == 'mxf':
        size = (96, 64)
    steps = (1,) * LENGTH
    if container in _TIMED and not steady and draw(st.booleans()):
        steps = tuple(
            draw(st.lists(st.integers(1, 6), min_size=LENGTH, max_size=LENGTH))
        )
    yuv = pixels.startswith('yuv') and not pixels.startswith('yuvj')
    tagged = yuv and codec in ('libx264', 'libx265', 'libvpx-vp9')
    return Case(
        container=container,
        codec=codec,
        pixels=pixels,
        size=size,
        rate=rate,
        steps=steps,
        b_frames=draw(st.integers(0, 3)) if codec in _REORDERED else 0,
        turn=draw(
            st.sampled_from([(0, False), (90, False), (180, False), (270, False)])
            if container in _TURNED
            else st.just((0, False))
        ),
        aspect=draw(st.sampled_from([None, Fraction(4, 3), Fraction(32, 27)]))
        if codec in ('libx264', 'libx265', 'mpeg4') or container in ('mp4', 'mov')
        else None,
        span=draw(st.sampled_from([None, 1, 2])) if tagged else None,
        matrix=draw(st.sampled_from([None, 1, 5])) if tagged else None,
        sound=draw(st.sampled_from([None, *SOUNDS[container]])),
        channels=draw(st.sampled_from(['mono', 'stereo'])),
        text=draw(st.sampled_from([None, *_TEXT])) if container == 'mkv' else None,
        output=draw(st.sampled_from([None, None, 'mkv', 'mp4', 'mov', 'ts', 'avi'])),
    )


def picture(t, size):
    """Frame t of the upright picture: colours that run, and a red face."""
    width, height = size
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    image = np.stack([60 + 120 * x, 70 + 110 * y, 190 - 100 * x * y - t], 2)
    image = image.astype(np.uint8)
    x1, y1, x2, y2 = BOX
    image[y1:y2, x1:x2] = FACE
    return image


def _stored(image, turn):
    return np.ascontiguousarray(np.rot90(image, -turn[0] // 90))


def upright_size(case):
    """Width and height of the picture as it is seen."""
    return case.size[::-1] if case.turn[0] in (90, 270) else case.size


def write(case, path):
    """Write a case.

    Raises:
        av.FFmpegError, ValueError: Where FFmpeg does not write it.
    """
    options = {'libx264': {'preset': 'veryfast', 'crf': '10'}}.get(case.codec, {})
    if case.codec == 'libx265':
        options = {'preset': 'ultrafast', 'crf': '8', 'x265-params': 'log-level=none'}
    if case.codec == 'libvpx-vp9':
        options = {'deadline': 'realtime', 'cpu-used': '8', 'crf': '10', 'b': '0'}
    if case.codec in _REORDERED:
        options['bf'] = str(case.b_frames)
    with av.open(f'file:{path}', 'w') as container:
        stream: Any = container.add_stream(case.codec, case.rate, options=options)
        context = stream.codec_context
        context.width, context.height = case.size
        context.pix_fmt = case.pixels
        if case.codec not in ('libx264', 'libx265', 'libvpx-vp9', 'prores_ks'):
            context.qscale, context.global_quality = True, 118 * 2
        for name, value in (
            ('sample_aspect_ratio', case.aspect),
            ('color_range', case.span),
            ('colorspace', case.matrix),
        ):
            if value is not None:
                setattr(context, name, value)
        if case.turn != (0, False):
            stream.set_display_rotation(*case.turn, False)
        tone = _add_tone(container, case) if case.sound else None
        container.start_encoding()
        packets = [*_frames(case, stream)]
        if tone is not None:
            packets += _tone(tone, sum(case.steps) / case.rate)
        packets = [packet for packet in packets if packet.size]
        for packet in sorted(packets, key=lambda one: (one.dts or 0) * one.time_base):
            container.mux(packet)
    if case.text:
        _add_text(case, path)


def _add_tone(container, case):
    rate = _SOUND_RATES.get(case.sound, 48000)
    tone = container.add_stream(case.sound, rate)
    mono = rate != 48000 and case.sound != 'wmav2'
    tone.codec_context.layout = 'mono' if mono else case.channels
    if case.sound.startswith('wma'):
        tone.codec_context.bit_rate = 64000
    if case.sound == 'libopencore_amrnb':
        tone.codec_context.bit_rate = 12200
    return tone


def _frames(case, stream):
    when = 0
    for t in range(LENGTH):
        image = _stored(picture(t, upright_size(case)), case.turn)
        frame = av.VideoFrame.from_ndarray(image, 'rgb24')
        if not frame.format.is_rgb or case.pixels not in ('rgb24',):
            form = av.VideoFormat(case.pixels)
            full = case.span == 2 or case.pixels.startswith('yuvj')
            frame = frame.reformat(
                format=case.pixels,
                dst_colorspace=None if form.is_rgb else case.matrix or 5,
                dst_color_range=2 if full or form.is_rgb else 1,
            )
        frame.pts, frame.time_base = when, 1 / case.rate
        when += case.steps[t]
        yield from stream.encode(frame)
    yield from stream.encode()


def _tone(stream, seconds):
    context = stream.codec_context
    rate = context.sample_rate
    wave = (np.sin(np.arange(int(rate * seconds)) / 8) * 9000).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(wave[None], 's16', 'mono')
    frame.sample_rate, frame.pts = rate, 0
    size = context.frame_size or 1024
    resampler = av.AudioResampler(context.format, context.layout, rate, size)
    for one in [*resampler.resample(frame), *resampler.resample(None)]:
        yield from stream.encode(one)
    yield from stream.encode()


def _add_text(case, path):
    text = path.with_suffix(f'.{case.text}')
    text.write_text(_TEXT[case.text])
    plain = path.with_name(f'plain_{path.name}')
    path.rename(plain)
    with (
        av.open(f'file:{plain}') as one,
        av.open(f'file:{text}') as two,
        av.open(f'file:{path}', 'w') as out,
    ):
        copies = {
            stream: out.add_stream_from_template(stream)
            for stream in [*one.streams, *two.streams]
        }
        if case.turn != (0, False):
            copies[one.streams.video[0]].set_display_rotation(*case.turn, False)
        for packet in [*one.demux(), *two.demux()]:
            if packet.size:
                packet.stream = copies[packet.stream]
                out.mux(packet)
    plain.unlink()
    text.unlink()


@dataclass
class Seen:
    """What a file holds."""

    frames: list  # upright, RGB
    times: list[float]
    shape: float  # of the upright picture: its width in parts of its height
    sounds: list[tuple[bytes, float]]
    texts: list[tuple[bytes, float]]
    seconds: float


def look(path):
    """What a file holds, by FFmpeg alone."""
    frames, times, packets = [], [], {'audio': [], 'subtitle': []}
    with av.open(f'file:{path}') as container:
        for frame in container.decode(video=0):
            image = frame.to_ndarray(format='rgb24')
            turn = round(frame.rotation / 90)
            frames.append(np.rot90(image, turn))
            times.append(float(frame.time))
        stream: Any = container.streams.video[0]
        aspect = float(stream.sample_aspect_ratio or 1)
        height, width = frames[0].shape[:2]
        if turn % 2:
            aspect = 1 / aspect
        seconds = (container.duration or 0) / av.time_base
    with av.open(f'file:{path}') as container:
        streams = container.streams
        kinds = {one: one.type for one in (*streams.audio, *streams.subtitles)}
        for packet in container.demux(*kinds) if kinds else ():
            if packet.size:
                when = float(packet.pts * packet.time_base)
                packets[kinds[packet.stream]].append((bytes(packet), when))
    return Seen(
        frames,
        times,
        aspect * width / height,
        packets['audio'],
        packets['subtitle'],
        seconds,
    )
