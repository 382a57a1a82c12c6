"""Stands in for a trial of Optuna where its answers are known beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from study.spec.domains import Float, Int, label


class KnownAnswers:
    """Answers with given values by name; raises ``LookupError`` where it has none that is allowed.

    >>> trial = KnownAnswers({"lr": 0.1})
    >>> trial.suggest_float("lr", 0.01, 1), trial.params
    (0.1, {'lr': 0.1})
    >>> trial.suggest_float("lr", 0.2, 1)
    Traceback (most recent call last):
    LookupError: lr
    """

    def __init__(self, known: Mapping[str, Any]) -> None:
        self._known = known
        self.params: dict[str, Any] = {}

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        return float(self._answer(name, Float(low, high, log=log, step=step).stored(self._known[name])))

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        return int(self._answer(name, Int(low, high, log=log).stored(self._known[name])))

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        value = self._known[name]
        text = label(tuple(value) if isinstance(value, list) else value)
        return self._answer(name, next((of for of in choices if of in (value, text)), None))

    def _answer(self, name: str, value: Any) -> Any:
        if value is None:
            raise LookupError(name)
        self.params[name] = value
        return value
