"""Declares domains, what a search may vary: a field of a method or of a training holds one, not a value."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from trainables.config.serialization import OpenValue, require


class OptunaTrial(Protocol):
    """Names the part of ``optuna.Trial`` that a domain needs."""

    @property
    def params(self) -> dict[str, Any]: ...

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float: ...

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int: ...

    def suggest_categorical(self, name: str, choices: list[str]) -> Any: ...


@dataclass(frozen=True, slots=True)
class Float(OpenValue):
    """Holds a range of real numbers [low, high]; with ``log``, uniform in its logarithm.

    >>> Float(1, 8).middle(), Float(1, 4, log=True).middle()
    (4.5, 2.0)
    >>> Float(1, 8).stored(3), Float(1, 8).stored(9)
    (3.0, None)

    Attributes:
        step: only low, low + step, low + 2 * step, ..., high; what a grid needs.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None

    def __post_init__(self) -> None:
        _check_range(self.low, self.high, self.log)
        if self.step is not None:
            require(not self.log, "a logarithmic range has no step; write the values as a Choice")
            require(
                _is_number(self.step) and 0 < self.step < math.inf,
                f"step {self.step!r} is not above 0 and finite",
            )
            require(
                self._fits(self.high), f"range {self.low} to {self.high} is no multiple of step {self.step}"
            )

    def suggest(self, trial: OptunaTrial, name: str) -> float:
        """Ask ``trial`` for a value of this domain under ``name``."""
        return trial.suggest_float(name, self.low, self.high, step=self.step, log=self.log)

    def stored(self, value: Any) -> float | None:
        """Return ``value`` as Optuna stores it; None when it lies outside."""
        inside = _is_number(value) and self.low <= value <= self.high and self._fits(value)
        return float(value) if inside else None

    def extremes(self) -> tuple[Any, ...]:
        """Return both ends of the range."""
        return (float(self.low), float(self.high))

    def middle(self) -> float:
        """Return the value half-way, by the measure of the search."""
        if self.step is not None:
            return self.low + self.step * (round((self.high - self.low) / self.step) // 2)
        return math.sqrt(self.low * self.high) if self.log else (self.low + self.high) / 2

    def _fits(self, value: float) -> bool:
        """Tell whether ``value`` is a whole number of steps from the lower end."""
        steps = (value - self.low) / self.step if self.step is not None else 0.0
        return abs(steps - round(steps)) < 1e-8


@dataclass(frozen=True, slots=True)
class Int(OpenValue):
    """Holds a range of whole numbers [low, high], both ends included; with ``log``, uniform in its logarithm.

    >>> Int(1, 9).extremes(), Int(1, 9).middle()
    ((1, 9), 5)
    """

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        _check_range(self.low, self.high, self.log)
        whole = isinstance(self.low, int) and isinstance(self.high, int)
        require(whole, f"range {self.low} to {self.high} is not made of whole numbers; Float takes any")

    def suggest(self, trial: OptunaTrial, name: str) -> int:
        """Ask ``trial`` for a value of this domain under ``name``."""
        return trial.suggest_int(name, self.low, self.high, log=self.log)

    def stored(self, value: Any) -> int | None:
        """Return ``value`` as Optuna stores it; None when it lies outside."""
        inside = isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high
        return value if inside else None

    def extremes(self) -> tuple[Any, ...]:
        """Return both ends of the range."""
        return (self.low, self.high)

    def middle(self) -> int:
        """Return the value half-way, by the measure of the search."""
        return round(math.sqrt(self.low * self.high)) if self.log else (self.low + self.high) // 2


@dataclass(frozen=True, slots=True, init=False)
class Choice(OpenValue):
    """Holds several values to choose among: numbers, texts, scale sets, base losses.

    Optuna stores the label of a choice, a text such as ``1,2,4``; trials get the value itself.

    >>> sets = Choice((1, 2), (1, 2, 4))
    >>> sets.stored([1, 2, 4]), sets.middle()
    ('1,2,4', (1, 2))
    """

    options: tuple[Any, ...]

    def __init__(self, *options: Any) -> None:
        options = tuple(tuple(item) if isinstance(item, list) else item for item in options)
        require(len(options) >= 2, "a Choice needs two options or more")
        labels = [label(item) for item in options]
        require(len(set(labels)) == len(labels), f"a Choice names an option twice: {', '.join(labels)}")
        object.__setattr__(self, "options", options)

    def __repr__(self) -> str:
        return f"Choice({', '.join(map(repr, self.options))})"

    def suggest(self, trial: OptunaTrial, name: str) -> Any:
        """Ask ``trial`` for one of the options under ``name``."""
        by_label = {label(item): item for item in self.options}
        return by_label[trial.suggest_categorical(name, list(by_label))]

    def stored(self, value: Any) -> str | None:
        """Return the label of ``value``; None when it is not among the options."""
        value = tuple(value) if isinstance(value, list) else value
        return next((label(option) for option in self.options if _same(option, value)), None)

    def extremes(self) -> tuple[Any, ...]:
        """Return all options, since none lies between others."""
        return self.options

    def middle(self) -> Any:
        """Return the first option, which stands for the value half-way."""
        return self.options[0]


Domain = Float | Int | Choice
"""Anything a search may vary."""


def LogFloat(low: float, high: float) -> Float:
    """Make a range of real numbers [low, high], uniform in the logarithm."""
    return Float(low, high, log=True)


def value_in(domain: Domain, preferred: Any) -> Any:
    """Return ``preferred`` where it lies in ``domain``, else the value half-way."""
    return preferred if domain.stored(preferred) is not None else domain.middle()


def is_domain(value: object) -> bool:
    """Tell whether ``value`` is to be searched rather than used."""
    return isinstance(value, (Float, Int, Choice))


def options_of(value: Any) -> Iterator[Any]:
    """Yield the values ``value`` may take where that is a finite list: those of a Choice, or itself."""
    if isinstance(value, Choice):
        yield from value.options
    elif not is_domain(value):
        yield value


def extremes(value: Any) -> tuple[Any, ...]:
    """Return the values to check for ``value``: all options of a choice, both ends of a range, or itself."""
    return value.extremes() if isinstance(value, OpenValue) else (value,)


def label(value: Any) -> str:
    """Return a short text for one option: ``1,2,4`` for a scale set, ``resnet20-resnet8`` for a pair."""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(getattr(value, "label", value))


def _same(option: Any, value: Any) -> bool:
    """Tell whether two values are equal; 1 and 1.0 are, 1 and True are not."""
    return isinstance(option, bool) is isinstance(value, bool) and bool(option == value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _check_range(low: Any, high: Any, log: Any) -> None:
    require(_is_number(low) and _is_number(high), f"range {low!r} to {high!r} is not made of numbers")
    finite = max(abs(low), abs(high)) <= sys.float_info.max and low == low and high == high
    require(finite, f"range {low} to {high} is not made of finite numbers")
    require(isinstance(log, bool), f"log: expected True or False, got {log!r}")
    require(low < high, f"range {low} to {high} is the wrong way round or empty; write the lower end first")
    require(not log or low > 0, f"a logarithmic range cannot start at {low}; start above 0")
