"""Serve the page without calls to other servers."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

from fastapi.middleware import Middleware

from .page import CSS, Page

__all__ = ['serve']

# The page may neither load anything from other servers nor send anything to them.
# Gradio's script needs inline scripts and eval.
_POLICY = '; '.join(
    [
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "frame-ancestors 'none'",
        "form-action 'self'",
        "object-src 'none'",
    ]
)


class _PrivacyHeaders:
    """Adds headers to each response that restrict what a browser may do with it.

    It is plain ASGI, because Starlette's base class delays streamed responses.
    """

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: dict, receive: Any, send: Any) -> None:
        async def send_with_headers(message: dict) -> None:
            if message['type'] == 'http.response.start':
                headers = [
                    (b'content-security-policy', _POLICY.encode()),
                    (b'referrer-policy', b'no-referrer'),
                    (b'x-content-type-options', b'nosniff'),
                ]
                if '/file=' in scope['path']:
                    headers.append((b'cache-control', b'no-store'))
                message['headers'] = [*message['headers'], *headers]
            await send(message)

        await self.app(
            scope, receive, send_with_headers if scope['type'] == 'http' else send
        )


def serve(page: Page, host: str, port: int, max_bytes: int) -> None:
    """Serve the page until Ctrl-C or SIGTERM.

    Args:
        page (Page): The page.
        host (str): Address to listen on.
        port (int): Port to listen on.
        max_bytes (int): Maximum size of an upload in bytes.

    Raises:
        OSError: When the port is taken.
    """
    import gradio as gr

    blocks = page.build()
    # Fonts of the system: the default theme would load fonts from another server.
    theme = gr.themes.Default(font=['system-ui', 'sans-serif'], font_mono=['monospace'])
    _, url, _ = blocks.launch(
        server_name=host,
        server_port=port,
        share=False,
        max_file_size=max_bytes,
        theme=theme,
        css=CSS,
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        mcp_server=False,
        ssr_mode=False,
        pwa=False,
        quiet=True,
        prevent_thread_lock=True,
        app_kwargs=dict(
            middleware=[Middleware(_PrivacyHeaders)],
            docs_url=None,
            redoc_url=None,
            openapi_url=None,
        ),
    )
    print(f'The page is at {url} until Ctrl-C.', flush=True)
    try:
        _wait_for_the_end()
    finally:
        blocks.close(verbose=False)


def _wait_for_the_end() -> None:
    stop = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask)
    while not stop.wait(0.5):
        pass
