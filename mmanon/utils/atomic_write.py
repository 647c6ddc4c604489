"""Files and folders that are either not there or whole.

They are written to a temporary file on the same file system and renamed in one step.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = [
    'WholeFile',
    'folder_written_whole',
    'restore_folder',
    'write_whole',
    'written_whole',
]


class WholeFile:
    """A file that something else writes, and that appears when it is whole.

    :func:`written_whole` is the same as a block, :func:`write_whole` for content that
    is at hand.

    Args:
        path (Path): The final name; its folder is made.
        alone (bool): Whether no other process writes the same file at the same time.
            What a killed process left is then replaced by the next one; otherwise
            it stays, ``.<name>.<number>.part``.

    Attributes:
        path (Path): The final name.
        beside (Path): Where to write.

    Raises:
        OSError: When the folder cannot be made.
    """

    def __init__(self, path: Path, alone: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        # Names have 255 bytes.
        shown = path.name.encode(errors='replace')[:200].decode(errors='ignore')
        # Drawn, since processes on two machines may have one number.
        number = '' if alone else f'.{secrets.randbelow(10**9)}'
        self.beside = path.with_name(f'.{shown}{number}.part')

    def finish(self) -> None:
        """Move what was written to its place.

        Raises:
            OSError: When it cannot be moved.
        """
        os.replace(self.beside, self.path)

    def discard(self) -> None:
        """Remove what was written, unless it is in its place already."""
        self.beside.unlink(missing_ok=True)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary file next to ``path``, and rename it when it is complete.

    An error inside the block removes what was written. A killed process leaves
    ``.<name>.<number>.part``, and nothing under the final name.

    Args:
        path (Path): The final name; its folder is made.

    Yields:
        Path: Where to write; on the same file system, so that moving is one step.

    Raises:
        OSError: When the folder cannot be made or the file cannot be moved.
    """
    file = WholeFile(path)
    try:
        yield file.beside
        file.finish()
    finally:
        file.discard()


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file so that it is whole or, after an error, as it was before.

    Args:
        path (Path): Its folder is made.
        content (str or bytes): Text is written as UTF-8, its line ends as they are.

    Raises:
        OSError: When it cannot be written.
    """
    if isinstance(content, str):
        content = content.encode()
    with written_whole(path) as beside:
        beside.write_bytes(content)


@contextmanager
def folder_written_whole(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder next to ``folder``, and rename it when it is complete.

    A folder that is there is replaced. What a killed process left is removed by the
    next one; only one may fill the same folder at a time.

    Args:
        folder (Path): The final name; the folder above it is made.

    Yields:
        Path: An empty folder, ``.<name>.part``, to fill.

    Raises:
        OSError: When it cannot be made or moved.
    """
    restore_folder(folder)
    part, old = _beside(folder)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        if folder.exists():
            os.replace(folder, old)
            os.replace(part, folder)
            # Killed while it is removed, it must not look like the one to restore.
            os.replace(old, part)
        else:
            os.replace(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def restore_folder(folder: Path) -> None:
    """Put a folder back that a process was killed while replacing.

    To be called before looking whether the folder is there.
    """
    part, old = _beside(folder)
    if not old.exists():
        return
    if not folder.exists():
        os.replace(old, folder)
    else:
        shutil.rmtree(part, ignore_errors=True)
        os.replace(old, part)
        shutil.rmtree(part, ignore_errors=True)


def _beside(folder: Path) -> tuple[Path, Path]:
    part, old = (folder.with_name(f'.{folder.name}.{end}') for end in ('part', 'old'))
    return part, old
