"""Says in a sentence what seeds tell: which of two sides is ahead, by how much, and on how many pairs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from study.results.seed_groups import SeedGroup
from study.results.statistics import std
from study.results.verdicts import Verdict

FOOTNOTE = (
    "±: standard error over seeds; a side is ahead where p, corrected for all comparisons, is at most 0.05"
)
"""What the sentences mean, to be put below them."""

FEW = 3
"""Most methods not told apart from their bases that have a sentence each."""

ROLES = ("best", "paper")
"""Roles, in the order in which a configuration stands for its method on a pair; what was fixed comes last."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Holds how far one side is above the other on one pair.

    Attributes:
        points: of the means of test top-1.
        error: standard error of that over seeds; None where a side has a single run.
        decided: whether the seeds tell the two apart.
    """

    pair: str
    points: float
    error: float | None
    decided: bool


def conclusions(judged: Sequence[Verdict]) -> list[str]:
    """Return one sentence for each SD-X that was confirmed beside its X; one for all not told apart.

    A configuration stands for its method on a pair by its role, never by what it reached on the test split.
    """
    compared: dict[tuple[str, str], dict[tuple[str, ...], Verdict]] = {}
    ordered = sorted(judged, key=lambda verdict: _rank(verdict.item))
    for verdict in ordered:
        item = verdict.item
        where = (item.pair, item.data, str(item.epochs))
        compared.setdefault((item.method, verdict.base.method), {}).setdefault(where, verdict)
    told = [_differences(method, base, list(pairs.values())) for (method, base), pairs in compared.items()]
    decided = [each for each in told if any(difference.decided for difference in each[2])]
    apart = [each for each in told if each not in decided]
    if len(apart) <= FEW:
        return [sentence(*each) for each in (*decided, *apart)]
    listed = ", ".join(f"{name} and {base} ({_amount(found, signed=True)})" for name, base, found in apart)
    return [*(sentence(*each) for each in decided), f"Not told apart, with differences in points: {listed}."]


def _differences(method: str, base: str, found: Sequence[Verdict]) -> tuple[str, str, list[Difference]]:
    """Return the method's name with its scales, its base's, and how far it is above on each pair."""
    scales = {verdict.item.scales for verdict in found}
    name = f"{method} {{{scales.pop()}}}" if len(scales) == 1 else method
    differences = [
        Difference(
            verdict.item.pair,
            verdict.gain.points,
            standard_error(*(tuple(side.by_seed().values()) for side in (verdict.item, verdict.base))),
            verdict.decided,
        )
        for verdict in found
    ]
    return name, base, differences


def sentence(name: str, base: str, found: Sequence[Difference]) -> str:
    """Return what the differences of ``name`` from ``base`` come to.

    >>> wins = [Difference(f"pair {n}", 0.9, 0.3, decided=True) for n in range(3)]
    >>> sentence("SD-KD {1,2,4}", "KD", [*wins, Difference("pair 3", 0.1, 0.3, decided=False)])
    'SD-KD {1,2,4} beats KD by 0.9 ± 0.2 points on 3 of 4 pairs.'
    """
    ahead = [each for each in found if each.decided and each.points > 0]
    behind = [each for each in found if each.decided and each.points < 0]
    parts = []
    if ahead:
        parts.append(f"beats {base} by {_amount(ahead)} points {_where(ahead, found)}")
    if behind:
        than = "" if ahead else f" {base}"
        parts.append(f"falls behind{than} by {_amount(behind, -1)} points {_where(behind, found)}")
    if parts:
        return f"{name} {' and '.join(parts)}."
    apart = f"are not told apart {_where(found, found)}"
    return f"{name} and {base} {apart}: the difference is {_amount(found, signed=True)} points."


def standard_error(ours: Sequence[float], theirs: Sequence[float]) -> float | None:
    """Return the standard error of a difference of means, each side with a variance of its own."""
    spreads = [std(side) for side in (ours, theirs)]
    if None in spreads:
        return None
    squares = [(spread or 0.0) ** 2 / len(side) for spread, side in zip(spreads, (ours, theirs), strict=True)]
    return math.sqrt(math.fsum(squares))


def _amount(found: Sequence[Difference], sign: int = 1, signed: bool = False) -> str:
    """Write the mean of differences, and its standard error where each has one."""
    points = sign * math.fsum(each.points for each in found) / len(found)
    errors = [each.error for each in found if each.error is not None]
    error = math.sqrt(math.fsum(one**2 for one in errors)) / len(found)
    digits = 1 if error >= 0.095 or len(errors) < len(found) else 2
    text = f"{points:{'+' if signed else ''}.{digits}f}"
    return text if len(errors) < len(found) else f"{text} ± {error:.{digits}f}"


def _where(some: Sequence[Difference], every: Sequence[Difference]) -> str:
    if len(every) == 1:
        return f"on {every[0].pair}"
    return f"on {len(some)} of {len(every)} pairs" if len(some) < len(every) else f"on {len(every)} pairs"


def _rank(item: SeedGroup) -> int:
    return ROLES.index(item.role) if item.role in ROLES else len(ROLES)
