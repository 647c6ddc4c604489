"""The meaning of a video's pixel values, and how the output declares it.

The pixel format, the matrix that converts RGB to brightness and colour, and the range
of values belong together. If the output cannot declare those of the source, the pixels
are converted to those that players assume.
"""

from __future__ import annotations

from dataclasses import dataclass

import av

from .filters import converted_to

__all__ = ['Colours']

_UNSAID, _RGB, _BT709, _BT601 = 2, 0, 1, 5  # matrices, by FFmpeg's numbers
_LIMITED, _FULL = 1, 2
# Files and codecs that can declare the meaning of colours.
_SAYING_FILES = {'mp4', 'mov', 'matroska', 'webm'}
_SAYING_CODECS = {
    *('libx264', 'libx265', 'libvpx-vp9', 'libsvtav1', 'libaom-av1'),
    'h264_nvenc',
}
# From this height on, players assume the matrix of HD if none is declared.
_OF_600_LINES = 600


@dataclass(frozen=True)
class Colours:
    """The format and meaning of pixels, by FFmpeg's names and numbers.

    Attributes:
        pixel_format (str): The pixel format, such as ``'yuv420p'``.
        matrix (int): The matrix of brightness and colour; 0 is RGB, 2 is not declared.
        span (int): 1 for the limited range of television, 2 for the full range, 0 if
            not declared.
    """

    pixel_format: str
    matrix: int
    span: int

    @classmethod
    def of_output(cls, first: av.VideoFrame, codec: str, container: str) -> Colours:
        """The colours of the output of a source with this first frame.

        Args:
            first (av.VideoFrame): The first frame of the source.
            codec (str): FFmpeg's name of the encoder.
            container (str): FFmpeg's name of the file format.
        """
        chosen = _pixel_format(codec, first)
        form = av.VideoFormat(chosen)
        matrix, span = int(first.colorspace), int(first.color_range)
        if form.is_rgb:
            return cls(chosen, _RGB, _FULL)
        full = _is_full(first)
        if first.format.is_rgb:
            matrix, span, full = _BT709, _LIMITED, False
        elif matrix == _RGB:  # PNG declares this for grey
            matrix = _UNSAID
        says = container in _SAYING_FILES or codec in _SAYING_CODECS
        if not says:
            if full:
                span = 0 if chosen.startswith('gray') else _LIMITED
            if matrix not in (_UNSAID, _BT601) and first.height < _OF_600_LINES:
                matrix = _BT601
        elif full and not chosen.startswith('yuvj'):
            # Grey has the full range if nothing is declared, but H.264 and similar
            # codecs decode grey to colour.
            grey = chosen.startswith('gray') and codec not in _SAYING_CODECS
            span = span if grey else _FULL
        return cls(chosen, matrix, span)

    def fit(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Convert a frame to these colours; a frame that has them is returned as it is.

        Args:
            frame (av.VideoFrame): A frame of the source.
        """
        matrix, form = int(frame.colorspace), av.VideoFormat(self.pixel_format)
        full = _is_full(frame)
        wants_full = form.is_rgb or _says_full(form.name, self.span)
        # A conversion from RGB to RGB or to grey needs no matrix.
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
    """The number of a matrix in FFmpeg's scaler."""
    return {_RGB: _BT709, _UNSAID: _BT601, 6: _BT601}.get(matrix, matrix)


def _pixel_format(codec: str, frame: av.VideoFrame) -> str:
    """The source's own format, or the nearest one that the encoder supports."""
    offered = [form.name for form in av.codec.Codec(codec, 'w').video_formats or []]
    if codec in ('libx264', 'libx265') and (frame.width % 2 or frame.height % 2):
        # These encoders need even sides for subsampled colours; 4:4:4 keeps every
        # pixel.
        offered = [name for name in offered if name.startswith('yuv') and '444' in name]
    if not offered or frame.format.name in offered:
        return frame.format.name
    best, _ = av.codec.codec.find_best_pix_fmt_of_list(offered, frame.format.name)
    return frame.format.name if best is None else best.name
