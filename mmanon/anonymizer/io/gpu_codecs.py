"""Decode and encode on an NVIDIA GPU, if FFmpeg, the driver and the GPU support it.

Many builds of FFmpeg know NVDEC and NVENC, but the machine may lack what these need: a
library of the driver in a container, or the encoder itself, which some GPUs for
computing do not have. Therefore both are tested.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

import av
from av.codec.hwaccel import HWAccel

from mmanon.utils.devices import cuda_number, is_cuda
from mmanon.utils.video import video_stream

from .filters import converted_to

__all__ = ['NVDEC', 'NVENC', 'FromGpu', 'encoder_on', 'reading_on']

NVDEC, NVENC = 'NVDEC', 'h264_nvenc'

# The decoder's pixel format on the CPU, and the one on the GPU.
_FROM_GPU = {'yuv420p': 'nv12', 'yuv420p10le': 'p010le'}
# The sizes of pictures, in pixels, that older GPUs can also encode.
_LEAST, _MOST = (160, 64), (4096, 4096)


class FromGpu:
    """Converts frames that a GPU has decoded to those of the CPU's decoder.

    A GPU's frames have other planes for brightness and colour, and lack the file's
    declaration of colours.

    Args:
        hwaccel (HWAccel): The accelerator with which to open the file.
        example (av.VideoFrame): The first frame from the CPU's decoder.
    """

    def __init__(self, hwaccel: HWAccel, example: av.VideoFrame) -> None:
        self.hwaccel, self.example = hwaccel, example

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Convert a frame of the GPU; another frame is returned unchanged."""
        example = self.example
        if frame.format.name != _FROM_GPU.get(example.format.name):
            return frame
        made = converted_to(frame, example.format.name)
        made.pts, made.duration = frame.pts, frame.duration
        if frame.time_base is not None:
            made.time_base = frame.time_base
        for name in ('colorspace', 'color_range', 'color_primaries', 'color_trc'):
            setattr(made, name, getattr(example, name))
        return made


def reading_on(
    device: str, open_input: Callable[[HWAccel | None], av.container.InputContainer]
) -> tuple[FromGpu | None, str | None]:
    """Find out whether a GPU can decode a video file.

    Args:
        device (str): ``'cuda'`` or ``'cuda:N'``.
        open_input (callable): Opens the file, with an accelerator or without.

    Returns:
        tuple[FromGpu or None, str or None]: The accelerator and conversion of frames,
        and None; or None and the reason.
    """
    try:
        with open_input(None) as container:
            example = next(container.decode(video_stream(container)))
    except (av.FFmpegError, StopIteration, IndexError):
        return None, 'its first frame cannot be decoded'
    if example.format.name not in _FROM_GPU:
        return None, f'{NVDEC} is not used for {example.format.name}'
    hwaccel = HWAccel('cuda', str(cuda_number(device)), allow_software_fallback=True)
    try:
        with open_input(hwaccel) as container:
            stream = video_stream(container)
            if not stream.codec_context.is_hwaccel:
                return None, f'{NVDEC} does not know {stream.codec_context.name}'
            first = next(container.decode(stream))
    # The driver, a library or the GPU is missing.
    except (av.FFmpegError, OSError, StopIteration) as error:
        return None, f'{NVDEC} cannot be used here ({_said(error)})'
    size = (first.width, first.height)
    if first.format.name != _FROM_GPU[example.format.name]:
        return None, f'{NVDEC} does not take this kind of {stream.codec_context.name}'
    if size != (example.width, example.height):
        return None, f'{NVDEC} gives a picture of another size'
    return FromGpu(hwaccel, example), None


def encoder_on(device: str, first: av.VideoFrame) -> str | None:
    """The reason why a GPU cannot encode a video as H.264; ``None`` if it can.

    Args:
        device (str): As for :func:`.devices.check_device`.
        first (av.VideoFrame): The first frame.
    """
    if not is_cuda(device):
        return 'NVENC is for NVIDIA GPUs'
    sides = (first.width, first.height)
    fits = all(
        least <= side <= most and side % 2 == 0
        for least, side, most in zip(_LEAST, sides, _MOST, strict=True)
    )
    if not fits or first.format.name != 'yuv420p':
        return f'NVENC is not used for {sides[0]}x{sides[1]} {first.format.name}'
    return _missing_encoder(cuda_number(device))


@lru_cache
def _missing_encoder(number: int) -> str | None:
    """The reason why a GPU cannot encode H.264, found by opening an encoder on it."""
    try:
        context = av.codec.CodecContext.create(NVENC, 'w')
        assert isinstance(context, av.VideoCodecContext)
        context.width, context.height, context.pix_fmt = 256, 256, 'yuv420p'
        context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
        context.options = {'gpu': str(number)}
        context.open()
    except (av.FFmpegError, OSError, ValueError) as error:
        return f'NVENC cannot be used here ({_said(error)})'
    return None


def _said(error: BaseException) -> str:
    return getattr(error, 'strerror', None) or str(error) or type(error).__name__
