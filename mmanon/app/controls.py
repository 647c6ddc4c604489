"""Reusable parts of the page."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from .methods import Method
from .previews import is_image

__all__ = ['Side', 'key_controls', 'number_of']


def key_controls(first: Method, prefix: str = '') -> list[gr.Dropdown | gr.Textbox]:
    """Controls for the scope of a learned modifier's key, and for its seed."""
    return [
        gr.Dropdown(
            [
                ('for each person, along the track', 'track'),
                ('for everybody in a video', 'video'),
                ('only in one frame, so it flickers', 'frame'),
            ],
            value='track',
            label='Draw the same face',
            visible=first.learned,
            elem_id=f'{prefix}key-per',
        ),
        gr.Textbox(
            label='Seed',
            info='The same number draws the same faces again: keep it secret. Without '
            'a number, nobody can draw them again.',
            visible=first.learned,
            elem_id=f'{prefix}seed',
        ),
    ]


def number_of(seed: str) -> int:
    """Read the seed that the user has typed.

    Raises:
        gr.Error: When it is no whole number.
    """
    try:
        return int(seed)
    except ValueError:
        raise gr.Error(
            f'The seed must be a whole number, but it is {seed!r}.',
            print_exception=False,
        ) from None


class Side:
    """One of the two sides of the page, which shows an image or a video."""

    def __init__(self, label: str, name: str) -> None:
        with gr.Column():
            self.parts = [
                gr.Image(
                    label=label,
                    type='filepath',
                    interactive=False,
                    buttons=['fullscreen'],
                    elem_id=f'{name}-image',
                ),
                gr.Video(
                    label=label,
                    interactive=False,
                    visible=False,
                    buttons=[],
                    elem_id=f'{name}-video',
                ),
            ]

    @staticmethod
    def show(preview: Path | None) -> list[dict]:
        """The updates of the two components that show a file, or nothing."""
        if preview is None:
            return [
                gr.update(value=None, visible=True),
                gr.update(value=None, visible=False),
            ]
        still = is_image(preview)
        return [
            gr.update(value=str(preview) if still else None, visible=still),
            gr.update(value=None if still else str(preview), visible=not still),
        ]
