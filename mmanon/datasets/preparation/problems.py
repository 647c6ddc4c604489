"""Missing, wrong or unreadable parts of a data set."""

from __future__ import annotations

__all__ = ['Problems']


class Problems:
    """Collects the problems of a data set, to report them together.

    Each problem names a file or an entry of a file, and what to do if that is not
    obvious.
    """

    def __init__(self) -> None:
        self._lines: dict[str, dict[str, None]] = {}

    def missing(self, what: object, why: str = '') -> None:
        """Add a file or folder that does not exist."""
        self._add('missing', what, why)

    def wrong(self, what: object, why: str) -> None:
        """Add a file or entry with wrong content."""
        self._add('wrong', what, why)

    def unreadable(self, what: object, why: str = '') -> None:
        """Add a file that cannot be decoded."""
        self._add('unreadable', what, why)

    def _add(self, kind: str, what: object, why: str) -> None:
        line = f'{what}: {why}' if why else str(what)
        self._lines.setdefault(kind, {})[line] = None

    def count(self, kind: str) -> int:
        """Count problems that are ``'missing'``, ``'wrong'`` or ``'unreadable'``."""
        return len(self._lines.get(kind, ()))

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def __str__(self) -> str:
        """Return a line for each problem, and one with their numbers."""
        lines = [
            f'{kind}: {line}' for kind, those in self._lines.items() for line in those
        ]
        counts = [f'{len(those)} {kind}' for kind, those in self._lines.items()]
        return '\n'.join([*lines, ', '.join(counts) or 'no problem found'])
