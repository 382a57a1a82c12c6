"""Rounding, spread, marks of the best."""

from __future__ import annotations

import pytest

from study.report.tables.cells import TableCell, rounded
from study.results.seed_groups import base_method


@pytest.mark.parametrize(
    ("value", "text"),
    [(70.125, "70.13"), (74.525, "74.53"), (2.675, "2.68"), (70.1249, "70.12"), (0.0, "0.00"), (None, "—")],
)
def test_halves_are_rounded_as_by_hand(value: float | None, text: str) -> None:
    assert rounded(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.085, "+0.09"), (-0.001, "+0.00"), (-1.0, "-1.00")])
def test_differences_carry_a_sign_and_no_negative_zero(value: float, text: str) -> None:
    assert rounded(value, signed=True) == text


def test_one_run_has_no_spread_and_missing_seeds_are_named() -> None:
    assert TableCell((70.0,), asked=1).ours == "70.00 (1)"
    assert TableCell((70.0, 71.0), asked=5).ours == "70.50 ± 0.71 (2 of 5)"
    assert TableCell().ours == "—"


@pytest.mark.parametrize(
    ("method", "base"),
    [("SD-KD", "kd"), ("SDD-SP", "sp"), ("KD", None), ("SD-KD+CRD", None), ("FITNET", None)],
)
def test_what_a_gain_is_over(method: str, base: str | None) -> None:
    assert base_method(method) == base
