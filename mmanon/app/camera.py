"""The tab that covers the pictures of the browser's camera while it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any, Protocol

import gradio as gr
import numpy as np

from mmanon.anonymizer import AnonymizerInferencer
from mmanon.anonymizer.frame_plan import FaceMask
from mmanon.anonymizer.live import LiveAnonymizer, LiveFrame
from mmanon.anonymizer.recording import Recording
from mmanon.utils.inline_images import image_url

from .controls import key_controls, number_of
from .kept_files import KeptFiles
from .methods import STRENGTHS, USUAL, Method

__all__ = ['CameraTab', 'Watcher']

_WORDS = """\
Allow the camera, then press *Record*. Its pictures go to the machine that serves this
page and come back covered. Nothing is stored, neither there nor here, unless you switch
on *Keep a recording*, which stores only covered pictures. If pictures come faster than
they can be covered, some are skipped; no picture comes back uncovered.
"""
_KEEP = (
    'Records the covered pictures until you switch it off or close the page, for at '
    'most half an hour. Switch it off to download the recording; closing the page '
    'deletes it.'
)
# Gradio shows no message if the browser has no camera, or if a camera goes away.
_SAY_WHY_NOT = """\
() => {
const say = (words) => {
  const place = document.querySelector('#camera-said');
  if (place) { place.textContent = words; }
  return place;
};
const media = navigator.mediaDevices;
if (media) {
  const ask = media.getUserMedia.bind(media);
  media.getUserMedia = async (...asked) => {
    const stream = await ask(...asked);
    say('');
    for (const track of stream.getVideoTracks()) {
      track.addEventListener('ended', () => say(
        'The camera has stopped, and this is its last picture: connect it, stop, and '
          + 'press Record again.'));
    }
    return stream;
  };
}
window.addEventListener('unhandledrejection', (event) => {
  const words = {
    NotAllowedError: 'The browser may not use the camera: allow it next to the address '
      + 'of this page, and try again.',
    NotFoundError: 'The browser has found no camera: connect one, and try again.',
    NotReadableError: 'Another program uses the camera: end it, and try again.',
  }[event.reason?.name];
  if (words && say(words)) { event.preventDefault(); }
});
}
"""
_DELAY = 2  # frames
_EVERY = 0.04  # minimum seconds between two pictures from a browser
_QUALITY = 85  # quality of the JPEGs
_VISITORS = 4  # maximum number of cameras at the same time
_LONGEST = 1800.0  # maximum length of a recording in seconds

_Settings = tuple[str, int, str, str]


class Watcher(Protocol):
    """Names actions in covered frames; see :class:`mmanon.actions.live.LiveActions`."""

    @property
    def seen(self) -> Sequence[Any]:
        """The latest actions, each with ``track``, ``action`` and ``score``."""

    def put(self, image: np.ndarray, masks: Sequence[FaceMask]) -> None:
        """Add the next covered frame."""


class CameraTab:
    """Covers the cameras of several visitors, each with its own tracks and settings.

    Args:
        methods (dict[str, Method]): The choices, by name.
        make_inferencer (callable): Takes the arguments that choose a modifier, and
            returns an :class:`AnonymizerInferencer`.
        make_watcher (callable, optional): Makes a :class:`Watcher` for each visitor.
        kept (KeptFiles, optional): Where recordings are stored and deleted. Without it,
            nothing can be recorded.
    """

    def __init__(
        self,
        methods: dict[str, Method],
        make_inferencer: Callable[..., AnonymizerInferencer],
        make_watcher: Callable[[], Watcher] | None = None,
        kept: KeptFiles | None = None,
    ) -> None:
        self.methods, self._make = methods, make_inferencer
        self._make_watcher = make_watcher
        self._kept = kept
        self._recordings: dict[str, Recording] = {}
        self._running: dict[str, tuple[_Settings, LiveAnonymizer]] = {}
        self._watching: dict[str, Watcher] = {}
        self._lock = Lock()

    def build(self, page: gr.Blocks) -> None:
        """Build the tab in a page of Gradio."""
        gr.Markdown(_WORDS)
        first = next(iter(self.methods.values()))
        with gr.Row():
            method = gr.Dropdown(
                list(self.methods), value=first.name, label='Method', elem_id='live-how'
            )
            strength = gr.Slider(
                1,
                STRENGTHS,
                USUAL,
                step=1,
                label='Strength',
                info=first.describe(USUAL),
                interactive=bool(first.values),
            )
            keys = key_controls(first, 'live-')
        with gr.Row(equal_height=False):
            camera = gr.Image(
                label='Camera',
                sources=['webcam'],
                streaming=True,
                type='numpy',
                elem_id='camera',
                buttons=[],
                webcam_options=gr.WebcamOptions(mirror=False),
            )
            # Gradio's own component would write each picture to a file.
            shown = gr.HTML(elem_id='live', label='Covered')
        gr.HTML('', elem_id='camera-said')
        told = gr.Textbox(
            label='Speed, and actions found', lines=3, elem_id='live-words'
        )
        with gr.Row(visible=self._kept is not None):
            keep = gr.Checkbox(
                label='Keep a recording', info=_KEEP, elem_id='live-keep'
            )
            download = gr.DownloadButton(
                'Download the recording', interactive=False, elem_id='live-download'
            )
        page.load(None, js=_SAY_WHY_NOT, api_visibility='private')
        keep.change(
            self._switch,
            keep,
            download,
            api_visibility='private',
            show_progress='hidden',
        )
        camera.stream(
            self.cover,
            [camera, method, strength, *keys],
            [shown, told],
            stream_every=_EVERY,
            concurrency_id='camera',
            concurrency_limit=_VISITORS,
            api_visibility='private',
            show_progress='hidden',
        )
        for changed in (method.change, strength.change):
            changed(
                self._describe,
                [method, strength],
                [strength, *keys],
                api_visibility='private',
                show_progress='hidden',
            )

    def cover(
        self,
        image: np.ndarray | None,
        method: str,
        strength: int,
        key_per: str,
        seed: str,
        request: gr.Request,
    ) -> tuple:
        """Cover the next picture of a visitor's camera.

        Returns:
            tuple: The covered picture as HTML, and the text below it.
        """
        if image is None:
            return gr.skip(), gr.skip()
        live = self._of(
            str(request.session_hash), (method, int(strength), key_per, seed)
        )
        frame = live.put(image)
        if frame.image is None:
            return gr.skip(), gr.skip()
        picture = image_url(frame.image, _QUALITY)
        told = [_how_fast(frame), *self._record(str(request.session_hash), frame)]
        told += self._actions(str(request.session_hash), frame)
        return f'<img alt="covered" src="{picture}">', '\n'.join(told)

    def leave(self, session: str) -> None:
        """Forget a visitor."""
        with self._lock:
            self._running.pop(session, None)
            self._watching.pop(session, None)
            recording = self._recordings.pop(session, None)
        if recording is not None:
            recording.discard()
        if self._kept is not None:
            self._kept.forget(_files_of(session))

    def _switch(self, on: bool, request: gr.Request) -> dict:
        """Begin a visitor's recording, or end it and offer it for download."""
        session = str(request.session_hash)
        if self._kept is None:
            return gr.skip()
        with self._lock:
            before = self._recordings.pop(session, None)
        made = None
        if before is not None:
            try:
                made = before.finish()
            except OSError as error:
                gr.Warning(f'The recording is lost: {error.strerror or error}.')
        if on:
            with self._kept.working(_files_of(session)) as folder:
                recording = Recording(folder / 'covered.mp4', _LONGEST)
            with self._lock:
                self._recordings[session] = recording
        return gr.update(value=made, interactive=made is not None)

    def _record(self, session: str, frame: LiveFrame) -> list[str]:
        """Record a covered frame if this is switched on; return a line about it."""
        recording = self._recordings.get(session)
        if recording is None or frame.image is None:
            return []
        try:
            recording.put(frame.image)
        except OSError as error:
            recording.discard()
            return [f'the recording has failed: {error.strerror or error}']
        ended = ' (maximum length)' if recording.is_full else ''
        return [f'recording: {recording.seconds:.0f} s{ended}']

    def _actions(self, session: str, frame: LiveFrame) -> list[str]:
        """A line for each action found."""
        if self._make_watcher is None or frame.image is None:
            return []
        watcher = self._watching.get(session)
        if watcher is None:
            watcher = self._make_watcher()
            with self._lock:
                self._watching[session] = watcher
        watcher.put(frame.image, frame.masks)
        return [
            f'person {one.track}: {one.action} {one.score:.0%}' for one in watcher.seen
        ]

    def _of(self, session: str, settings: _Settings) -> LiveAnonymizer:
        """The anonymizer of a visitor's camera; new when the settings change."""
        known, live = self._running.get(session, (None, None))
        if live is None or known != settings:
            name, strength, key_per, seed = settings
            chosen = self.methods[name]
            number = number_of(seed) if chosen.learned and seed.strip() else None
            told = chosen.inferencer_arguments(strength, key_per, number)
            live = LiveAnonymizer(self._make(**told), _DELAY)
            with self._lock:
                self._running[session] = settings, live
        return live

    def _describe(self, method: str, strength: int) -> list[dict]:
        chosen = self.methods[method]
        words = chosen.describe(int(strength))
        shown = gr.update(visible=chosen.learned)
        return [gr.update(info=words, interactive=bool(chosen.values)), shown, shown]


def _files_of(session: str) -> str:
    # Separate from those of the first tab, which are deleted when its file is removed.
    return f'{session} camera'


def _how_fast(frame: LiveFrame) -> str:
    faces = 'face' if len(frame.masks) == 1 else 'faces'
    return (
        f'{len(frame.masks)} {faces}; {frame.rate:.1f} frames per second; '
        f'{frame.seconds * 1000:.0f} ms for this frame; the delay is {_DELAY} frames'
    )
