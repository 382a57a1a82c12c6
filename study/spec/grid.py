"""Finds all points of a finite search space by asking for it again and again with other choices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from study.spec.domains import OptunaTrial
from trainables.config.serialization import require

NEEDS_FINITE = "a grid needs finite domains; write Float(low, high, step=...) or a Choice"


class InfiniteGridError(ValueError):
    """Says that a domain has no end of values; the message is its name."""


class BranchingTrial:
    """Answers with given options, by number, and with the first of each domain beyond them.

    >>> trial = BranchingTrial([1])
    >>> trial.suggest_categorical("base", ["kd", "dkd"]), trial.suggest_int("top", 3, 5)
    ('dkd', 3)
    >>> trial.next_path()
    [1, 1]
    """

    def __init__(self, path: list[int]) -> None:
        self.path = path
        self.sizes: list[int] = []
        self.params: dict[str, Any] = {}

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """Return the float of this path, of a range with a step."""
        if step is None:
            raise InfiniteGridError(name)
        count = round((high - low) / step) + 1
        return float(self._take(name, [min(low + number * step, high) for number in range(count)]))

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """Return the whole number of this path."""
        return int(self._take(name, range(low, high + 1, step)))

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """Return the option of this path."""
        return self._take(name, choices)

    def _take(self, name: str, options: Any) -> Any:
        if name not in self.params:
            number = self.path[len(self.sizes)] if len(self.sizes) < len(self.path) else 0
            self.sizes.append(len(options))
            self.params[name] = options[number]
        return self.params[name]

    def next_path(self) -> list[int] | None:
        """Return the path after this one, the last domain first; None after the last."""
        path = [*self.path, *[0] * (len(self.sizes) - len(self.path))]
        while path and path[-1] + 1 >= self.sizes[len(path) - 1]:
            path.pop()
        return [*path[:-1], path[-1] + 1] if path else None


AnyFork = TypeVar("AnyFork", bound=BranchingTrial)


def walk(ask: Callable[[OptunaTrial], Any], kind: type[AnyFork]) -> Iterator[tuple[AnyFork, Any]]:
    """Call ``ask`` with a trial for each path through its choices; yield each with its answer."""
    path: list[int] | None = []
    while path is not None:
        fork = kind(path)
        yield fork, ask(fork)
        path = fork.next_path()


def points(ask: Callable[[OptunaTrial], Any]) -> Iterator[dict[str, Any]]:
    """Yield every point that ``ask`` may suggest, conditional domains included, each once.

    Raises:
        InfiniteGridError: a domain is not finite.
    """
    for fork, _ in walk(ask, BranchingTrial):
        yield fork.params


def check_finite(ask: Callable[[OptunaTrial], object], place: str) -> None:
    """Raise :class:`ConfigError` naming the first domain that a grid cannot go through."""
    finite, name = True, ""
    try:
        for number, _ in enumerate(points(ask)):
            if number > 1000:
                break
    except InfiniteGridError as error:
        finite, name = False, str(error)
    require(finite, f"{place}.{name}: {NEEDS_FINITE}")
