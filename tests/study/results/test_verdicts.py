"""Verdicts hold however often one looks and however many there are; the rates are simulated."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from scipy.stats import ttest_ind, ttest_rel

from study.results.frames import from_records
from study.results.seed_groups import confirmed as groups
from study.results.statistics import detectable, holm, paired, pooled_std, welch
from study.results.verdicts import LEVEL, least_p, open_settings, verdicts
from study.spec.distillation import Distillation
from study.spec.methods import DKD, KD, SDD
from study.spec.study import Confirm
from tests.study.made import PAIR, confirmed

ASKED = Confirm(seeds=3, at_most=10)


def made(*sides: tuple[Distillation, Iterable[float]], asked: Confirm = ASKED) -> list:  # type: ignore[type-arg]
    """Confirmed configurations with these test accuracies, seeds from 1."""
    records = [record for method, top1 in sides for record in confirmed(PAIR, method, top1)]
    return groups(from_records("made", records, asked))


def test_the_paired_test_is_scipys() -> None:
    a, b = (74.9, 75.1, 75.0), (74.1, 74.0, 74.3)
    assert paired(a, b) == pytest.approx(ttest_rel(a, b).pvalue)
    assert paired((1.0, 2.0), (0.0, 1.0)) is None
    assert paired((1.0,), (0.0,)) is None


def test_the_detectable_difference_is_found_four_times_in_five() -> None:
    random = np.random.default_rng(0)
    for n, base_n in ((3, 3), (10, 5)):
        points = detectable(0.2, n, base_n)
        assert points is not None
        a, b = random.normal(points, 0.2, (20000, n)), random.normal(0, 0.2, (20000, base_n))
        assert np.mean(ttest_ind(a, b, axis=1).pvalue < 0.05) == pytest.approx(0.8, abs=0.01)
    assert detectable(0.2, 1, 3) is None
    assert pooled_std([[1.0], []]) is None


def test_a_verdict_has_every_p_there_is() -> None:
    kd, first, second = (73.9, 74.0, 74.25), (74.9, 75.1, 75.0), (74.0, 74.3, 74.2)
    found = made((KD(), kd), (SDD(), first), (SDD(alpha=1.5), second), asked=Confirm(seeds=3))
    one, other = verdicts(found)
    plain = [welch(first, kd), welch(second, kd)]
    assert [one.gain.p, other.gain.p] == plain
    assert [one.corrected, other.corrected] == holm([p for p in plain if p is not None])
    assert one.paired == pytest.approx(ttest_rel(first, kd).pvalue)
    spread = np.sqrt(np.mean([np.var(side, ddof=1) for side in (kd, first, second)]))
    assert one.detectable == pytest.approx(detectable(spread, 3, 3))
    assert (one.decided, other.decided) == (True, False)
    sides = (other.item, other.base)
    assert open_settings(found, 3) == {side.runs["settings"].iloc[0] for side in sides}


def test_a_look_sees_no_later_seed_and_pays_for_all_looks() -> None:
    kd, sdd = (74.0, 74.1, 74.2, 74.0, 74.1), (74.2, 74.3, 74.1, 76.0, 76.1)
    (early,) = verdicts(made((KD(), kd), (SDD(), sdd)), seeds=3)
    assert (early.gain.n, early.gain.base_n) == (3, 3)
    p = welch(sdd[:3], kd[:3])
    assert p is not None
    assert early.corrected == min(1.0, 4 * p)
    assert len(ASKED.looks) == 4
    assert not verdicts(made((DKD(), kd), (SDD(), sdd))), "SD-KD is compared with KD alone"


def test_false_verdicts_are_as_rare_as_is_said() -> None:
    """Of studies of three comparisons in which nothing differs one in twenty at most has a false verdict.

    Tested at 5 % at each look, one by one, three times as many would have one.
    """
    random, studies = np.random.default_rng(1), 500
    false = naive = 0
    for _ in range(studies):
        base, *items = random.normal(74.0, 0.2, (4, ASKED.looks[-1]))
        ps = [least_p(by_seed(item), by_seed(base), ASKED.looks) for item in items]
        false += min(holm([p for p in ps if p is not None])) <= LEVEL
        naive += any((welch(item[:n], base[:n]) or 1) <= LEVEL for item in items for n in ASKED.looks)
    assert 0 < false / studies <= LEVEL
    assert naive / studies > 3 * LEVEL


def test_what_differs_much_is_decided_early_and_what_differs_less_by_more_seeds() -> None:
    assert decided(1.5) == (1.0, pytest.approx(3.5, abs=0.5))
    share, seeds = decided(0.4)  # three seeds a side would tell 0.6 points
    assert share > 0.75
    assert 5 < seeds < 9


def decided(points: float, studies: int = 100) -> tuple[float, float]:
    """How many comparisons of such a difference are decided, and the seeds a side that took."""
    random = np.random.default_rng(2)
    used, told = [], 0
    for _ in range(studies):
        base, item = random.normal(74.0, 0.2, (2, 10))
        sides = by_seed(item + points), by_seed(base)
        at = [n for n in ASKED.looks if (least_p(*sides, ASKED.looks, n) or 1) <= LEVEL]
        used.append(at[0] if at else 10)
        told += bool(at)
    return told / studies, float(np.mean(used))


def by_seed(values: Iterable[float]) -> dict[int, float]:
    """Accuracies by seed, from 1."""
    return dict(enumerate(map(float, values), 1))
