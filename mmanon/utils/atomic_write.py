"""Write files and folders so that they are complete or do not exist.

They are written under a temporary name on the same file system and renamed in one step.
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
    """A file that other code writes under a temporary name, renamed when complete.

    :func:`written_whole` does the same as a context manager. :func:`write_whole` writes
    content that is already in memory.

    Args:
        path (Path): The final name; its folder is created.
        alone (bool): Whether only one process writes this file at a time. The temporary
            file then has a fixed name, and the next process replaces what a killed one
            left. Otherwise that remains as ``.<name>.<number>.part``.

    Attributes:
        path (Path): The final name.
        beside (Path): Where to write.

    Raises:
        OSError: When the folder cannot be created.
    """

    def __init__(self, path: Path, alone: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        # A file name has at most 255 bytes.
        shown = path.name.encode(errors='replace')[:200].decode(errors='ignore')
        # Random, since processes on two machines may have the same process number.
        number = '' if alone else f'.{secrets.randbelow(10**9)}'
        self.beside = path.with_name(f'.{shown}{number}.part')

    def finish(self) -> None:
        """Rename the temporary file to its final name.

        Raises:
            OSError: When it cannot be renamed.
        """
        os.replace(self.beside, self.path)

    def discard(self) -> None:
        """Remove the temporary file; after :meth:`finish` there is none."""
        self.beside.unlink(missing_ok=True)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary file next to ``path``, and rename it when it is complete.

    An error inside the block removes the temporary file. A killed process leaves
    ``.<name>.<number>.part`` and nothing under the final name.

    Args:
        path (Path): The final name; its folder is created.

    Yields:
        Path: Where to write; on the same file system, so that renaming is one step.

    Raises:
        OSError: When the folder cannot be created or the file cannot be renamed.
    """
    file = WholeFile(path)
    try:
        yield file.beside
        file.finish()
    finally:
        file.discard()


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file completely; after an error it is as it was before.

    Args:
        path (Path): The file; its folder is created.
        content (str or bytes): Text is written as UTF-8 with unchanged line ends.

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

    An existing folder is replaced. The next call removes what a killed process left.
    Only one process may fill the same folder at a time.

    Args:
        folder (Path): The final name; its parent folder is created.

    Yields:
        Path: An empty folder, ``.<name>.part``, to fill.

    Raises:
        OSError: When it cannot be created or renamed.
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
            # If the process is killed during the removal, the rest must not look like
            # the folder to restore.
            os.replace(old, part)
        else:
            os.replace(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def restore_folder(folder: Path) -> None:
    """Restore a folder if a process was killed while it replaced the folder.

    Call this before you check whether the folder exists.
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
