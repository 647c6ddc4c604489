"""Small videos of a red square, a face detector that finds it, and how to look at them.

A red square stands for a face: where red is left in an output, a face has leaked.
"""

from fractions import Fraction

import av
import numpy as np

from mmanon.anonymizer import AnonymizerInferencer, group_options
from mmanon.cli.anonymize import main as command
from mmanon.face_detectors import BaseFaceDetector

RED = (220, 30, 30)
SIDE = 16


class RedSquareDetector(BaseFaceDetector):
    """Finds the red square, but not always.

    Args:
        blind: Images, counted from 0, in which it finds nothing.
        unsure: Images in which its score is 0.4.
        raising: Images of which it raises an error.
    """

    def __init__(self, blind=(), unsure=(), raising=()):
        self.blind, self.unsure, self.raising = set(blind), set(unsure), set(raising)
        self.count = -1

    def _detect(self, image):
        self.count += 1
        if self.count in self.raising:
            raise RuntimeError('no memory left')
        ys, xs = np.nonzero(is_red(image))
        if self.count in self.blind or not len(xs):
            return np.zeros((0, 4)), np.zeros(0), np.zeros((0, 5, 2))
        box = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
        score = 0.4 if self.count in self.unsure else 0.9
        return np.array([box]), np.array([score]), np.full((1, 5, 2), np.nan)


def anonymizer(**options):
    """An inferencer by its options, one by one; a detector of red squares if none.

    Squares are masked by grey squares: an ellipse would leave their corners, and mean
    colours of red are red.
    """
    if 'boxes' not in options:
        options = {'detector': RedSquareDetector(), **options}
    options = {'modifier': 'grey', 'shape': 'square', **options}
    return AnonymizerInferencer(**group_options(**options))


SQUARES = ('--modifier', 'grey', '--shape', 'square')


def main(argv):
    """The command ``mmanon-anonymize``, for squares as :func:`anonymizer`."""
    return command([*SQUARES, *argv])


def is_red(image):
    """Which pixels of an RGB picture are about as red as the square."""
    image = image.astype(int)
    return (image[..., 0] > 130) & (image[..., 1:] < 100).all(-1)


def picture(t, size=(96, 64), scene=0):
    """Frame t: a red square that moves to the right over a grey pattern."""
    width, height = size
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    grey = 110 + 60 * np.sin((x, y)[scene % 2] / 9) * np.sin((y + x) / 17)
    image = np.repeat(grey[..., None], 3, 2).astype(np.uint8)
    left = 8 + 2 * t
    image[20 : 20 + SIDE, left : left + SIDE] = RED
    return image


def write_video(
    path,
    images,
    codec='libx264',
    rate=25,
    stamps=None,
    time_base=None,
    pix_fmt='yuv420p',
    options=None,
    audio=False,
    prepare=lambda container, stream: None,
):
    """Write RGB images as a video; ``stamps`` are in ticks of ``time_base``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(f'file:{path}', 'w') as container:
        stream = container.add_stream(codec, rate, options=options or {})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pix_fmt
        if time_base is not None:
            stream.codec_context.time_base = time_base
        prepare(container, stream)
        sound = container.add_stream('aac', 16000) if audio else None
        for t, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, 'rgb24')
            frame.pts = t if stamps is None else stamps[t]
            frame.time_base = time_base or Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        for packet in _tone(sound, len(images) / rate) if audio else ():
            container.mux(packet)
    return path


def write_with_sound(
    path,
    images,
    codec='libx264',
    sound='aac',
    rate=25,
    sound_rate=16000,
    pix_fmt='yuv420p',
    options=None,
    sound_options=None,
    bit_rate=None,
):
    """Write RGB images and a tone, in the order of time, in any codecs."""
    with av.open(f'file:{path}', 'w') as container:
        stream = container.add_stream(codec, rate, options=options or {})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pix_fmt
        tone = container.add_stream(sound, sound_rate, options=sound_options or {})
        context = tone.codec_context
        context.layout = 'mono'
        if bit_rate:
            context.bit_rate = bit_rate
        container.start_encoding()
        packets = []
        for t, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, 'rgb24')
            frame.pts, frame.time_base = t, Fraction(1, rate)
            packets += stream.encode(frame)
        packets += stream.encode()
        wave = np.sin(np.arange(sound_rate * len(images) // rate) / 8) * 9000
        frame = av.AudioFrame.from_ndarray(wave.astype(np.int16)[None], 's16', 'mono')
        frame.sample_rate, frame.pts = sound_rate, 0
        size = context.frame_size or 1024
        resampler = av.AudioResampler(context.format, 'mono', sound_rate, size)
        for one in [*resampler.resample(frame), *resampler.resample(None)]:
            packets += tone.encode(one)
        packets += tone.encode()
        packets = [packet for packet in packets if packet.size]
        for packet in sorted(packets, key=lambda one: (one.dts or 0) * one.time_base):
            container.mux(packet)
    return path


def copy_streams(source, path, change=lambda packet: packet, **stream_options):
    """Copy a file packet by packet; those that ``change`` makes None are left out."""
    with av.open(str(source)) as one, av.open(str(path), 'w') as two:
        copies = {
            stream: two.add_stream_from_template(stream, **stream_options)
            for stream in one.streams
        }
        for packet in one.demux():
            if packet.size and (packet := change(packet)) is not None:
                packet.stream = copies[packet.stream]
                two.mux(packet)
    return path


def _tone(stream, seconds):
    wave = np.sin(np.arange(int(16000 * seconds)) / 8) * 9000
    frame = av.AudioFrame.from_ndarray(wave.astype(np.int16)[None], 's16', 'mono')
    frame.sample_rate, frame.pts = 16000, 0
    resampled = av.AudioResampler('fltp', 'mono', 16000, frame_size=1024)
    for one in [*resampled.resample(frame), *resampled.resample(None)]:
        yield from stream.encode(one)
    yield from stream.encode()


def read_frames(path):
    """All frames of a video as RGB, as they are stored."""
    with av.open(f'file:{path}') as container:
        return [frame.to_ndarray(format='rgb24') for frame in container.decode(video=0)]


def read_times(path):
    """When each frame is shown, in exact seconds, ascending."""
    with av.open(f'file:{path}') as container:
        return sorted(
            frame.pts * frame.time_base for frame in container.decode(video=0)
        )


def read_packets(path, kind='audio'):
    """The bytes and the time of each packet of the first stream of a kind."""
    with av.open(f'file:{path}') as container:
        packets = container.demux(**{kind: 0})
        return [
            (bytes(packet), packet.pts * packet.time_base)
            for packet in packets
            if packet.size
        ]
