"""A window that shows a camera, stream or video before and after anonymization.

Nothing is stored, unless the user records the covered frames.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Event, Thread
from types import ModuleType

import av
import numpy as np

from mmanon.face_detectors.opencv import opencv

from .inferencer import AnonymizerInferencer
from .io.sources import InputError, Source, find_sources
from .io.video_reader import VideoReader
from .live import LiveAnonymizer, LiveFrame
from .recording import Recording

__all__ = ['newest_frames', 'view']

_TITLE = 'mmanon: before and after (q ends)'
_ENDING = (ord('q'), 27)  # and Escape
_RECORDS = ord('r')
_LARGEST = 1600, 900  # maximum width and height of a new window in pixels


def view(
    inferencer: AnonymizerInferencer,
    inputs: str | Path | int | Sequence[str | Path | int],
    start: float | None = None,
    end: float | None = None,
    record: str | Path | None = None,
    problems: list[str] | None = None,
) -> int:
    """Show one camera, stream or video until it ends or q is pressed.

    Args:
        inferencer (AnonymizerInferencer): Covers the faces.
        inputs (str, Path, int or a sequence of these): One input, as for
            :func:`.io.sources.find_sources`.
        start, end (float, optional): Where to begin and end, in seconds.
        record (str or Path, optional): A file, ``*.mp4``, for the covered frames; the
            key r pauses and continues the recording. By default nothing is stored.
        problems (list[str], optional): Gets the reason if the input ends early, such as
            a camera that was unplugged.

    Returns:
        int: The number of frames shown.

    Raises:
        ImportError: When OpenCV is not installed.
        InputError: When the input is not one video, it cannot be read, or no window can
            be opened.
        OSError: When the recording cannot be written.
    """
    cv2 = opencv('a window')
    sources = find_sources(inputs).sources
    if len(sources) != 1 or sources[0].kind == 'image':
        raise InputError('a window shows one camera, stream or video: give one')
    _check_display()
    live = LiveAnonymizer(inferencer, name=sources[0].name)
    recording = None if record is None else Recording(Path(record).expanduser())
    shown, is_recording = 0, recording is not None
    try:
        _open_window(cv2)
        for image in newest_frames(sources[0], start, end, problems):
            frame = live.put(image)
            if frame.image is None:
                continue
            shown += 1
            if shown == 1:
                _fit_window(cv2, image)
            if recording is not None and is_recording:
                recording.put(frame.image)
            key = _show(cv2, image, frame, is_recording)
            if key in _ENDING or key is None:
                break
            if key == _RECORDS and recording is not None:
                is_recording = not is_recording
                recording.pause()
    finally:
        try:
            cv2.destroyAllWindows()
        finally:
            # A camera cannot be recorded again: keep the frames so far.
            if recording is not None:
                recording.finish()
    return shown


def newest_frames(
    source: Source,
    start: float | None = None,
    end: float | None = None,
    problems: list[str] | None = None,
) -> Iterator[np.ndarray]:
    """Yield the upright frames of a source, uint8 (H, W, 3) RGB.

    For a camera or stream, only the newest of the frames that arrive while one is
    processed is yielded. For a file, all frames are. If the source ends early, the
    reason is added to ``problems``.

    Raises:
        InputError: When it cannot be read.
    """
    live = source.kind == 'live'
    newest: Queue = Queue(maxsize=1)
    ended = Event()

    def put(item: object) -> None:
        while not ended.is_set():
            try:
                newest.put(item, timeout=0.1)
                return
            except Full:
                if live and isinstance(item, np.ndarray):
                    # Drop the waiting frame, which is older than this one.
                    try:
                        newest.get_nowait()
                    except Empty:
                        pass

    def read() -> None:
        try:
            reader = VideoReader(source.where, live, start, end, ended.is_set)
            try:
                for item in reader:
                    if isinstance(item, av.VideoFrame):
                        pixels = item.to_ndarray(format='rgb24')
                        put(np.ascontiguousarray(reader.orientation.upright(pixels)))
                    if ended.is_set():
                        break
            finally:
                if problems is not None:
                    problems.extend(reader.problems)
                reader.close()
            put(None)
        except BaseException as error:
            put(error)

    thread = Thread(target=read, daemon=True)
    thread.start()
    try:
        while (item := newest.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        ended.set()
        thread.join(5)


def _check_display() -> None:
    # Without a display, OpenCV's window would end the whole process.
    linux = sys.platform.startswith('linux')
    if linux and not any(os.environ.get(x) for x in ('DISPLAY', 'WAYLAND_DISPLAY')):
        raise InputError(
            'there is no display to open a window on (DISPLAY is not set): leave out '
            '--view, or use the tab Camera of mmanon-app'
        )


def _open_window(cv2: ModuleType) -> None:
    try:
        # Without the buttons of Qt's windows: one of them would save the original face.
        cv2.namedWindow(_TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_GUI_NORMAL)
    except cv2.error as error:
        raise InputError(
            'this OpenCV cannot open windows: install opencv-python instead of '
            'opencv-python-headless'
        ) from error


def _fit_window(cv2: ModuleType, image: np.ndarray) -> None:
    height, width = image.shape[0], 2 * image.shape[1]
    factor = min(1.0, _LARGEST[0] / width, _LARGEST[1] / height)
    cv2.resizeWindow(_TITLE, round(width * factor), round(height * factor))


def _show(
    cv2: ModuleType, image: np.ndarray, frame: LiveFrame, is_recording: bool
) -> int | None:
    """Show a frame; return the pressed key, or None if the window was closed."""
    assert frame.image is not None
    both = np.concatenate([image, frame.image], 1)
    cv2.imshow(_TITLE, np.ascontiguousarray(both[..., ::-1]))
    cv2.setWindowTitle(
        _TITLE,
        f'{_TITLE}: {len(frame.masks)} faces, {frame.rate:.1f} frames per second, '
        f'{frame.seconds * 1000:.0f} ms{", recording" if is_recording else ""}',
    )
    key = cv2.waitKey(1) & 0xFF
    if cv2.getWindowProperty(_TITLE, cv2.WND_PROP_VISIBLE) < 1:
        return None
    return key
