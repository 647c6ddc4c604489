"""The user's folder of files that can be made again."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ['user_cache']


def user_cache() -> Path:
    """The user's folder for mmanon: ``$XDG_CACHE_HOME/mmanon``, or ``~/.cache/mmanon``.

    It is not made here.
    """
    named = os.environ.get('XDG_CACHE_HOME')
    # Relative ones are to be passed over, by the specification of the variable.
    base = Path(named) if named and os.path.isabs(named) else Path.home() / '.cache'
    return base / 'mmanon'
