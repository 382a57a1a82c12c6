"""Statistics against scipy and against values worked out by hand."""

from __future__ import annotations

import pytest
from scipy.stats import ttest_ind

from study.results.statistics import bootstrap, gain, mean, std, welch

A, B = (74.9, 75.1, 75.0), (73.9, 74.0, 74.25, 74.1)


def test_mean_and_std() -> None:
    assert mean(A) == pytest.approx(75.0)
    assert std(A) == pytest.approx(0.1)  # sqrt((0.01 + 0.01 + 0) / 2)
    assert mean(()) is None
    assert std((1.0,)) is None


def test_welch_is_scipys() -> None:
    assert welch(A, B) == pytest.approx(ttest_ind(A, B, equal_var=False).pvalue)
    assert welch((1.0,), B) is None
    assert welch((1.0, 1.0), (2.0, 2.0)) is None


def test_the_interval_holds_the_gain_and_is_the_same_every_time() -> None:
    first = bootstrap(A, B)
    assert first is not None
    assert first == bootstrap(A, B)
    found = gain(A, B)
    assert found is not None
    assert found.points == pytest.approx(75.0 - 74.0625)
    assert first[0] < found.points < first[1]
    assert found.n == 3
    assert found.base_n == 4


def test_no_gain_without_runs() -> None:
    assert gain((), B) is None
    lone = gain((75.0,), B)
    assert lone is not None
    assert (lone.p, lone.low, lone.high) == (None, None, None)
