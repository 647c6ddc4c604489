"""Starts the processes of a sweep, and stops them with it."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


class StageFailed(RuntimeError):
    """A command has failed."""


class Commands:
    """Runs the tools of a folder, from any thread.

    Args:
        tools (Path): The folder.
        workers (int): Number of parallel commands, which share the cores.
        keep (tuple[int, ...]): File descriptors that the commands keep open.
    """

    def __init__(self, tools: Path, workers: int, keep: tuple[int, ...] = ()) -> None:
        self.tools = tools
        self.keep = keep
        cores = _cores()
        self.env = dict(os.environ)
        threads = self.env.setdefault('OMP_NUM_THREADS', str(max(1, cores // workers)))
        # PyTorch prefers this variable if both are set.
        self.env.setdefault('MKL_NUM_THREADS', threads)
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen] = set()
        self._stopped = False

    def __call__(self, arguments: list[str], log: Path) -> None:
        """Run a tool and wait for it; append its output to the log.

        Raises:
            StageFailed: If it fails, or the commands have been stopped.
        """
        command = [sys.executable, str(self.tools / arguments[0]), *arguments[1:]]
        with open(log, 'a', encoding='utf-8') as file:
            file.write(f'$ python tools/{" ".join(arguments)}\n')
            file.flush()
            with self._lock:
                if self._stopped:
                    raise StageFailed('stopped')
                process = subprocess.Popen(
                    command,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    stdin=subprocess.DEVNULL,
                    env=self.env,
                    pass_fds=self.keep,
                )
                self._running.add(process)
            code = process.wait()
        with self._lock:
            self._running.discard(process)
        if code:
            raise StageFailed(f'{arguments[0]} failed: {_last_line(log)} (see {log})')

    def stop(self) -> None:
        """Stop running commands, and start no others."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.terminate()


@contextmanager
def hold_work_dir(work_dir: Path, say: Callable[[str], None]) -> Iterator[tuple]:
    """Lock a work dir for one sweep; wait for processes that survive a killed sweep.

    Yields:
        tuple[int, ...]: File descriptors of the lock, which commands must keep open.
    """
    try:
        import fcntl
    except ImportError:  # not on Windows
        yield ()
        return
    with open(work_dir / '.lock', 'a') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(
                f'another sweep, or processes of a killed one, still run in '
                f'{work_dir}: waiting for them'
            )
            fcntl.flock(file, fcntl.LOCK_EX)
        yield (file.fileno(),)


def _cores() -> int:
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding='utf-8', errors='replace').splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), '')
