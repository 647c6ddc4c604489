"""The meaning of a video's pixel values, and how the output declares it.

A format of pixels, the matrix that makes brightness and colour of RGB, and the range of
the numbers belong together. If the output cannot declare the format of the source, the
pixels are converted to what players assume.
"""

from __future__ import annotations

from dataclasses import dataclass

import av

from .filters import converted_to

__all__ = ['Colours']

_UNSAID, _RGB, _BT709, _BT601 = 2, 0, 1, 5  # matrices, by FFmpeg's numbers
_LIMITED, _FULL = 1, 2
# Where the output says the meaning of its colours: in the file, or in the stream.
_SAYING_FILES = {'mp4', 'mov', 'matroska', 'webm'}
_SAYING_CODECS = {
    *('libx264', 'libx265', 'libvpx-vp9', 'libsvtav1', 'libaom-av1'),
    'h264_nvenc',
}
_OF_600_LINES = 600  # from here on players take an unsaid matrix for that of HD


@dataclass(frozen=True)
class Colours:
    """The format of pixels, by FFmpeg's names and numbers.

    Attributes:
        pixel_format (str): Such as ``'yuv420p'``.
        matrix (int): Of brightness and colour; 0 is RGB, 2 unsaid.
        span (int): 1 for the limited range of television, 2 for the full one, 0 unsaid.
    """

    pixel_format: str
    matrix: int
    span: int

    @classmethod
    def of_output(cls, first: av.VideoFrame, codec: str, container: str) -> Colours:
        """The colours of the output of a source with this first frame.

        Args:
            first (av.VideoFrame): Of the source.
            codec (str): FFmpeg's name of the encoder.
            container (str): FFmpeg's name of the kind of file.
        """
        chosen = _pixel_format(codec, first)
        form = av.VideoFormat(chosen)
        matrix, span = int(first.colorspace), int(first.color_range)
        if form.is_rgb:
            return cls(chosen, _RGB, _FULL)
        full = _is_full(first)
        if first.format.is_rgb:
            matrix, span, full = _BT709, _LIMITED, False
        elif matrix == _RGB:  # as PNG says of grey
            matrix = _UNSAID
        says = container in _SAYING_FILES or codec in _SAYING_CODECS
        if not says:
            if full:
                span = 0 if chosen.startswith('gray') else _LIMITED
            if matrix not in (_UNSAID, _BT601) and first.height < _OF_600_LINES:
                matrix = _BT601
        elif full and not chosen.startswith('yuvj'):
            # Grey is full unless said; H.264 and its like become colour when decoded.
            grey = chosen.startswith('gray') and codec not in _SAYING_CODECS
            span = span if grey else _FULL
        return cls(chosen, matrix, span)

    def fit(self, frame: av.VideoFrame) -> av.VideoFrame:
        """A frame with these colours; the same one where it has them.

        Args:
            frame (av.VideoFrame): Of the source.
        """
        matrix, form = int(frame.colorspace), av.VideoFormat(self.pixel_format)
        full = _is_full(frame)
        wants_full = form.is_rgb or _says_full(form.name, self.span)
        # Between RGB and RGB, or grey and grey, no matrix is asked.
        alike = frame.format.is_rgb and form.is_rgb or form.name.startswith('gray')
        alike = alike or _swscale(matrix) == _swscale(self.matrix)
        if frame.format.name == form.name and full == wants_full and alike:
            return frame
        fitted = converted_to(
            frame,
            form.name,
            src_colorspace=_swscale(matrix),
            dst_colorspace=_swscale(matrix if alike else self.matrix),
            src_color_range=_FULL if full else _LIMITED,
            dst_color_range=_FULL if wants_full else _LIMITED,
        )
        fitted.colorspace, fitted.color_range = self.matrix, self.span
        return fitted


def _is_full(frame: av.VideoFrame) -> bool:
    return frame.format.is_rgb or _says_full(frame.format.name, int(frame.color_range))


def _says_full(pixel_format: str, span: int) -> bool:
    """Whether values use the full range; grey does unless declared otherwise."""
    if pixel_format.startswith('gray'):
        return span != _LIMITED
    return span == _FULL or pixel_format.startswith('yuvj')


def _swscale(matrix: int) -> int:
    """The number by which FFmpeg's scaler knows a matrix."""
    return {_RGB: _BT709, _UNSAID: _BT601, 6: _BT601}.get(matrix, matrix)


def _pixel_format(codec: str, frame: av.VideoFrame) -> str:
    """The source's own format, or the nearest that the encoder takes."""
    offered = [form.name for form in av.codec.Codec(codec, 'w').video_formats or []]
    if codec in ('libx264', 'libx265') and (frame.width % 2 or frame.height % 2):
        # These store halved colour for even sides only; this keeps every pixel.
        offered = [name for name in offered if name.startswith('yuv') and '444' in name]
    if not offered or frame.format.name in offered:
        return frame.format.name
    best, _ = av.codec.codec.find_best_pix_fmt_of_list(offered, frame.format.name)
    return frame.format.name if best is None else best.name
