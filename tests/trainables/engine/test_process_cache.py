"""What a process keeps from trial to trial."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from trainables.engine.process_cache import ProcessCache


class Held:
    """An object that a cycle holds, as a recorded step and the work that it repeats."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
def test_what_is_dropped_is_gone_before_the_next_is_made() -> None:
    cache = ProcessCache()
    first = weakref.ref(cache.get("networks", "first", Held))
    assert first() is not None
    assert cache.get("networks", "second", lambda: first() is None)


def test_the_last_used_are_kept_and_the_others_dropped() -> None:
    cache, dropped = ProcessCache(), list[str]()
    for key in ("a", "b", "a", "c"):
        cache.get("kind", key, lambda key=key: key, capacity=2, drop=dropped.append)  # type: ignore[misc]
    assert dropped == ["b"]
    assert cache.count("kind") == 2
