"""Store the files of the page's users in separate folders, and delete them."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

__all__ = ['KeptFiles']

_PREFIX = 'mmanon-app-'
_LOCK = 'lock'


class KeptFiles:
    """A private folder whose files are deleted.

    The files of a session are deleted when it ends, all files when the page ends, and
    each file when it has not been used for some time.

    Use it as a context manager: it creates the folder, which only the user who started
    the page may read, and removes it. The next page removes what a killed page has
    left.

    Args:
        minutes (float): How long an unused file is kept, above 0.

    Attributes:
        folder (Path): The folder.

    Raises:
        ValueError: When ``minutes`` is not above 0.
    """

    def __init__(self, minutes: float) -> None:
        if not minutes > 0:
            raise ValueError(f'files are kept for more than 0 minutes, got {minutes}')
        self.seconds = minutes * 60
        self._sessions: dict[str, set[Path]] = {}
        self._working: dict[str, int] = {}
        self._ended: set[str] = set()
        self._lock = threading.RLock()
        self._stop = threading.Event()

    def __enter__(self) -> KeptFiles:
        _remove_what_was_left()
        self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
        self._held = FileLock(self.folder / _LOCK)
        self._held.acquire(timeout=0)
        self._janitor = threading.Thread(target=self._clean, daemon=True)
        self._janitor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._janitor.join()
        self._held.release()
        shutil.rmtree(self.folder, ignore_errors=True)

    def note(self, session: str, path: Path) -> None:
        """Register a file of the folder, such as an upload, as one of a session."""
        with self._lock:
            self._sessions.setdefault(session, set()).add(path)

    @contextmanager
    def working(self, session: str) -> Iterator[Path]:
        """Protect a session's files while they are used.

        They do not count as unused. If the session ends meanwhile, they are deleted
        afterwards.

        Yields:
            Path: A new folder for outputs.
        """
        with self._lock:
            made = Path(tempfile.mkdtemp(dir=self.folder))
            self.note(session, made)
            self._working[session] = self._working.get(session, 0) + 1
        try:
            yield made
        finally:
            with self._lock:
                self._touch(session)
                self._working[session] -= 1
                if not self._working[session]:
                    del self._working[session]
                    if session in self._ended:
                        self._ended.discard(session)
                        self.forget(session)

    def forget(self, session: str) -> None:
        """Delete the files of a session, except those that another session also has."""
        with self._lock:
            if session in self._working:
                self._ended.add(session)
                return
            mine = self._sessions.pop(session, set())
            for path in mine.difference(*self._sessions.values()):
                _remove(path)
                if path.parent != self.folder and not any(path.parent.iterdir()):
                    path.parent.rmdir()

    def delete_unused(self) -> None:
        """Delete files that have not been used for the given time."""
        with self._lock:
            for session in self._working:
                self._touch(session)
            latest = time.time() - self.seconds
            for path in sorted(self.folder.rglob('*'), reverse=True):
                if path == self.folder / _LOCK or path.lstat().st_mtime > latest:
                    continue
                if not path.is_dir():
                    path.unlink(missing_ok=True)
                elif not any(path.iterdir()):
                    path.rmdir()

    def _touch(self, session: str) -> None:
        for path in self._sessions.get(session, ()):
            inside = path.rglob('*') if path.is_dir() else ()
            for file in (path, *inside):
                if file.exists():
                    os.utime(file)

    def _clean(self) -> None:
        while not self._stop.wait(min(self.seconds / 4, 60)):
            try:
                self.delete_unused()
            except OSError:
                pass  # a file is being written or moved; try again next time


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _remove_what_was_left() -> None:
    """Remove the folders of pages that have been killed."""
    for folder in Path(tempfile.gettempdir()).glob(f'{_PREFIX}*'):
        lock = folder / _LOCK
        try:
            if not lock.is_file():
                continue
            with FileLock(lock, timeout=0):
                pass
            shutil.rmtree(folder, ignore_errors=True)
        except (Timeout, OSError):
            continue  # its page still runs, or it belongs to another user
