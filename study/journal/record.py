"""Holds what is known of one trial; its metrics are numbers in an array, not a dict an epoch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, overload

import numpy as np

from study.journal.curves import Floats
from study.journal.damage import COPY, JournalDamaged
from study.plan.trial import Role, StageName
from trainables.config.serialization import ConfigError
from trainables.config.trial import TrialConfig

Metrics = dict[str, float]
NO_NAMES: tuple[str, ...] = ()


class MetricHistory(Sequence[Metrics]):
    """Holds the metrics of each epoch, in order; what a journal held in an array, what came since in dicts.

    >>> history = MetricHistory.of([{"epoch": 1, "val/top1": 40.0}, {"epoch": 2, "val/top1": 45.5}])
    >>> history.measured("val/top1"), history[-1]["epoch"]
    ([40.0, 45.5], 2)

    Args:
        names: of the metrics that ``values`` [epochs, names] holds; NaN where one was not measured.
    """

    __slots__ = ("_more", "_names", "_values")

    def __init__(self, names: Sequence[str] = NO_NAMES, values: Floats | None = None) -> None:
        self._names = names
        self._values: Floats = np.empty((0, 0)) if values is None else values
        self._more: list[Metrics] = []

    @classmethod
    def of(cls, history: Iterable[Mapping[str, float]]) -> MetricHistory:
        """Make a history from the metrics of each epoch."""
        epochs = cls()
        for metrics in history:
            epochs.append(metrics)
        return epochs

    def append(self, metrics: Mapping[str, float]) -> None:
        """Add the metrics of one more epoch."""
        self._more.append(dict(metrics))

    def snapshot(self) -> MetricHistory:
        """Copy these epochs, so that nothing is added to them any more."""
        copy = MetricHistory(self._names, self._values)
        copy._more = self._more.copy()
        return copy

    def measured(self, name: str, start: int = 0) -> list[float]:
        """Return the values of a metric, from index ``start`` on, without epochs that did not measure it."""
        stored, values = len(self._values), list[float]()
        if start < stored and name in self._names:
            column = self._values[start:, self._names.index(name)]
            values = column[~np.isnan(column)].tolist()
        return values + [more[name] for more in self._more[max(0, start - stored) :] if name in more]

    def __len__(self) -> int:
        return len(self._values) + len(self._more)

    @overload
    def __getitem__(self, at: int) -> Metrics: ...

    @overload
    def __getitem__(self, at: slice) -> list[Metrics]: ...

    def __getitem__(self, at: int | slice) -> Metrics | list[Metrics]:
        if isinstance(at, slice):
            return [self[number] for number in range(*at.indices(len(self)))]
        number = at + len(self) if at < 0 else at
        if not 0 <= number < len(self):
            raise IndexError(f"epoch {at} of {len(self)}")
        stored = len(self._values)
        if number >= stored:
            return self._more[number - stored]
        row = zip(self._names, self._values[number].tolist(), strict=True)
        return {"epoch": number + 1, **{name: value for name, value in row if value == value}}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Epochs({list(self)!r})"


TrialStatus = Literal["running", "done", "stopped", "failed"]
"""States of a trial; ``stopped`` is early: by its search's rule, or by a spent budget."""

STATUSES: tuple[TrialStatus, ...] = get_args(TrialStatus)


CHOSEN = ("pair", "teacher")
"""Names under which a search chooses among pairs; each trial says anyway which it is of."""


@dataclass(slots=True)
class TrialRecord:
    """Holds what is known of one trial of a study, folded from its lines.

    >>> where = {"stage": "search", "pair": "resnet56-resnet20", "method": "KD", "role": "", "search": ""}
    >>> record = TrialRecord(key="0123456789abcdef", **where, config={}, started=0.0)
    >>> record.history.append({"epoch": 1, "val/top1": 40.0})
    >>> record.status, record.best("val/top1")
    ('running', 40.0)

    Attributes:
        config: its configuration in plain data, as files hold it; :attr:`trial` is the typed one.
        status: running, done, stopped (early) or failed; ``reason`` says why it failed.
        history: metrics of each epoch, in order.
        times: when each of them arrived, seconds since 1970.
        point: the Optuna parameters behind a trial of a search.
        remarks: what went wrong on the way and was mended.
        end_epochs: epochs that it had behind it where it ended, by the line that says so.
        source: file and line that it was read from; empty where it comes from elsewhere.
    """

    key: str
    stage: StageName
    pair: str
    method: str
    role: Role
    search: str
    config: dict[str, Any]
    started: float
    status: TrialStatus = "running"
    reason: str = ""
    ended: float | None = None
    history: MetricHistory = field(default_factory=MetricHistory)
    times: list[float] = field(default_factory=list)
    point: dict[str, Any] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    end_epochs: int = field(default=0, repr=False, compare=False)
    source: str = field(default="", repr=False, compare=False)
    _trial: TrialConfig | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def trial(self) -> TrialConfig:
        """Typed configuration of the trial, read from ``config`` when it is first asked for."""
        if self._trial is None:
            try:
                self._trial = TrialConfig.from_dict(self.config)
            except ConfigError as error:
                if not self.source:
                    raise
                raise JournalDamaged(f"{self.source}: damaged (config: {error}); {COPY}") from None
        return self._trial

    @property
    def asked(self) -> dict[str, Any]:
        """Point without its pair; ``lr`` for a ``resnet20-resnet8.lr``, a domain of that pair alone."""
        own = f"{self.pair}."
        return {name.removeprefix(own): value for name, value in self.point.items() if name not in CHOSEN}

    @property
    def final(self) -> dict[str, float]:
        """Metrics of the last epoch reported."""
        return self.history[-1] if self.history else {}

    def best(self, metric: str) -> float | None:
        """Return the highest value of ``metric`` over the epochs; None where it was never reported."""
        return max(self.history.measured(metric), default=None)
