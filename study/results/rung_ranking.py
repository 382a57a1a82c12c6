"""Measures how well the rungs of a study's searches ranked the trials that finished.

Two whole trials of a search are in their final order at a rung, or not, by what the rung compares (a mean
over epochs). Kendall's rank correlation (1938) is tau = (right - wrong) / (right + wrong), pairs that are
equal on a side left out. Trials that were stopped have come to nothing, and are in no pair: what a rung was
clearly right about is not seen here, so that a search without early stopping says more about a rung.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from study.results.frames import RunFrames
from study.spec.rungs import Rung, judged
from trainables.config.training import Training

NEAR_CHANCE = "WARNING: near chance"
"""Beginning of the part of a sentence that warns of a rung."""
RUNG_COLUMNS = ["search", "epoch", "since", "trials", "right", "wrong", "spread", "tau", "p", "near_chance"]
"""Columns of ``rungs.csv``, see :class:`RungRanking`."""
FEWEST = 4
"""Trials from which on an order can be told from chance; all of 4 are in order by chance in 1 of 24."""
LEAST_RIGHT = 2 / 3
"""Share of pairs in order below which a rung is called near chance. Published curves had 57 and 62 % of 21
pairs in order at epochs 30 and 90, by one epoch's value, and rungs there stopped the eventual best in 35 to
54 % of replays, see docs/stopping.md."""
LEVEL = 0.05
"""Chance of so good an order, if the rung told nothing, above which a rung is called near chance."""


@dataclass(frozen=True, slots=True)
class RungRanking:
    """Says how one rung, of a search or of several, ranked what finished.

    >>> found = ranking("s", Rung(1, 0), [[1.0, 5.0], [2.0, 6.0], [3.0, 8.0], [4.0, 7.0]])
    >>> found.trials, found.right, found.wrong, round(found.tau, 2), round(found.p, 2), found.near_chance
    (4, 5, 1, 0.67, 0.15, True)

    Attributes:
        search: its label.
        epoch, since: of the rung, see :class:`study.spec.rungs.Rung`.
        trials: whole trials that were compared.
        right, wrong: pairs of them that the rung had in the order in which they finished, and not.
        spread: variance of right - wrong if the rung told nothing: n (n - 1) (2 n + 5) / 18.
    """

    search: str
    epoch: int
    since: int
    trials: int
    right: int
    wrong: int
    spread: float

    @property
    def tau(self) -> float:
        """Kendall's rank correlation, -1 to 1; NaN where no pair differs."""
        pairs = self.right + self.wrong
        return (self.right - self.wrong) / pairs if pairs else math.nan

    @property
    def p(self) -> float:
        """Chance of an order as good or better if the rung told nothing; the normal one, made continuous."""
        apart = self.right - self.wrong - 1
        return 0.5 * math.erfc(apart / math.sqrt(2 * self.spread)) if self.spread else 1.0

    @property
    def near_chance(self) -> bool:
        """Whether the rung is warned of: enough trials to tell, and hardly more right than a coin."""
        pairs = self.right + self.wrong
        return self.trials >= FEWEST and (self.p >= LEVEL or self.right < LEAST_RIGHT * pairs)


def ranking(search: str, rung: Rung, curves: Sequence[Sequence[float]]) -> RungRanking:
    """Rank whole curves of one search at a rung against their last values."""
    at, end = (np.array(values) for values in ([rung.value(c) for c in curves], [c[-1] for c in curves]))
    n, right, wrong = len(curves), 0, 0
    for number in range(1, n):  # row by row: all pairs of 10,000 trials at once would take gigabytes
        agree = np.sign(at[:number] - at[number]) * np.sign(end[:number] - end[number])
        right, wrong = right + int((agree > 0).sum()), wrong + int((agree < 0).sum())
    return RungRanking(search, rung.epoch, rung.since, n, right, wrong, n * (n - 1) * (2 * n + 5) / 18)


