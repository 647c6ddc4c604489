"""Suggestions for an unknown name."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ['near_name', 'or_near']


def near_name(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most similar to ``name``, or None if none is similar.

    The comparison ignores case.
    """
    by_lower = {one.lower(): one for one in known}
    found = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def or_near(name: str, known: Iterable[str], most: int = 12) -> str:
    """The end of a message about an unknown name: the similar name or the known ones.

    Args:
        name (str): The unknown name.
        known (Iterable[str]): The known names.
        most (int): Maximum number of names to list if none is similar. Defaults to 12.

    Example:
        >>> or_near('modifer', ['modifier', 'discriminator'])
        'did you mean `modifier`?'
    """
    known = sorted(known)
    near = near_name(name, known)
    if near is not None:
        return f'did you mean `{near}`?'
    more = f' and {len(known) - most} more' if len(known) > most else ''
    return f'there are {", ".join(f"`{one}`" for one in known[:most])}{more}'
