"""Puts studies side by side: for each pair their best configurations, and each method they have in common."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from study.results.conclusions import Difference, conclusions, sentence
from study.results.folder_reader import read_folder
from study.results.frames import RunFrames, gather
from study.results.seed_groups import SeedGroup, confirmed
from study.results.selection import winners
from study.results.statistics import Gain, gain, holm, mean, std
from study.results.verdicts import LEVEL, verdicts

BEST = "best"
"""Names the row of a pair that compares what each search chose, whatever its method."""


@dataclass(frozen=True, slots=True)
class ComparisonSide:
    """Holds one study's entry of a row.

    Attributes:
        searched: last value of the search's metric, percent; None where this was not found by a search.
        mean, std, n: test top-1 over the seeds that are finished, percent; ``asked`` seeds were asked for.
        difference: from the first study; None of that one itself, and where one of the two has no run.
        data, epochs: what it was trained on and for how long; a difference means little where they differ.
    """

    study: str
    method: str
    settings: str
    role: str
    searched: float | None
    mean: float | None
    std: float | None
    n: int
    asked: int
    data: str
    epochs: int
    difference: Gain | None


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """Holds what is compared on one pair: :data:`BEST`, or a method; None is a study that has not got it."""

    pair: str
    what: str
    studies: list[ComparisonSide | None]


@dataclass(frozen=True, slots=True)
class _Entry:
    configuration: SeedGroup
    searched: float | None
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Holds all of ``sdd-study compare``; its JSON has these names."""

    studies: list[str]
    metric: str
    rows: list[ComparisonRow]
    sentences: list[str]


def compare(results: Path, studies: Sequence[str]) -> Comparison:
    """Read the studies and put them side by side; the first is what the others are compared with."""
    all_runs = [gather([read_folder(results, study)]) for study in studies]
    found = [_entries(runs) for runs in all_runs]
    rows = []
    for pair in dict.fromkeys(pair for entries in found for pair, _ in entries):
        whats = [what for entries in found for at, what in entries if at == pair]
        common = [what for what in dict.fromkeys(whats) if what == BEST or whats.count(what) > 1]
        for what in sorted(common, key=lambda what: what != BEST):
            entries = [each.get((pair, what)) for each in found]
            rows.append(ComparisonRow(pair, what, _sides(studies, entries)))
    within = [
        f"{study}: {text}"
        for study, runs in zip(studies, all_runs, strict=True)
        for text in conclusions(verdicts(confirmed(runs)))
    ]
    return Comparison(list(studies), all_runs[0].metric, rows, [*_between(studies, rows), *within])


def _between(studies: Sequence[str], rows: Sequence[ComparisonRow]) -> list[str]:
    """Return a sentence for each study beside the first: what its searches chose against what those chose."""
    sides = [
        (row.pair, number, row.studies[0], side)
        for row in rows
        if row.what == BEST
        for number, side in enumerate(row.studies)
    ]
    known = [
        (pair, number, base, side, side.difference)
        for pair, number, base, side in sides
        if base is not None and side is not None and side.difference is not None
    ]
    corrected = iter(holm([over.p for *_, over in known if over.p is not None]))
    found: dict[int, list[Difference]] = {}
    for pair, number, base, side, over in known:
        decided = over.p is not None and next(corrected) <= LEVEL
        error = None
        if side.std is not None and base.std is not None:
            error = math.sqrt(side.std**2 / side.n + base.std**2 / base.n)
        found.setdefault(number, []).append(Difference(pair, over.points, error, decided))
    return [
        sentence(f"the best of {studies[number]}", f"the best of {studies[0]}", differences)
        for number, differences in found.items()
    ]


def best_by_pair(runs: RunFrames) -> dict[str, tuple[SeedGroup, str]]:
    """Return the best confirmed configuration of each pair, and what chose it.

    That is the search, by the held-out part of train. On pairs that nothing was searched on it is the highest
    mean on the test split, among configurations that were fixed beforehand, and the answer says so.
    """
    entries = _entries(runs)
    found: dict[str, tuple[SeedGroup, str]] = {}
    for pair in dict.fromkeys(pair for pair, _ in entries):
        if (pair, BEST) in entries:
            found[pair] = (entries[pair, BEST].configuration, f"search, {runs.metric}")
            continue
        fixed = [entry for (at, _), entry in entries.items() if at == pair and entry.values]
        if fixed:
            best = max(fixed, key=lambda entry: mean(entry.values) or 0.0)
            found[pair] = (best.configuration, f"mean test/top1 of {len(fixed)} fixed configurations")
    return found


def _entries(runs: RunFrames) -> dict[tuple[str, str], _Entry]:
    """Return a study's entries by pair and row."""
    found, values = winners(runs), runs.curves.last(runs.metric)
    entries: dict[tuple[str, str], _Entry] = {}
    for configuration in confirmed(runs):
        if configuration.method == "teacher":
            continue
        number = found.get((configuration.pair, configuration.runs["settings"].iloc[0]))
        searched = None if number is None else float(values[number])
        entry = _Entry(configuration, searched, configuration.values("top1", "last"))
        for what in (BEST, configuration.method) if searched is not None else (configuration.method,):
            known = entries.get((configuration.pair, what))
            if known is None or _rank(entry) > _rank(known):
                entries[configuration.pair, what] = entry
    return entries


def _rank(entry: _Entry) -> tuple[float, bool]:
    """Rank what the search preferred first, then what it did not find. Test values decide nothing."""
    return (float("-inf") if entry.searched is None else entry.searched, entry.configuration.searched)


def _sides(studies: Sequence[str], entries: Sequence[_Entry | None]) -> list[ComparisonSide | None]:
    base = entries[0]
    sides: list[ComparisonSide | None] = []
    for study, entry in zip(studies, entries, strict=True):
        if entry is None:
            sides.append(None)
            continue
        item = entry.configuration
        over = gain(entry.values, base.values) if base is not None and entry is not base else None
        sides.append(
            ComparisonSide(
                study=study,
                method=item.method,
                settings=item.settings,
                role=item.role,
                searched=entry.searched,
                mean=mean(entry.values),
                std=std(entry.values),
                n=len(entry.values),
                asked=item.asked,
                data=item.data,
                epochs=item.epochs,
                difference=over,
            )
        )
    return sides
