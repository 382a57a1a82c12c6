"""How rungs ranked what finished: Kendall's tau, who is compared with whom, and when it is warned."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import kendalltau

from study.journal.record import TrialRecord
from study.results.frames import from_records
from study.results.loaded_study import SearchGoals
from study.results.rung_ranking import (
    NEAR_CHANCE,
    ranking,
    read_rungs,
    rung_rankings,
    rungs_frame,
    sentences,
)
from study.spec.methods import KD
from study.spec.rungs import Rung
from tests.study.made import config, record

PAIR = ("resnet20", "resnet8")


def trial(search: str, values: list[float], number: int, status: str = "done") -> TrialRecord:
    """A trial of a search with that curve."""
    about = config(PAIR, KD(training={}), seed=number, epochs=8)
    history = [{"val/top1": value} for value in values]
    made = record(about, history, stage="search", status=status, number=number)
    return dataclasses.replace(made, search=search)


@pytest.mark.parametrize("n", [4, 9, 40])
def test_tau_and_p_are_those_of_kendall(n: int) -> None:
    draw = np.random.default_rng(n)
    for noise in (0.1, 1.0, 5.0):
        end = draw.normal(size=n)
        at = end + noise * draw.normal(size=n)
        found = ranking("s", Rung(1, 0), np.column_stack((at, end)).tolist())
        known = kendalltau(at, end, alternative="greater")
        assert found.tau == pytest.approx(known.statistic)
        assert found.p == pytest.approx(known.pvalue, abs=0.02)


def test_a_rung_is_warned_of_where_its_order_is_like_a_coins() -> None:
    ends = list(range(12))
    good = [[float(end), 0.0, float(end)] for end in ends]
    bad = [[float((end * 7) % 12), 0.0, float(end)] for end in ends]
    few = good[:3]
    assert not ranking("s", Rung(1, 0), good).near_chance
    assert ranking("s", Rung(1, 0), bad).near_chance
    assert not ranking("s", Rung(1, 0), few).near_chance
    many = np.random.default_rng(0).normal(size=(400, 2))
    many[:, 0] += 0.4 * many[:, 1]  # certainly no chance, and yet wrong in two of five
    found = ranking("s", Rung(1, 0), many.tolist())
    assert found.p < 1e-6
    assert found.near_chance
    (said,) = sentences([ranking("s", Rung(1, 0), few)])
    assert said.endswith(
        "3 of 3 pairs of finished trials in their final order (tau 1.00, n = 3); too few to tell"
    )


def test_whole_trials_of_a_search_are_compared_with_each_other_alone() -> None:
    def curve(at: float, end: float) -> list[float]:
        return [0.0, at, at, at, at, at, at, end]

    trials = [trial("a", curve(n, 50 + n), n) for n in range(5)]
    trials += [trial("b", curve(9 - n, 10 + n), 10 + n) for n in range(5)]
    trials += [trial("a", curve(99, 0)[:2], 20, "stopped"), trial("a", curve(99, 0), 21, "failed")]
    goals = SearchGoals(rungs=(Rung(2, 1), Rung(4, 2)))
    found = rung_rankings(from_records("made", trials, goals=goals))
    assert [(each.search, each.epoch, each.trials, each.tau) for each in found] == [
        ("a", 2, 5, 1.0), ("a", 4, 5, 1.0), ("b", 2, 5, -1.0), ("b", 4, 5, -1.0)
    ]  # fmt: skip
    first, second = sentences(found)
    assert first.startswith(
        "rung at epoch 2: 10 of 20 pairs of finished trials in their final order (tau 0.00, n = "
    )
    assert f"n = 10 in 2 searches); {NEAR_CHANCE} in 1 of them (b), of those it let" in first
    assert second.startswith("rung at epoch 4, by the mean of 2: ")
    unknown = rung_rankings(from_records("made", trials))
    assert [each.epoch for each in unknown] == [2, 2], "where ASHA() would judge"


def test_what_was_written_is_read(tmp_path: Path) -> None:
    draw: Any = np.random.default_rng(1)
    found = [ranking(name, Rung(2, 0), draw.random((6, 3)).tolist()) for name in ("a", "b")]
    file = tmp_path / "rungs.csv"
    rungs_frame(found).to_csv(file, index=False)
    assert read_rungs(file) == found
    assert rung_rankings(from_records("made", [])) == []
    assert sentences([]) == []


def test_trials_that_end_alike_rank_nothing() -> None:
    alike = ranking("s", Rung(1, 0), [[1.0, 5.0], [2.0, 5.0]])
    assert sentences([alike]) == [
        "rung at epoch 1: no two finished trials differ both there and at their end (n = 2)"
    ]
