"""Keep old names of arguments and options for one version.

:mod:`mmanon._moved` keeps old names of modules, classes and functions.
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
    """Let a function accept the old names of its arguments.

    Args:
        **new_names: The new name of each old name.

    Returns:
        callable: The decorator. The old name causes a :class:`DeprecationWarning`; the
        old and the new name together cause a :class:`TypeError`.

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
                    raise TypeError(f'{old} was renamed to {new}: give only {new}')
                warnings.warn(
                    f'{old} was renamed to {new}; the next version drops the old name',
                    DeprecationWarning,
                    stacklevel=2,
                )
                kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return cast(F, call)

    return decorate


def renamed_attributes(**new_names: str) -> Callable[[C], C]:
    """Keep the old names of attributes and methods of a class.

    Args:
        **new_names: The new name of each old name.

    Returns:
        callable: The decorator of the class. An old name causes a
        :class:`DeprecationWarning`.

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
            f'{kind}.{old} was renamed to {kind}.{new}; the next version drops the old '
            'name',
            DeprecationWarning,
            stacklevel=2,
        )
        return getattr(self, new)

    return property(get)


class RenamedOption(argparse.Action):
    """The old name of a command-line option; ``dest`` is the new name.

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
            f'{parser.prog}: {option_string} was renamed to {new}; the next version '
            'drops the old name',
            file=sys.stderr,
        )
        setattr(namespace, self.dest, values)
