"""What a command does when its reader closes the pipe, as ``head`` does."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import wraps
from typing import Protocol

__all__ = ['ends_with_its_reader', 'print_nowhere']

_NOBODY_READS = 141  # the exit code that a shell reports after SIGPIPE


class Main(Protocol):
    """A command: it takes arguments and returns the exit code."""

    def __call__(self, argv: Sequence[str] | None = None) -> int:
        """Run it; None stands for the arguments of the process."""


def print_nowhere() -> None:
    """Discard everything that is printed from now on, without an error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, sys.stdout.fileno())
    finally:
        os.close(nowhere)


def ends_with_its_reader(main: Main) -> Main:
    """Let a command end without a traceback when its reader closes the pipe.

    Args:
        main (callable): The command.

    Returns:
        callable: The same command; it returns 141 when the standard output was closed
        early.
    """

    @wraps(main)
    def run(argv: Sequence[str] | None = None) -> int:
        try:
            try:
                return main(argv)
            finally:
                # Otherwise Python notices at its exit and prints a traceback.
                sys.stdout.flush()
        except BrokenPipeError:
            print_nowhere()
            return _NOBODY_READS

    return run
