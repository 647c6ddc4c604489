"""Messages of the commands while they work.

mmengine's own logger imports PyTorch, which takes longer than anonymizing a short clip.
"""

from __future__ import annotations

import io
import logging
import sys

from .standard_output import print_nowhere

__all__ = ['print_log', 'show_messages']

_logger = logging.getLogger('mmanon')


def print_log(message: str, level: int = logging.INFO) -> None:
    """Log by the standard logger ``'mmanon'``.

    Args:
        message (str): What to say.
        level (int): As of the module ``logging``.
    """
    # Names of files may hold bytes that are no text.
    _logger.log(level, message.encode('utf-8', 'backslashreplace').decode())


def show_messages() -> None:
    """Show messages of all levels from INFO on, as a command does.

    Without this call Python itself shows warnings and errors only.
    """
    for stream in (sys.stdout, sys.stderr):
        # Names of files may hold bytes that are no text.
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
        # Nobody reads on, as behind `head`: the work goes on all the same.
        if isinstance(sys.exc_info()[1], BrokenPipeError):
            print_nowhere()
        else:
            super().handleError(record)
