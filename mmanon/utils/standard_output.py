"""What a command does when nobody reads on, as behind ``head``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import wraps
from typing import Protocol

__all__ = ['ends_with_its_reader', 'print_nowhere']

_NOBODY_READS = 141  # what a shell reports of a program that SIGPIPE has ended


class Main(Protocol):
    """A command, of its arguments to the exit code."""

    def __call__(self, argv: Sequence[str] | None = None) -> int:
        """Run it; without arguments, with those of the process."""


def print_nowhere() -> None:
    """Let all that is still printed be lost without an error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, sys.stdout.fileno())
    finally:
        os.close(nowhere)


def ends_with_its_reader(main: Main) -> Main:
    """Let a command end without an error when its reader has enough.

    Args:
        main (callable): The command.

    Returns:
        callable: The same; 141 where the standard output was closed before its end.
    """

    @wraps(main)
    def run(argv: Sequence[str] | None = None) -> int:
        try:
            try:
                return main(argv)
            finally:
                # Else Python finds out at its end, and prints a traceback.
                sys.stdout.flush()
        except BrokenPipeError:
            print_nowhere()
            return _NOBODY_READS

    return run
