"""The page: upload an image or video, compare it before and after, download it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import gradio as gr

from mmanon.anonymizer import AnonymizerInferencer
from mmanon.anonymizer.io.sources import InputError
from mmanon.anonymizer.leak_audit import FaceAuditor
from mmanon.utils.html import render_page
from mmanon.utils.inline_images import image_url
from mmanon.utils.media_types import IMAGES, VIDEOS

from .camera import CameraTab, Watcher
from .controls import Side, key_controls, number_of
from .kept_files import KeptFiles
from .methods import METHODS, STRENGTHS, USUAL, Method
from .previews import make_preview
from .recognition import PeopleNamer, Sighting
from .words import AUDIT_TAB, how_sure, what_the_audit_found, what_was_done

__all__ = ['CSS', 'Page']

CSS = Path(__file__).with_name('page.css').read_text(encoding='utf-8')
_SIGHTINGS = Path(__file__).with_name('sightings.html')
_HEAD = """\
# mmanon

The machine that serves this page finds and covers the faces. Your files and the results
are deleted when you close the page.
"""
_NOBODY_IS_KNOWN = """\
The page knows no people. Start it with the weights of a recognizer and a folder of
people. This folder contains one folder of photographs for each person, with the
person's name:

```
mmanon-app --recognizer mobilefacenet.pt --people people/
```
"""
_AUDIT = """\
The audit searches the original and the result for faces, more closely than before, and
compares them at the place of each face. This takes longer than anonymizing.
"""
_WHO = """\
The recognizer names the most similar of the {count} people it knows: {people}. From a
cosine of {threshold:.2f} on, two faces count as one person. Other recognizers may
recognize more, above all those that were trained on modified faces.
"""

_COMPARED = 150  # maximum number of frames, so that users need not wait long

# One job at a time, for all sessions together.
_HEAVY: dict[str, Any] = dict(
    concurrency_id='heavy', concurrency_limit=1, api_visibility='private'
)
_LIGHT: dict[str, Any] = dict(api_visibility='private', show_progress='hidden')


@dataclass(frozen=True)
class _Done:
    """The last result of a session; the server keeps it, not the browser."""

    original: Path
    anonymized: Path | None = None
    frames: int = 0


class Page:
    """Builds the page and runs the actions of its buttons.

    Args:
        kept (KeptFiles): Where files are stored and deleted.
        make_inferencer (callable): Takes the arguments that choose a modifier, and
            returns an :class:`AnonymizerInferencer`.
        methods (tuple[Method, ...]): The choices; the first is the default.
        namer (PeopleNamer, optional): Names the people in a file. Without it, the page
            explains how to add one.
        make_auditor (callable, optional): Makes the auditor when it is first needed.
        make_watcher (callable, optional): As for :class:`.camera.CameraTab`.
    """

    def __init__(
        self,
        kept: KeptFiles,
        make_inferencer: Callable[..., AnonymizerInferencer],
        methods: tuple[Method, ...] = METHODS,
        namer: PeopleNamer | None = None,
        make_auditor: Callable[[], FaceAuditor] | None = None,
        make_watcher: Callable[[], Watcher] | None = None,
    ) -> None:
        self.kept = kept
        self.methods = {method.name: method for method in methods}
        self.namer = namer

        # Jobs run one at a time: the networks of the last job are kept for the next.
        @lru_cache(maxsize=1)
        def inferencer(
            method: str, strength: int, key_per: str, seed: int | None
        ) -> AnonymizerInferencer:
            chosen = self.methods[method]
            return make_inferencer(
                **chosen.inferencer_arguments(strength, key_per, seed)
            )

        self._inferencer = inferencer
        self._camera = CameraTab(self.methods, make_inferencer, make_watcher, kept)
        self._auditor = None if make_auditor is None else cache(make_auditor)

    def build(self) -> gr.Blocks:
        """Build the page in Gradio."""
        with gr.Blocks(title='mmanon', analytics_enabled=False) as page:
            gr.Markdown(_HEAD)
            done = gr.State(None)
            with gr.Tab('Anonymize'):
                self._build_anonymize(done)
            if self._auditor is not None:
                with gr.Tab(AUDIT_TAB):
                    self._build_audit(done, self._auditor)
            with gr.Tab('Who is it?'):
                self._build_who(done)
            with gr.Tab('Camera'):
                self._camera.build(page)
            page.unload(self._leave)
        return page.queue(max_size=16)

    def _build_anonymize(self, done: gr.State) -> None:
        first = next(iter(self.methods.values()))
        with gr.Row():
            upload = gr.File(
                label='Image or video',
                file_types=sorted(IMAGES | VIDEOS),
                elem_id='upload',
                height=150,
            )
            with gr.Column():
                method = gr.Dropdown(
                    list(self.methods), value=first.name, label='Method'
                )
                strength = gr.Slider(
                    1,
                    STRENGTHS,
                    USUAL,
                    step=1,
                    label='Strength',
                    info=first.describe(USUAL),
                    interactive=bool(first.values),
                    elem_id='strength',
                )
                keys = key_controls(first)
        start = gr.Button('Anonymize', variant='primary', elem_id='start')
        with gr.Row(equal_height=False):
            before = Side('Before', 'before')
            after = Side('After', 'after')
        words = gr.Textbox(label='What was done', lines=2, elem_id='words')
        download = gr.DownloadButton(
            'Download', interactive=False, elem_id='download', size='lg'
        )
        shown = [*before.parts, *after.parts, download, words, done]
        upload.upload(self._show_upload, upload, shown, **_HEAVY)
        upload.clear(self._clear, None, shown, **_LIGHT)
        start.click(
            self._anonymize,
            [done, method, strength, *keys],
            [*after.parts, download, words, done],
            show_progress_on=after.parts,
            **_HEAVY,
        )
        for changed in (method.change, strength.change):
            changed(self._describe, [method, strength], [strength, *keys], **_LIGHT)

    def _build_audit(self, done: gr.State, auditor: Callable[[], FaceAuditor]) -> None:
        gr.Markdown(_AUDIT)
        check = gr.Button('Check', variant='primary', elem_id='check')
        found = gr.Textbox(label='What was found', lines=6, elem_id='found')

        def audit(done: _Done | None, request: gr.Request) -> str:
            original, anonymized, frames = _both(done)
            every = max(1, frames // _COMPARED)
            with self.kept.working(str(request.session_hash)):
                result = _or_say_why(
                    lambda: auditor().compare(original, anonymized, every), original
                )
            words = what_the_audit_found(result, every)
            return _without_folder(words, anonymized)

        check.click(audit, done, found, **_HEAVY)
        # The findings belong to the previous file.
        done.change(lambda: '', None, found, **_LIGHT)

    def _build_who(self, done: gr.State) -> None:
        if self.namer is None:
            gr.Markdown(_NOBODY_IS_KNOWN, elem_id='nobody')
            return
        namer, people = self.namer, self.namer.people
        named = ', '.join(people[:20]) + (' …' if len(people) > 20 else '')
        gr.Markdown(
            _WHO.format(count=len(people), people=named, threshold=namer.threshold)
        )
        ask = gr.Button('Who is it?', variant='primary', elem_id='ask')
        answer = gr.HTML(elem_id='answer')

        def who(done: _Done | None, request: gr.Request) -> str:
            original, anonymized, frames = _both(done)
            with self.kept.working(str(request.session_hash)):
                sightings = _or_say_why(
                    lambda: namer.look(original, anonymized, frames), original
                )
            if not sightings:
                return '<p>No face is found in the examined frames.</p>'
            return render_page(
                _SIGHTINGS,
                timed=sightings[0].seconds is not None,
                sightings=[_as_shown(sighting) for sighting in sightings],
            )

        ask.click(who, done, answer, **_HEAVY)
        done.change(lambda: '', None, answer, **_LIGHT)

    # --- What the buttons do ----------------------------------------------------------

    def _describe(self, method: str, strength: int) -> list[dict]:
        chosen = self.methods[method]
        words = chosen.describe(int(strength))
        shown = gr.update(visible=chosen.learned)
        return [gr.update(info=words, interactive=bool(chosen.values)), shown, shown]

    def _show_upload(self, upload: str, request: gr.Request) -> list:
        path = Path(upload)
        session = str(request.session_hash)
        self.kept.note(session, path)
        try:
            if not path.stat().st_size:
                raise InputError('The file is empty.')
            with self.kept.working(session) as folder:
                preview = make_preview(path, folder)
        except (InputError, OSError, ValueError) as error:
            # No exception, because the page must not keep showing the previous file.
            words = _without_folder(str(error), path)
            gr.Warning(words)
            return _nothing(words)
        return [
            *Side.show(preview),
            *Side.show(None),
            _no_download(),
            '',
            _Done(path),
        ]

    def _clear(self, request: gr.Request) -> list:
        self.kept.forget(str(request.session_hash))
        return _nothing('')

    def _anonymize(
        self,
        done: _Done | None,
        method: str,
        strength: int,
        key_per: str,
        seed: str,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(track_tqdm=True),  # noqa: B008
    ) -> list:
        original = _given(done).original
        key = None
        if self.methods[method].learned:
            # A new seed for each job: two clips of the same name get different faces.
            key = number_of(seed) if seed.strip() else secrets.randbits(62)
        chosen = (method, int(strength), key_per, key)
        with self.kept.working(str(request.session_hash)) as folder:
            (result,) = _or_say_why(
                lambda: self._inferencer(*chosen)(original, out_dir=folder), original
            )
            if result.out is None or result.status != 'written':
                raise gr.Error(
                    _without_folder(result.reason, original), print_exception=False
                )
            # The browser may save it next to the original, so the names must differ.
            made = result.out.with_stem(f'{result.out.stem}_anonymized')
            os.replace(result.out, made)
            preview = make_preview(made, folder)
        if not result.faces and not result.whole:
            gr.Warning('No face was found: nothing is covered.', duration=None)
        return [
            *Side.show(preview),
            gr.update(value=made, interactive=True),
            f'{what_was_done(result)}\n{how_sure(result)}',
            _Done(original, made, result.frames),
        ]

    def _leave(self, request: gr.Request) -> None:
        self._camera.leave(str(request.session_hash))
        self.kept.forget(str(request.session_hash))


def _nothing(words: str) -> list:
    return [*Side.show(None), *Side.show(None), _no_download(), words, None]


def _no_download() -> dict:
    return gr.update(value=None, interactive=False)


def _given(done: _Done | None) -> _Done:
    """The last result of a session, if it still exists."""
    if done is None:
        raise gr.Error('Upload an image or video first.', print_exception=False)
    if not done.original.is_file():
        raise gr.Error(
            'The file was deleted, because it was not used for long: upload it again.',
            print_exception=False,
        )
    return done


def _both(done: _Done | None) -> tuple[Path, Path, int]:
    """The original, the anonymized file, and its number of frames."""
    given = _given(done)
    if given.anonymized is None:
        raise gr.Error('Anonymize it first.', print_exception=False)
    return given.original, given.anonymized, given.frames


def _or_say_why(do: Callable[[], Any], path: Path) -> Any:
    try:
        return do()
    except (InputError, OSError, ValueError, ImportError) as error:
        raise gr.Error(_without_folder(str(error), path), print_exception=False) from (
            error
        )


def _without_folder(words: str, path: Path) -> str:
    """Remove the server's folder from a message."""
    return words.replace(f'{path.parent}{os.sep}', '')


def _as_shown(sighting: Sighting) -> dict:
    return dict(
        seconds=sighting.seconds,
        sides=[
            (image_url(sighting.before), sighting.guesses_before),
            (image_url(sighting.after), sighting.guesses_after),
        ],
    )