def rung_rankings(runs: RunFrames) -> list[RungRanking]:
    """Return the ranking at each rung of each search with two whole trials or more, of equal length."""
    searches: dict[tuple[str, str], list[int]] = {}
    for number, trial in enumerate(runs.trials[["study", "stage", "status", "search"]].itertuples()):
        if trial.stage == "search" and trial.status == "done":
            searches.setdefault((str(trial.study), str(trial.search)), []).append(number)
    several = len({study for study, _ in searches}) > 1
    found = []
    for (study, label), numbers in searches.items():
        curves = [runs.curves.of(number, runs.metric).tolist() for number in numbers]
        longest = max(map(len, curves))
        whole = [curve for curve in curves if len(curve) == longest and all(map(math.isfinite, curve))]
        placed = runs.goals[study].rungs if study in runs.goals else ()
        placed = placed or tuple(judged(None, _training(runs.configs[numbers[0]])))
        name = f"{study}: {label}" if several else label
        if len(whole) > 1:
            found += [ranking(name, rung, whole) for rung in placed if rung.epoch < longest]
    return found


def rungs_frame(rankings: Sequence[RungRanking]) -> pd.DataFrame:
    """Return one row a rung of a search."""
    rows = [[getattr(each, name) for name in RUNG_COLUMNS] for each in rankings]
    return pd.DataFrame(rows, columns=RUNG_COLUMNS)


def read_rungs(file: Path) -> list[RungRanking]:
    """Read what :func:`rungs_frame` wrote."""
    names = {item.name for item in dataclasses.fields(RungRanking)}
    frame = pd.read_csv(file, dtype={"search": str})
    rows = frame[[name for name in frame.columns if name in names]].to_dict("records")
    return [RungRanking(**{str(name): value for name, value in row.items()}) for row in rows]


def sentences(rankings: Sequence[RungRanking]) -> list[str]:
    """Say in a line a rung how it ranked what finished, all searches together, and where it is near chance.

    >>> found = ranking("s", Rung(1, 0), [[1.0, 5.0], [2.0, 6.0], [3.0, 7.0], [4.0, 8.0], [0.0, 4.0]])
    >>> sentences([found])
    ['rung at epoch 1: 10 of 10 pairs of finished trials in their final order (tau 1.00, n = 5)']
    """
    rungs: dict[tuple[int, int], list[RungRanking]] = {}
    for each in rankings:
        rungs.setdefault((each.epoch, each.since), []).append(each)
    return [_sentence(rungs[place]) for place in sorted(rungs)]


def _sentence(group: Sequence[RungRanking]) -> str:
    """Say how one rung ranked; only trials of one search were compared with each other."""
    first, names = group[0], ("trials", "right", "wrong", "spread")
    summed = {name: sum(getattr(each, name) for each in group) for name in names}
    whole = dataclasses.replace(first, **summed)
    mean = "" if first.epoch - first.since == 1 else f", by the mean of {first.epoch - first.since}"
    over = "" if len(group) == 1 else f" in {len(group)} searches"
    if not whole.right + whole.wrong:
        alike = f"no two finished trials differ both there and at their end (n = {whole.trials}{over})"
        return f"rung at epoch {first.epoch}{mean}: {alike}"
    text = (
        f"rung at epoch {first.epoch}{mean}: {whole.right} of {whole.right + whole.wrong} pairs of finished "
        f"trials in their final order (tau {whole.tau:.2f}, n = {whole.trials}{over})"
    )
    bad = [each.search for each in group if each.near_chance]
    if max(each.trials for each in group) < FEWEST:
        return f"{text}; too few to tell"
    if not whole.near_chance and not bad:
        return text
    named = f"{', '.join(bad[:3])}{', ...' * (len(bad) > 3)}"
    where = "" if len(group) == 1 else f" in {len(bad)} of them ({named})" if bad else " on the whole"
    return f"{text}; {NEAR_CHANCE}{where}, of those it let through it hardly tells which will end best"


def _training(config: dict[str, object]) -> Training:
    """Return length and schedule of a trial's training."""
    about = config["training"]
    assert isinstance(about, dict)
    return Training(
        epochs=about["epochs"], schedule=about["schedule"], milestones=tuple(about["milestones"] or ())
    )
