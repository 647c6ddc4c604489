"""Record the covered frames of a camera, if the user switches it on."""

from __future__ import annotations

import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from threading import Lock

import av
import numpy as np
from PIL import Image, ImageOps

from mmanon.utils.atomic_write import WholeFile
from mmanon.utils.video import file_url

from .io.sources import InputError

__all__ = ['Recording']

_TIME_BASE = Fraction(1, 90_000)
_STEP = 0.04  # seconds from one frame to the next, if unknown
# Encoding must leave the processor time to the search for faces.
_ENCODER = {'preset': 'ultrafast', 'crf': '21'}


class Recording:
    """A film of covered frames, as H.264 in MP4, written completely or not at all.

    It gets only the covered frames of :class:`.live.LiveAnonymizer`. Frames keep the
    times at which they arrive; pauses are left out. A frame whose size differs from
    that of the first frame is fitted into that size, with black borders.

    Args:
        path (Path): The file, ``*.mp4``.
        longest (float, optional): Maximum length in seconds.
        now (callable): Returns the time in seconds.

    Attributes:
        frames (int): The number of frames.
        seconds (float): The length in seconds.

    Raises:
        InputError: When the file name does not end in ``.mp4``.
        OSError: When the folder cannot be created.
    """

    def __init__(
        self,
        path: Path,
        longest: float | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        if path.suffix.lower() != '.mp4':
            raise InputError(
                f'a recording is an MP4 file: write it to {path.with_suffix(".mp4")}'
            )
        self._file = WholeFile(path)
        self._longest, self._now = longest, now
        self._container: av.container.OutputContainer | None = None
        self._last: float | None = None
        self._lock, self._ended = Lock(), False
        self.frames, self.seconds = 0, 0.0

    @property
    def is_full(self) -> bool:
        """Whether it has reached its maximum length."""
        return self._longest is not None and self.seconds >= self._longest

    def put(self, image: np.ndarray) -> None:
        """Add a covered frame, uint8 (H, W, 3) RGB.

        Raises:
            OSError: When it cannot be written.
        """
        with self._lock:
            if self._ended or self.is_full:
                return
            here = self._now()
            if self.frames:
                gap = _STEP if self._last is None else here - self._last
                self.seconds += max(gap, 0.001)
            self._last = here
            if self._container is None:
                self._open(image)
            assert self._container is not None
            frame = av.VideoFrame.from_ndarray(self._fitted(image), 'rgb24')
            frame.pts, frame.time_base = round(self.seconds / _TIME_BASE), _TIME_BASE
            self._container.mux(self._stream.encode(frame))
            self.frames += 1

    def pause(self) -> None:
        """Leave out the time until the next frame."""
        with self._lock:
            self._last = None

    def finish(self) -> Path | None:
        """End the recording.

        Returns:
            Path or None: The file; None if there is no frame and therefore no file.

        Raises:
            OSError: When it cannot be written.
        """
        with self._lock:
            if self._ended or self._container is None:
                self._ended = True
                return self._file.path if self._file.path.is_file() else None
            self._ended = True
            try:
                self._container.mux(self._stream.encode())
                self._container.close()
                self._file.finish()
            except BaseException:
                self._file.discard()
                raise
            return self._file.path

    def discard(self) -> None:
        """End the recording and delete it, unless it was finished."""
        with self._lock:
            if not self._ended and self._container is not None:
                self._container.close()
                self._file.discard()
            self._ended = True

    def _open(self, image: np.ndarray) -> None:
        height, width = image.shape[:2]
        self._container = av.open(file_url(self._file.beside), 'w', format='mp4')
        self._stream = self._container.add_stream('libx264', 25, options=_ENCODER)
        # yuv420p stores colours for two by two pixels, so sides must be even.
        self._stream.width, self._stream.height = width + width % 2, height + height % 2
        self._stream.pix_fmt = 'yuv420p'
        self._stream.codec_context.time_base = _TIME_BASE

    def _fitted(self, image: np.ndarray) -> np.ndarray:
        size = self._stream.width, self._stream.height
        height, width = image.shape[:2]
        if (width, height) == size:
            return np.ascontiguousarray(image)
        if (width + width % 2, height + height % 2) == size:
            beyond = ((0, height % 2), (0, width % 2), (0, 0))
            return np.pad(image, beyond, mode='edge')
        return np.asarray(ImageOps.pad(Image.fromarray(image), size))
