"""Groups the runs of each confirmed configuration over its seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from study.results.frames import RunFrames
from study.results.selection import winners
from study.spec import published as paper

PROTOCOLS = {
    "last": "after the last epoch",
    "validation": "at the epoch that is best on the held-out part of train",
    "best-test": "at the epoch that is best on the test split, as published code reports it",
}
"""Names, as ``--protocol`` has them, of when accuracy is read."""


IN_LABEL = ("base", "scales", "alpha", "beta")
"""Settings that the method's name and :func:`settings_label` say of a decoupled configuration."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """Says how a configuration was found: by a search of so many trials over these knobs.

    >>> str(Tuning(trials=12, knobs=("lr", "beta")))
    '12 trials: lr, beta'
    """

    trials: int
    knobs: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.trials} trials: {', '.join(self.knobs)}"


@dataclass(frozen=True, slots=True)
class SeedGroup:
    """Holds runs that differ in their seed alone.

    >>> from study.journal.record import MetricHistory, TrialRecord
    >>> from study.results.frames import from_records
    >>> from trainables.config import Data, TrialConfig
    >>> configs = [TrialConfig(data=Data(name="cifar100"), student="resnet8", seed=seed) for seed in (1, 2)]
    >>> where = {"stage": "confirm", "pair": "resnet8", "method": "CE", "role": "baseline", "search": ""}
    >>> records = [
    ...     TrialRecord(each.trial_key, **where, config=each.to_dict(), started=0.0, status="done",
    ...                 history=MetricHistory.of([{"epoch": 1, "test/top1": 60.0 + each.seed}]))
    ...     for each in configs
    ... ]
    >>> [group] = confirmed(from_records("small", records))
    >>> group.method, group.by_seed()
    ('CE', {1: 61.0, 2: 62.0})

    Attributes:
        method: in one spelling for all sources, see :func:`spelling`.
        knowledge: none, consistent, complementary or fusion: which regions' terms have a weight.
        published: its settings are the paper's, or were given as a baseline.
        searched: the search found it, and it is not the paper's.
        data: see :func:`study.results.trial_settings.data_label`.
        asked: seeds that were asked for, and ``at_most`` where its comparison stayed open.
        weights: hash of its teacher's weights, of a given teacher its own; empty where there are none.
        tuning: the search that found it, and with how much; None where none did.
        further: what that search chose beside scales, alpha and beta, by name.
        runs: one row a run, a seed once.
    """

    pair: str
    teacher: str
    student: str
    method: str
    scales: str
    alpha: float | None
    beta: float | None
    knowledge: str
    published: bool
    searched: bool
    role: str
    data: str
    epochs: int
    asked: int
    at_most: int
    weights: str
    tuning: Tuning | None
    further: Mapping[str, Any]
    runs: pd.DataFrame

    @property
    def first(self) -> Any:
        """Run with the lowest seed: the one whose student stands for the configuration."""
        return self.runs.sort_values("seed").iloc[0]

    @property
    def settings(self) -> str:
        """Settings that tell it from others of its method: ``{1,2} alpha 0.9 beta 2 lr 0.03``."""
        further = " ".join(f"{name} {_short(value)}" for name, value in self.further.items())
        return " ".join(
            filter(None, [settings_label(self.method, self.scales, self.alpha, self.beta), further])
        )

    def by_seed(self, most: int | None = None) -> dict[int, float]:
        """Return test top-1 after the last epoch by seed, percent; of seeds up to ``most``, if given."""
        both = zip(self.runs["seed"].tolist(), self.runs["test/top1"].tolist(), strict=True)
        known = ((int(seed), top1) for seed, top1 in sorted(both) if not math.isnan(top1))
        return {seed: top1 for seed, top1 in known if most is None or seed <= most}

    def values(self, metric: str, protocol: str) -> tuple[float, ...]:
        """Return ``metric`` (top1, top5: percent; ms_per_batch: milliseconds) of each run that has it."""
        runs = self.runs
        if metric == "ms_per_batch":
            return tuple(runs["time/batch_ms"].dropna())
        if self.method == "teacher":
            protocol = "last"  # of one finished network; students learn from that one
        if protocol == "best-test":
            runs = runs[runs["watched"]]
        suffix = {"last": "", "validation": "_chosen", "best-test": "_best"}[protocol]
        return tuple(runs[f"test/{metric}{suffix}"].dropna())


def confirmed(runs: RunFrames) -> list[SeedGroup]:
    """Group students over seeds, in the order in which they began; then teachers, as students of nobody."""
    counted, found_by = runs.counted, winners(runs)
    tunings = _tunings(runs.trials)
    students = counted[counted["stage"] == "confirm"]
    teachers = counted[counted["stage"] == "teachers"].assign(method="teacher", asked=1, at_most=1)
    found = []
    for part in (students, teachers):
        once = part.sort_values("watched", ascending=False, kind="stable").drop_duplicates(
            ["settings", "seed", "method"]
        )
        groups = once.sort_index().groupby(["settings", "method"], sort=False)
        for _, group in groups:
            first = group.iloc[0]
            number = found_by.get((first["pair"], first["settings"]))
            search = None if number is None else tuple(runs.trials.loc[number, ["study", "search"]])
            found.append(_configuration(group, tunings.get(search) if search else None))
    return found


def _tunings(trials: pd.DataFrame) -> dict[tuple[Any, ...], Tuning]:
    """Return how much each search of each study had, by study and label."""
    found = {}
    for key, group in trials[trials["stage"] == "search"].groupby(["study", "search"], sort=False):
        names = dict.fromkeys(name for text in group["searched"] for name in text.split())
        found[tuple(key)] = Tuning(group["trial_key"].nunique(), tuple(names))
    return found


def teachers_of(teachers: Sequence[SeedGroup], students: Sequence[SeedGroup]) -> list[SeedGroup]:
    """Return those of ``teachers``, all of one network, that the students learnt from.

    A given teacher is known by its weights. What a trained one's are its own run does not tell: it is left
    out where the students' teachers were all given.
    """
    learnt_from = {item.weights for item in students} - {""}
    given = [item for item in teachers if item.weights]
    known = [item for item in given if item.weights in learnt_from]
    if learnt_from and learnt_from <= {item.weights for item in known}:
        return known
    return [*known, *(item for item in teachers if not item.weights)] or list(teachers)


def _configuration(group: pd.DataFrame, tuning: Tuning | None) -> SeedGroup:
    first: Any = group.iloc[0]
    published = bool(group["published"].any())
    searched = first["role"] == "best" and not published
    said = IN_LABEL if decoupled(first["method"]) else ("base",)
    shown = [name for name in (tuning.knobs if tuning else ()) if name not in said]
    return SeedGroup(
        pair=first["pair"],
        teacher=spelling(first["teacher"]),
        student=spelling(first["student"]),
        method=first["method"],
        scales=first["scales"],
        alpha=_number(first["alpha"]),
        beta=_number(first["beta"]),
        knowledge=knowledge(first),
        published=published,
        searched=searched,
        role=first["role"],
        data=first["data"],
        epochs=int(first["epochs_planned"]),
        asked=int(group["asked"].max()),
        at_most=int(group["at_most"].max()),
        weights=first["weights"],
        tuning=tuning,
        further={name: first[name] for name in shown if name in first and not pd.isna(first[name])},
        runs=group,
    )


def knowledge(trial: Any) -> str:
    """Tell which part of SDD takes part, as Table 6 names it."""
    if not decoupled(trial["method"]):
        return "none"
    consistent, complementary = trial["consistent_weight"] > 0, trial["beta"] > 0
    return "fusion" if consistent and complementary else "consistent" if consistent else "complementary"


def decoupled(method: Any) -> bool:
    """Tell whether a row's method is scale decoupled: SD-KD, SD-DKD+LS."""
    return str(method).startswith("SD-")


