import itertools
import queue
import sys
import threading
import time
from contextlib import suppress

import pytest

from mmanon.utils import threads as overlap
from mmanon.utils.threads import Workers, worked_ahead, worked_behind

# Where Python waits for other threads by code of its own.
INTERRUPTIBLE = [one.__file__ for one in (overlap, queue, threading)]


def test_items_come_in_their_order_and_none_is_lost():
    with worked_ahead(range(100), 3) as items:
        assert list(items) == list(range(100))
    done = []
    with worked_behind(done.append, 3) as put:
        for item in range(100):
            put(item)
    assert done == list(range(100))


def test_no_more_items_wait_than_may():
    taken = []
    with worked_ahead(map(taken.append, range(100)), 3) as items:
        for _ in range(10):
            next(items)
        # One more waits to be put, and one may have been taken since.
        assert len(taken) <= 10 + 3 + 2
    assert len(taken) <= 10 + 3 + 2


def test_an_error_is_raised_where_its_turn_has_come():
    def broken():
        yield 1
        raise OSError('no more')

    with worked_ahead(broken(), 3) as items:
        assert next(items) == 1
        with pytest.raises(OSError, match='no more'):
            next(items)


def test_an_error_of_what_works_behind_is_raised_and_the_rest_left():
    def fail(item):
        if item == 2:
            raise OSError('disk full')

    with pytest.raises(OSError, match='disk full'):
        with worked_behind(fail, 2) as put:
            for item in range(1000):
                put(item)
    with pytest.raises(OSError, match='disk full'):
        with worked_behind(fail, 2) as put:
            put(2)  # the last: told when the block ends


def test_after_an_error_of_the_block_its_threads_have_ended():
    before = threading.active_count()
    with pytest.raises(KeyError):
        with worked_behind(print, 2), worked_ahead(iter(int, 1), 2):
            raise KeyError
    assert threading.active_count() == before


def test_workers_hand_on_results_and_errors():
    workers = Workers(2)
    good, bad = workers.submit(lambda: 7), workers.submit(lambda: 1 / 0)
    assert good.result() == 7
    with pytest.raises(ZeroDivisionError):
        bad.result()
    workers.end()


def test_workers_that_have_ended_work_no_more():
    workers = Workers(2)
    begun, done = threading.Event(), []

    def slow():
        begun.set()
        time.sleep(0.2)
        done.append(1)

    for _ in range(6):
        workers.submit(slow)
    begun.wait()
    workers.end()
    assert 1 <= len(done) <= 2
    time.sleep(0.3)
    assert len(done) <= 2


@pytest.mark.timeout(120)
def test_an_interrupt_ends_the_block_wherever_it_strikes(monkeypatch):
    monkeypatch.setattr(overlap, '_LONGEST', 0.1)
    for step in itertools.count(1):
        left = step

        def strike(frame, event, _):
            nonlocal left
            if event != 'call' and frame.f_code.co_filename in INTERRUPTIBLE:
                left -= 1
                if not left:
                    sys.settrace(None)
                    raise KeyboardInterrupt
            return strike

        with suppress(KeyboardInterrupt), worked_ahead(iter(int, 1), 1) as items:
            workers = Workers(1)
            try:
                sys.settrace(strike)
                for _ in range(2):
                    next(items)
                workers.submit(int).result()
            finally:
                sys.settrace(None)
                workers.end()
        if left > 0:
            break
    assert step > 10
