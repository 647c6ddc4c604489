"""The user's folder for files that can be created again."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ['user_cache']


def user_cache() -> Path:
    """The user's folder for mmanon: ``$XDG_CACHE_HOME/mmanon``, or ``~/.cache/mmanon``.

    This function does not create it.
    """
    named = os.environ.get('XDG_CACHE_HOME')
    # The specification of the variable says to ignore relative paths.
    base = Path(named) if named and os.path.isabs(named) else Path.home() / '.cache'
    return base / 'mmanon'
