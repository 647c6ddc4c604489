"""The processes of a sweep: started, counted, and ended with it."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


class StageFailed(RuntimeError):
    """A command came back with an error."""


class Commands:
    """Runs commands of a folder of tools, from any thread.

    Args:
        tools (Path): The folder.
        workers (int): How many run at once: they share the cores among them.
        keep (tuple[int, ...]): File descriptors that they hold open.
    """

    def __init__(self, tools: Path, workers: int, keep: tuple[int, ...] = ()) -> None:
        self.tools = tools
        self.keep = keep
        cores = _cores()
        self.env = dict(os.environ)
        threads = self.env.setdefault('OMP_NUM_THREADS', str(max(1, cores // workers)))
        # Where the two differ PyTorch goes by the second.
        self.env.setdefault('MKL_NUM_THREADS', threads)
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen] = set()
        self._stopped = False

    def __call__(self, arguments: list[str], log: Path) -> None:
        """Run a tool and wait for it; append its output to the log.

        Raises:
            StageFailed: When it fails, or the commands have been stopped.
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
        """End what runs, and start nothing any more."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.terminate()


@contextmanager
def hold_work_dir(work_dir: Path, say: Callable[[str], None]) -> Iterator[tuple]:
    """Keep a work dir to one sweep, and to what is left of it when it was killed.

    Yields:
        tuple[int, ...]: File descriptors that hold it, for its commands to hold too.
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
                f'another sweep, or what is left of a killed one, works in {work_dir}: '
                'waiting until it is through'
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
