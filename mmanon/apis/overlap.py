"""Threads that let the parts of a pipeline work at the same time, in bounded memory.

Decoding, networks and encoding run outside Python's lock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import TypeVar

__all__ = ['Workers', 'worked_ahead', 'worked_behind']

T = TypeVar('T')
_LONGEST = 5.0  # seconds in which a thread that does not hang has done its task
_PATIENCE = 0.1  # seconds until a thread that waits looks whether it is still needed
_END = object()


class _Failed:
    def __init__(self, error: BaseException) -> None:
        self.error = error


class Workers:
    """Threads that work side by side.

    Unlike those of ``ThreadPoolExecutor`` they do not keep a program from ending for
    ever that is interrupted while one of them hangs.

    Args:
        count (int): How many.
    """

    def __init__(self, count: int) -> None:
        self._tasks: Queue = Queue()
        self._threads = [Thread(target=self._work, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(self, function: Callable[[], T]) -> Future[T]:
        """Let a function be called; the future has what it returns or raises."""
        future: Future[T] = Future()
        self._tasks.put((future, function))
        return future

    def end(self) -> None:
        """End the threads: what has not begun is given up, and the rest is waited for.

        A program that ended while they are in C++ would be aborted by it.
        """
        while True:
            try:
                task = self._tasks.get_nowait()
            except Empty:
                break
            if task is not None:
                task[0].cancel()
        for _ in self._threads:
            self._tasks.put(None)
        until = time.monotonic() + _LONGEST
        for thread in self._threads:
            thread.join(max(0, until - time.monotonic()))

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            future, function = task
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)
            # Nothing is held while there is nothing to do.
            del task, future, function


@contextmanager
def worked_ahead(items: Iterable[T], most: int) -> Iterator[Iterator[T]]:
    """Let an iterable be gone through by a thread of its own.

    Args:
        items (Iterable): Where the items come from.
        most (int): How many may wait to be taken.

    Yields:
        Iterator: The same items in the same order; an error among them is raised when
        its turn has come. When the block ends, so has the thread.
    """
    queue: Queue = Queue(most)
    ended = Event()

    def put(item: object) -> bool:
        while not ended.is_set():
            try:
                queue.put(item, timeout=_PATIENCE)
                return True
            except Full:
                continue
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
            yield item

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
    """Let a function be called by a thread of its own, one item after the other.

    Args:
        function (callable): What is done with each item.
        most (int): How many items may wait.

    Yields:
        callable: Takes an item, and waits where there are too many. An error of the
        function is raised by the next call, or when the block ends. When that ends with
        no error of its own, all items are done.
    """
    queue: Queue = Queue(most)
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
                function(item)
            except BaseException as error:
                failed.append(error)
                return

    def put(item: object) -> None:
        while not failed:
            try:
                queue.put(item, timeout=_PATIENCE)
                return
            except Full:
                continue
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
