"""A step on a thread of its own: repeated while the block runs, and only then."""

from __future__ import annotations

import threading
import time

from study.background import repeating


def test_repeats_until_the_block_is_left() -> None:
    called = threading.Semaphore(0)

    def step() -> bool:
        called.release()
        return True

    with repeating(step, 0.01, "counted"):
        for _ in range(3):
            assert called.acquire(timeout=10)
        assert "counted" in [thread.name for thread in threading.enumerate()]
    assert "counted" not in [thread.name for thread in threading.enumerate()]
    while called.acquire(blocking=False):
        pass
    time.sleep(0.05)
    assert not called.acquire(blocking=False), "nothing runs once the block is left"


def test_ends_by_itself_when_the_step_says_so() -> None:
    calls: list[int] = []

    def step() -> bool:
        calls.append(1)
        return len(calls) < 2

    with repeating(step, 0.01, "short"):
        end = time.monotonic() + 10
        while "short" in [thread.name for thread in threading.enumerate()] and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(0.05)
        assert len(calls) == 2


def test_an_error_in_the_block_ends_it_too() -> None:
    try:
        with repeating(lambda: True, 0.01, "failing"):
            raise RuntimeError("inside")
    except RuntimeError:
        pass
    assert "failing" not in [thread.name for thread in threading.enumerate()]