def spelling(network: str) -> str:
    """Return ``resnet34`` for torchvision:resnet34, as the paper calls it."""
    return network.rsplit(":", 1)[-1]


def canonical(method: str) -> str:
    """Return one spelling for FitNet and FITNET, SDD-SP and SP_MULTISCALE."""
    name = method.casefold().replace("_", "-")
    return name.replace("sp-multiscale", "sdd-sp")  # the feature loss of Table A2


def base_method(method: str) -> str | None:
    """Return X for SD-X and SDD-X, X+LS for SD-X+LS; None for the others, and where more is added."""
    name, _, added = canonical(method).partition("+")
    prefix = next((prefix for prefix in ("sdd-", "sd-") if name.startswith(prefix)), None)
    if prefix is None or added not in ("", "ls", "lsw"):
        return None
    return name.removeprefix(prefix) + ("+ls" if added else "")


def paper_scales(found: SeedGroup) -> str:
    """Return the paper's scale set for what ``found`` ran, as ``scales`` columns have it."""
    case = paper.PaperCase(found.teacher, found.student, found.data)
    return ",".join(map(str, paper.scales(case, found.method.removeprefix("SD-").lower())))


def _number(value: Any) -> float | None:
    return None if value is None or pd.isna(value) else float(value)


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def settings_label(method: str, scales: str, alpha: float | None, beta: float | None) -> str:
    """Return ``{1,2} alpha 0.9 beta 2`` of a decoupled method; empty for the others."""
    if not decoupled(method) or alpha is None or beta is None:
        return ""
    return f"{{{scales}}} alpha {alpha:.3g} beta {beta:.3g}"
