"""Old names of arguments and options, kept for a version.

Old names of modules, classes and functions are kept by :mod:`mmanon._moved`.
"""

from __future__ import annotations

import argparse
import functools
import inspect
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

__all__ = ['RenamedOption', 'renamed_arguments', 'renamed_attributes']

F = TypeVar('F', bound=Callable[..., Any])
C = TypeVar('C', bound=type)


def renamed_arguments(**new_names: str) -> Callable[[F], F]:
    """Let a function be called by keywords that it had before.

    Args:
        **new_names: The present name of each old one.

    Returns:
        callable: The decorator. Whoever uses an old name is warned
        (:class:`DeprecationWarning`); who gives both gets a :class:`TypeError`.

    Examples:
        >>> @renamed_arguments(patience='lost_track_buffer')
        ... def follow(lost_track_buffer=30):
        ...     return lost_track_buffer
        >>> follow(patience=5)
        5
    """

    def decorate(function: F) -> F:
        unknown = set(new_names.values()) - set(inspect.signature(function).parameters)
        if unknown:
            raise ValueError(f'{function.__qualname__} has no argument {unknown}')

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            for old in new_names.keys() & kwargs.keys():
                new = new_names[old]
                if new in kwargs:
                    raise TypeError(f'{old} is {new} now: give it once')
                warnings.warn(
                    f'{old} is {new} now; the old name goes with the next version',
                    DeprecationWarning,
                    stacklevel=2,
                )
                kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return cast(F, call)

    return decorate


def renamed_attributes(**new_names: str) -> Callable[[C], C]:
    """Let attributes and methods of a class be asked for by names that they had before.

    Args:
        **new_names: The present name of each old one.

    Returns:
        callable: The decorator of the class. Whoever uses an old name is warned
        (:class:`DeprecationWarning`).

    Examples:
        >>> @renamed_attributes(likeness='similarity')
        ... class Face:
        ...     similarity = 0.5
        >>> Face().likeness
        0.5
    """

    def decorate(kind: C) -> C:
        for old, new in new_names.items():
            setattr(kind, old, _alias(kind.__name__, old, new))
        return kind

    return decorate


def _alias(kind: str, old: str, new: str) -> property:
    def get(self: Any) -> Any:
        warnings.warn(
            f'{kind}.{old} is {kind}.{new} now; the old name goes with the next '
            'version',
            DeprecationWarning,
            stacklevel=2,
        )
        return getattr(self, new)

    return property(get)


class RenamedOption(argparse.Action):
    """A renamed option of the command line; its ``dest`` is the new name.

    Examples:
        >>> parser = argparse.ArgumentParser()
        >>> _ = parser.add_argument('--patience', dest='lost_track_buffer',
        ...     action=RenamedOption, type=int)
        >>> parser.parse_args(['--patience', '5']).lost_track_buffer
        5
    """

    def __init__(self, option_strings: Sequence[str], dest: str, **kwargs: Any) -> None:
        super().__init__(option_strings, dest, **{'help': argparse.SUPPRESS, **kwargs})

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        new = '--' + self.dest.replace('_', '-')
        print(
            f'{parser.prog}: {option_string} is {new} now; the old name goes with the '
            'next version',
            file=sys.stderr,
        )
        setattr(namespace, self.dest, values)
