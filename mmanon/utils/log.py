"""The log of mmanon.

mmengine's logger is not used here, because it imports PyTorch, and that takes longer
than anonymizing a short clip.
"""

from __future__ import annotations

import io
import logging
import sys

from .standard_output import print_nowhere

__all__ = ['print_log', 'show_messages']

_logger = logging.getLogger('mmanon')


def print_log(message: str, level: int = logging.INFO) -> None:
    """Log a message by the standard logger ``'mmanon'``.

    Args:
        message (str): The message.
        level (int): A level of the module ``logging``.
    """
    # File names may contain bytes that are no text.
    _logger.log(level, message.encode('utf-8', 'backslashreplace').decode())


def show_messages() -> None:
    """Show messages of level INFO and above, as the commands do.

    Without this call, Python shows only warnings and errors.
    """
    for stream in (sys.stdout, sys.stderr):
        # File names may contain bytes that are no text.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors='backslashreplace')
    if not _logger.handlers:
        handler = _Messages(sys.stdout)
        handler.setFormatter(
            logging.Formatter(
                '%(asctime)s - %(name)s - %(levelname)s - %(message)s', '%m/%d %H:%M:%S'
            )
        )
        _logger.addHandler(handler)
    _logger.setLevel(logging.INFO)


class _Messages(logging.StreamHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        # The reader has closed the pipe, as `head` does: the work continues.
        if isinstance(sys.exc_info()[1], BrokenPipeError):
            print_nowhere()
        else:
            super().handleError(record)
