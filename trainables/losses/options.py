"""Describes what a loss's option may be, without torch, so that a space file can be checked anywhere."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from trainables.errors import SDDError, suggestion

Value: TypeAlias = bool | int | float | str | tuple[int, ...]


class LossError(SDDError, ValueError):
    """Says which loss, or option of one, cannot be used, and what is known.

    >>> checked("kd", {"temperature": LossOption(4.0, "T")}, {"temprature": 2.0})
    Traceback (most recent call last):
    ...
    trainables.losses.options.LossError: kd: option 'temprature' is unknown
    """


@dataclass(frozen=True, slots=True)
class LossOption:
    """Describes one option of a loss. Its kind (bool, int, float, str, tuple of ints) is its default's.

    >>> temperature = LossOption(4.0, "T", low=0.0, above_low=True)
    >>> temperature.range, temperature.normalised("kd: temperature", 3)
    ('a finite number greater than 0', 3.0)

    Attributes:
        above_low: the bound itself is excluded.
        in_formula: the value decides which formula holds, so that code compiled for one value is no other's;
            true of all that are no real numbers.
    """

    default: Value
    meaning: str
    low: float = -math.inf
    above_low: bool = False
    high: float = math.inf
    choices: tuple[str, ...] = ()
    in_formula: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.default, float):
            object.__setattr__(self, "in_formula", True)

    @property
    def range(self) -> str:
        """Allowed values, in words."""
        if self.choices:
            return "one of " + ", ".join(repr(choice) for choice in self.choices)
        if isinstance(self.default, bool):
            return "True or False"
        if isinstance(self.default, str):
            return "a string"
        if isinstance(self.default, tuple):
            return "a tuple of positive integers, none twice"
        words = "an integer" if isinstance(self.default, int) else "a finite number"
        if math.isfinite(self.low):
            words += f" greater than {self.low:g}" if self.above_low else f", at least {self.low:g}"
        if math.isfinite(self.high):
            words += f", at most {self.high:g}"
        return words

    def normalised(self, where: str, value: object) -> Value:
        """Return ``value`` in the option's kind (an int for a float option as a float); else LossError."""
        result: Value | None = None
        if isinstance(self.default, bool):
            result = value if isinstance(value, bool) else None
        elif isinstance(self.default, str):
            if isinstance(value, str) and (not self.choices or value in self.choices):
                result = value
        elif isinstance(self.default, tuple):
            result = _positive_ints(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            result = self._number(value)
        if result is None:
            raise LossError(f"{where}: {value!r} is not allowed; it must be {self.range} ({self.meaning})")
        return result

    def _number(self, value: int | float) -> int | float | None:
        whole = isinstance(self.default, int)
        if whole and not isinstance(value, int):
            return None
        if not math.isfinite(value) or value < self.low or value > self.high:
            return None
        if self.above_low and value == self.low:
            return None
        return value if whole else float(value)


def _positive_ints(value: object) -> tuple[int, ...] | None:
    if not isinstance(value, tuple | list) or not value or len(set(value)) != len(value):
        return None
    if any(isinstance(item, bool) or not isinstance(item, int) or item < 1 for item in value):
        return None
    return tuple(value)


def checked(owner: str, table: Mapping[str, LossOption], given: Mapping[str, object]) -> dict[str, Value]:
    """Return all options of ``owner``: those ``given``, checked and normalised, and the rest's defaults."""
    for name in given:
        if name not in table:
            known = ", ".join(table) if table else "none, it takes no options"
            raise LossError(f"{owner}: option {name!r} is unknown; known: {known}{_hint(name, table)}")
    return {
        name: option.normalised(f"{owner}.{name}", given[name]) if name in given else option.default
        for name, option in table.items()
    }


def unknown(kind: str, name: object, known: Iterable[str]) -> LossError:
    """Return the error for a name that is in no table."""
    names = sorted(known)
    return LossError(f"{kind} {name!r} is unknown; known: {', '.join(names)}{_hint(str(name), names)}")


def _hint(name: str, known: Iterable[str]) -> str:
    near = suggestion(name, known, otherwise="")
    return f" ({near})" if near else ""
