"""Threads that let the parts of a pipeline work at the same time, in bounded memory.

Decoding, networks and encoding run outside Python's lock.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Generic, TypeVar, cast

__all__ = ['Answer', 'Workers', 'one_blas_thread', 'worked_ahead', 'worked_behind']

T = TypeVar('T')
_LONGEST = 5.0  # seconds to wait for a thread to finish its task
_PATIENCE = 0.1  # seconds after which a waiting thread checks whether it is needed
_END = object()


def one_blas_thread() -> None:
    """Let NumPy multiply small matrices in the calling thread.

    OpenBLAS's own threads wait for the next product in a busy loop. They would take a
    third of all processor time from decoding, networks and encoding. NumPy reads the
    number once, when it is imported; a number that the user has set is kept.
    """
    os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')


class _Failed:
    def __init__(self, error: BaseException) -> None:
        self.error = error


class _Passage:
    """A bounded queue that Ctrl-C cannot break.

    ``queue.Queue`` takes its lock in Python code. An interrupt may come before the
    block that releases the lock is entered, and then every user of the queue waits for
    ever. The calls of a ``SimpleQueue`` are single calls in C. This class uses two: one
    holds the items, the other the free places.
    """

    def __init__(self, most: int) -> None:
        self._items: SimpleQueue = SimpleQueue()
        self._room: SimpleQueue = SimpleQueue()
        for _ in range(most):
            self._room.put(None)

    def put(self, item: object) -> bool:
        """Put an item in; return False if there is no room for 0.1 seconds."""
        try:
            self._room.get(timeout=_PATIENCE)
        except Empty:
            return False
        self._items.put(item)
        return True

    def get(self, timeout: float | None = None) -> object:
        """Take an item out.

        Args:
            timeout (float, optional): Seconds to wait. Waits for ever by default.

        Raises:
            queue.Empty: When no item came within ``timeout``.
        """
        item = self._items.get(timeout=timeout)
        self._room.put(None)
        return item


class Answer(Generic[T]):
    """The future result or error of a function; one thread waits for it.

    Unlike ``Future``, Ctrl-C cannot break it (see :class:`_Passage`).
    """

    def __init__(self) -> None:
        self._come: SimpleQueue = SimpleQueue()
        self._outcome: tuple[T] | _Failed | None = None

    def come(self, outcome: tuple[T] | _Failed) -> None:
        """Set the outcome: a tuple of the result, or an error."""
        self._outcome = outcome
        self._come.put(None)

    def result(self) -> T:
        """Wait for the outcome, then return or raise it."""
        while self._outcome is None:
            # A Ctrl-C just before the wait would not wake it.
            with suppress(Empty):
                self._come.get(timeout=_PATIENCE)
        outcome = self._outcome
        if isinstance(outcome, _Failed):
            raise outcome.error
        return outcome[0]


class Workers:
    """Threads that work in parallel.

    Unlike the threads of ``ThreadPoolExecutor``, a thread that hangs does not prevent
    an interrupted program from ending.

    Args:
        count (int): Number of threads.
    """

    def __init__(self, count: int) -> None:
        self._tasks: SimpleQueue = SimpleQueue()
        self._threads = [Thread(target=self._work, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(self, function: Callable[[], T]) -> Answer[T]:
        """Let a thread call a function.

        Returns:
            Answer: Its outcome. It never comes if the threads end before the call.
        """
        answer: Answer[T] = Answer()
        self._tasks.put((answer, function))
        return answer

    def end(self) -> None:
        """Drop the functions that have not begun, and wait up to 5 s for the others.

        If a program exits while a thread is in C++ code, that code may abort it.
        """
        with suppress(Empty):
            while True:
                self._tasks.get_nowait()
        for _ in self._threads:
            self._tasks.put(None)
        until = time.monotonic() + _LONGEST
        for thread in self._threads:
            thread.join(max(0, until - time.monotonic()))

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            answer, function = task
            try:
                answer.come((function(),))
            except BaseException as error:
                answer.come(_Failed(error))
            # An idle thread must not keep results in memory.
            del task, answer, function


@contextmanager
def worked_ahead(items: Iterable[T], most: int) -> Iterator[Iterator[T]]:
    """Iterate in a separate thread.

    Args:
        items (Iterable): The source of the items.
        most (int): How many items may wait to be taken.

    Yields:
        Iterator: The same items in the same order. An error of the source is raised
        after the items before it. The end of the block waits for the thread to end.
    """
    queue = _Passage(most)
    ended = Event()

    def put(item: object) -> bool:
        while not ended.is_set():
            if queue.put(item):
                return True
        return False

    def work() -> None:
        try:
            for item in items:
                if not put(item):
                    return
        except BaseException as error:
            put(_Failed(error))
        else:
            put(_END)

    def taken() -> Iterator[T]:
        while True:
            item = queue.get()
            if item is _END:
                return
            if isinstance(item, _Failed):
                raise item.error
            yield cast(T, item)

    thread = Thread(target=work, daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        ended.set()
        thread.join()


@contextmanager
def worked_behind(
    function: Callable[[T], object], most: int
) -> Iterator[Callable[[T], None]]:
    """Call a function in a separate thread, one item after the other.

    Args:
        function (callable): It is called with each item.
        most (int): How many items may wait.

    Yields:
        callable: Takes an item, and waits if too many are waiting. If the function
            raises an error, the next call or the end of the block raises it. If the
            block ends without an error, all items are done.
    """
    queue = _Passage(most)
    ended = Event()
    failed: list[BaseException] = []

    def work() -> None:
        while True:
            try:
                item = queue.get(timeout=_PATIENCE)
            except Empty:
                if ended.is_set():
                    return
                continue
            if item is _END or ended.is_set():
                return
            try:
                function(cast(T, item))
            except BaseException as error:
                failed.append(error)
                return

    def put(item: object) -> None:
        while not failed:
            if queue.put(item):
                return
        raise failed[0]

    thread = Thread(target=work, daemon=True)
    thread.start()
    try:
        yield put
        put(_END)
        thread.join()
        if failed:
            raise failed[0]
    finally:
        ended.set()
        thread.join()
