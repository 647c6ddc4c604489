"""Files that are either not there or whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ['written_whole']


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Name a file beside ``path`` to write, and move it there when it is whole.

    An error inside the block removes what was written. A killed process leaves
    ``.<name>.<process>.part``, and nothing under the final name.

    Args:
        path (Path): The final name; its folder is made.

    Yields:
        Path: Where to write; on the same file system, so that moving is one step.

    Raises:
        OSError: When the folder cannot be made or the file cannot be moved.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f'.{path.name}.{os.getpid()}.part')
    try:
        yield beside
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
