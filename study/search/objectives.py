"""Compares the trials of a search by metrics they report and costs known from the network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from study.journal.record import TrialRecord
from study.plan.plan import Plan
from study.spec.search import COSTS

Direction = Literal["maximize", "minimize"]


@dataclass(frozen=True, slots=True)
class Objectives:
    """Holds the objectives of a study's searches, the maximised metric first, then what is minimised.

    >>> both = Objectives(("val/top1", "student/parameters"), costs={"a-b": {"student/parameters": 5e4}})
    >>> both.losses({"val/top1": 61.0}, "a-b")
    (-61.0, 50000.0)

    Attributes:
        names: of all of them, in order.
        limits: the most that ``Search.subject_to`` allows, by name.
        costs: of the student of each pair, where one is an objective or limited.
    """

    names: tuple[str, ...]
    limits: Mapping[str, float] = field(default_factory=dict)
    costs: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, plan: Plan) -> Objectives:
        """Return the objectives of a plan, whose students are built to count what they cost."""
        search = plan.spec.search
        wanted = [name for name in COSTS if name in {*search.objectives, *search.subject_to}]
        costs = {pair.label: plan.costs(pair, wanted) for pair in plan.spec.each_pair} if wanted else {}
        return cls(search.objectives, {str(name): most for name, most in search.subject_to.items()}, costs)

    @property
    def metric(self) -> str:
        """Name of the objective that is maximised."""
        return self.names[0]

    @property
    def directions(self) -> list[Direction]:
        """Optuna's word for each objective: ``maximize`` or ``minimize``."""
        minimized: list[Direction] = ["minimize"] * (len(self.names) - 1)
        return ["maximize", *minimized]

    def values(self, metrics: Mapping[str, float], pair: str) -> tuple[float, ...] | None:
        """Return a trial's values, one number an objective, from its metrics; None where one is missing."""
        known = {**metrics, **self.costs.get(pair, {})}
        found = [known.get(name) for name in self.names]
        numbers = tuple(float(value) for value in found if value is not None)
        return numbers if len(numbers) == len(found) else None

    def losses(self, metrics: Mapping[str, float], pair: str) -> tuple[float, ...]:
        """Return the values, all of them turned to be minimised; empty where one is missing."""
        values = self.values(metrics, pair)
        return () if values is None else (-values[0], *values[1:])

    def constraints(self, metrics: Mapping[str, float], pair: str) -> dict[str, float]:
        """Return how far a trial of ``pair`` is beyond each limit, as a share of it; 0 or less is within."""
        known = {**metrics, **self.costs.get(pair, {})}
        return {name: known[name] / most - 1 for name, most in self.limits.items() if name in known}

    def feasible(self, metrics: Mapping[str, float], pair: str) -> bool:
        """Tell whether nothing that is known of a trial of ``pair`` is beyond a limit."""
        return all(over <= 0 for over in self.constraints(metrics, pair).values())

    def ranked(self, records: Iterable[TrialRecord]) -> list[TrialRecord]:
        """Rank feasible trials by their last values, best first; with several objectives, the Pareto front.

        Trials that went through all epochs are taken before all others.
        """
        within = (record for record in records if self.feasible(record.final, record.pair))
        valued = [(self.losses(record.final, record.pair), record) for record in within]
        whole = [item for item in valued if item[1].status == "done"]
        chosen = sorted(
            ((losses, record) for losses, record in (whole or valued) if losses), key=lambda item: item[0]
        )
        if len(self.names) == 1:
            return [record for _, record in chosen]
        front: list[tuple[tuple[float, ...], TrialRecord]] = []
        for losses, record in chosen:  # in this order nothing is dominated by what comes later
            if not any(all(a <= b for a, b in zip(better, losses, strict=True)) for better, _ in front):
                front.append((losses, record))
        return [record for _, record in front]
