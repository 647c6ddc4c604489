"""What a command does when nobody reads any longer what it prints, as behind ``head``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from functools import wraps

__all__ = ['ends_with_its_reader', 'print_nowhere']

_NOBODY_READS = 141  # what a shell reports of a program that SIGPIPE has ended

Main = Callable[[Sequence[str] | None], int]


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
        main (callable): Of the arguments to the exit code.

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
