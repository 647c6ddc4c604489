"""Keeps the covered frames of a camera, where somebody has switched that on."""

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
_STEP = 0.04  # seconds from one frame to the next where that is not known
# Encoding shall take little of the time that the search for faces needs.
_ENCODER = {'preset': 'ultrafast', 'crf': '21'}


class Recording:
    """A film of covered frames, as H.264 in MP4, whole or not at all.

    It is given what :class:`.live.LiveAnonymizer` shows, and never sees anything else.
    Frames keep the times at which they come; what goes on while it pauses is not in it.
    A frame of another size than the first is fitted into that, with black beside it.

    Args:
        path (Path): The file, ``*.mp4``.
        longest (float, optional): Seconds after which no more is kept.
        now (callable): The time in seconds.

    Attributes:
        frames (int): How many it has.
        seconds (float): How long it is.

    Raises:
        InputError: When the name has another ending.
        OSError: When the folder cannot be made.
    """

    def __init__(
        self,
        path: Path,
        longest: float | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        if path.suffix.lower() != '.mp4':
            raise InputError(f'recordings are MP4: name {path.with_suffix(".mp4")}')
        self._file = WholeFile(path)
        self._longest, self._now = longest, now
        self._container: av.container.OutputContainer | None = None
        self._last: float | None = None
        self._lock, self._ended = Lock(), False
        self.frames, self.seconds = 0, 0.0

    @property
    def is_full(self) -> bool:
        """Whether it is as long as it may be."""
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
        """End it.

        Returns:
            Path or None: The file; None where there is no frame, and no file.

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
        """End it and keep nothing, unless it was finished."""
        with self._lock:
            if not self._ended and self._container is not None:
                self._container.close()
                self._file.discard()
            self._ended = True

    def _open(self, image: np.ndarray) -> None:
        height, width = image.shape[:2]
        self._container = av.open(file_url(self._file.beside), 'w', format='mp4')
        self._stream = self._container.add_stream('libx264', 25, options=_ENCODER)
        # Colours are stored for two pixels at a time.
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
