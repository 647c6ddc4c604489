"""Files that are either not there or whole."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ['written_whole']


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Name a file beside ``path`` to write, and move it there when it is whole.

    An error inside the block removes what was written. A killed process leaves
    ``.<name>.<number>.part``, and nothing under the final name.

    Args:
        path (Path): The final name; its folder is made.

    Yields:
        Path: Where to write; on the same file system, so that moving is one step.

    Raises:
        OSError: When the folder cannot be made or the file cannot be moved.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Drawn, since processes on two machines may have one number. Names have 255 bytes.
    shown = path.name.encode(errors='replace')[:200].decode(errors='ignore')
    beside = path.with_name(f'.{shown}.{secrets.randbelow(10**9)}.part')
    try:
        yield beside
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
