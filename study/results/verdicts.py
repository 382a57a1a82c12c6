"""Judges which configurations gain over their base loss, by tests that hold however often one looks.

A study may test each comparison several times, with ever more seeds, and it has several comparisons. So a p
value is first taken times the number of looks there may be, and the least of them counts: at least one is
false with that probability at most, however they depend (Bonferroni's bound; Dunn 1961). These are corrected
for the number of comparisons (Holm 1979). For four looks Pocock's boundary (1977) would tell differences that
are 4 % smaller, but it takes means as normal with a spread that is known, which three seeds are not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from study.results.seed_groups import SeedGroup, base_method, canonical
from study.results.statistics import Gain, detectable, gain, holm, paired, pooled_std, welch
from study.spec.study import Confirm

LEVEL = 0.05
"""Highest corrected p at which a comparison is decided."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Holds what the seeds say of one configuration beside its base loss.

    Attributes:
        gain: with the p of one Welch's test on all seeds there are.
        corrected: the p that holds for all looks and all comparisons together.
        paired: p of the paired test over the seeds that both have.
        detectable: points that so many seeds tell with 80 % at the spread within the study's
            configurations.
    """

    item: SeedGroup
    base: SeedGroup
    gain: Gain
    corrected: float | None
    paired: float | None
    detectable: float | None

    @property
    def decided(self) -> bool:
        """Whether the seeds tell the configuration and its base loss apart."""
        return self.corrected is not None and self.corrected <= LEVEL


def verdicts(found: Sequence[SeedGroup], seeds: int | None = None) -> list[Verdict]:
    """Compare every SD-X with X on the same pair, data and epochs.

    Args:
        seeds: leave out higher ones, as at an earlier look; None takes all.
    """
    seen = [(item, item.by_seed(seeds)) for item in found if item.method != "teacher"]
    students = [(item, scores) for item, scores in seen if scores]
    bases, groups = {}, defaultdict(list)
    for item, scores in reversed(students):
        bases[(*_kind(item), canonical(item.method), bool(item.tuning))] = item, scores
        groups[_kind(item)].append(list(scores.values()))
    compared = []
    for item, scores in students:
        what = (*_kind(item), base_method(item.method) or "")
        tuned = bool(item.tuning)  # the tuned is compared with the tuned, where there is one
        plain = bases.get((*what, tuned), bases.get((*what, not tuned)))
        if plain is not None:
            compared.append((item, scores, *plain))
    least = [least_p(ours, theirs, _looks(item), seeds) for item, ours, _, theirs in compared]
    corrected = iter(holm([p for p in least if p is not None]))
    spreads = {kind: pooled_std(alike) for kind, alike in groups.items()}
    made = []
    for (item, ours, base, theirs), p in zip(compared, least, strict=True):
        both = sorted(ours.keys() & theirs.keys())
        spread = spreads[_kind(item)]
        over = gain(list(ours.values()), list(theirs.values()))
        assert over is not None  # both have a run
        made.append(
            Verdict(
                item,
                base,
                over,
                None if p is None else next(corrected),
                paired([ours[seed] for seed in both], [theirs[seed] for seed in both]),
                None if spread is None else detectable(spread, over.n, over.base_n),
            )
        )
    return made


def open_settings(found: Sequence[SeedGroup], seeds: int) -> set[str]:
    """Return the settings hashes of both sides of each comparison that ``seeds`` a side do not decide."""
    return {
        str(side.runs["settings"].iloc[0])
        for verdict in verdicts(found, seeds)
        if not verdict.decided
        for side in (verdict.item, verdict.base)
    }


def least_p(
    ours: Mapping[int, float], theirs: Mapping[int, float], looks: Sequence[int], seeds: int | None = None
) -> float | None:
    """Return the least p of Welch's tests at the looks up to ``seeds``, times all ``looks`` there may be."""
    ps = [
        welch(*([value for seed, value in side.items() if seed <= look] for side in (ours, theirs)))
        for look in looks
        if seeds is None or look <= seeds
    ]
    known = [p for p in ps if p is not None]
    return min(1.0, len(looks) * min(known)) if known else None


def _looks(item: SeedGroup) -> tuple[int, ...]:
    """Return the seeds after which a configuration's comparison is tested."""
    return Confirm(seeds=item.asked, at_most=item.at_most if item.at_most > item.asked else None).looks


def _kind(item: SeedGroup) -> tuple[str, str, str, int]:
    """Return what runs have in common that are compared."""
    return (item.teacher, item.student, item.data, item.epochs)
