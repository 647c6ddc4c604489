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
_LONGEST = 5.0  # seconds in which a thread that does not hang has done its task
_PATIENCE = 0.1  # seconds until a thread that waits looks whether it is still needed
_END = object()


def one_blas_thread() -> None:
    """Let NumPy multiply small matrices on the thread that asks.

    Its own threads wait for the next product by turning in circles, on processors that
    decoding, networks and encoding could use: a third of all the time. It asks once,
    when it is imported; who has set the number keeps it.
    """
    os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')


class _Failed:
    def __init__(self, error: BaseException) -> None:
        self.error = error


class _Passage:
    """A bounded queue that Ctrl-C cannot break.

    ``queue.Queue`` takes its lock in Python code, where an interrupt may come before
    the block that releases it is entered, and then every user of the queue waits for
    ever. A ``SimpleQueue`` is one call in C; of two of them, one holds the items and
    the other the free places.
    """

    def __init__(self, most: int) -> None:
        self._items: SimpleQueue = SimpleQueue()
        self._room: SimpleQueue = SimpleQueue()
        for _ in range(most):
            self._room.put(None)

    def put(self, item: object) -> bool:
        """Put an item in; answers after a moment whether there was room."""
        try:
            self._room.get(timeout=_PATIENCE)
        except Empty:
            return False
        self._items.put(item)
        return True

    def get(self, timeout: float | None = None) -> object:
        """Take an item out.

        Raises:
            queue.Empty: When there was none in so many seconds.
        """
        item = self._items.get(timeout=timeout)
        self._room.put(None)
        return item


class Answer(Generic[T]):
    """The result or error of a function, once it is there; one thread waits for it.

    A ``Future`` that Ctrl-C cannot break, as :class:`_Passage` is a queue.
    """

    def __init__(self) -> None:
        self._come: SimpleQueue = SimpleQueue()
        self._outcome: tuple[T] | _Failed | None = None

    def come(self, outcome: tuple[T] | _Failed) -> None:
        """Give it, as a tuple of one or an error."""
        self._outcome = outcome
        self._come.put(None)

    def result(self) -> T:
        """Wait for it, then return or raise it."""
        while self._outcome is None:
            # Ctrl-C in the moment before it waits would not wake it.
            with suppress(Empty):
                self._come.get(timeout=_PATIENCE)
        outcome = self._outcome
        if isinstance(outcome, _Failed):
            raise outcome.error
        return outcome[0]


class Workers:
    """Threads that work side by side.

    Unlike those of ``ThreadPoolExecutor`` they do not keep a program from ending for
    ever that is interrupted while one of them hangs.

    Args:
        count (int): How many.
    """

    def __init__(self, count: int) -> None:
        self._tasks: SimpleQueue = SimpleQueue()
        self._threads = [Thread(target=self._work, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(self, function: Callable[[], T]) -> Answer[T]:
        """Let a function be called.

        Returns:
            Answer: It never comes when the threads end before the function's turn.
        """
        answer: Answer[T] = Answer()
        self._tasks.put((answer, function))
        return answer

    def end(self) -> None:
        """End the threads: what has not begun is given up, and the rest is waited for.

        A program that ended while they are in C++ would be aborted by it.
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
            # Nothing is held while there is nothing to do.
            del task, answer, function


@contextmanager
def worked_ahead(items: Iterable[T], most: int) -> Iterator[Iterator[T]]:
    """Iterate in a separate thread.

    Args:
        items (Iterable): Where the items come from.
        most (int): How many may wait to be taken.

    Yields:
        Iterator: The same items in the same order; an error among them is raised when
        its turn has come. When the block ends, so has the thread.
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
        function (callable): What is done with each item.
        most (int): How many items may wait.

    Yields:
        callable: Takes an item, and waits if there are too many. The next call, or the
            end of the block, raises an error of the function. If the block ends without
            an error, all items are done.
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
