"""``sdd-study compare`` and ``importances``, on made studies whose answers are known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import ttest_ind

from study.journal.record import TrialRecord
from study.spec.distillation import Distillation
from study.spec.methods import KD, SDD
from tests.study.commands.conftest import Command
from tests.study.made import config, confirmed, record, search, write_folder

PAIR = ("wrn_40_2", "vgg8")
LOW, HIGH = SDD(alpha=1.5, beta=3.0), SDD(alpha=0.5, beta=6.0)


def tried(method: Distillation, value: float) -> TrialRecord:
    return record(config(PAIR, method, 0), [{"val/top1": value}], "search", role="")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Both studies confirm KD and two found configurations; the second one's better one in search is LOW."""
    first = [tried(HIGH, 60.0), *confirmed(PAIR, HIGH, (74.0, 74.5, 75.0), role="best")]
    second = [
        tried(LOW, 62.0),
        tried(HIGH, 61.0),
        *confirmed(PAIR, HIGH, (80.0, 80.1, 80.2), role="best"),
        *confirmed(PAIR, LOW, (75.5, 76.5), role="best"),
    ]
    write_folder(tmp_path, "first", [*first, *confirmed(PAIR, KD(), (73.0, 73.2))])
    write_folder(tmp_path, "second", [*second, *confirmed(PAIR, KD(), (73.5,), epochs=100)])
    write_folder(tmp_path, "third", search(PAIR, 9))
    return tmp_path


def test_the_searches_choose_what_is_compared_not_the_test_split(
    results: Path, asked: Callable[..., Any]
) -> None:
    found = asked("compare", "first", "second", "--results", results)
    rows = {row["what"]: row["studies"] for row in found["rows"]}
    assert list(rows) == ["best", "SD-KD", "KD"]
    base, other = rows["best"]
    assert (base["searched"], other["searched"]) == (60.0, 62.0)
    assert other["settings"] == "{1,2,4} alpha 1.5 beta 3"
    assert (base["mean"], base["n"], other["mean"], other["n"]) == (74.5, 3, 76.0, 2)
    assert base["difference"] is None
    over = other["difference"]
    assert (over["points"], over["n"], over["base_n"]) == (1.5, 2, 3)
    expected = ttest_ind([75.5, 76.5], [74.0, 74.5, 75.0], equal_var=False).pvalue
    assert over["p"] == pytest.approx(expected, rel=1e-9)
    assert over["low"] < 1.5 < over["high"]
    assert rows["KD"][1]["difference"]["p"] is None, "one run has no variance"


def test_what_is_not_alike_is_said(results: Path, command: Command) -> None:
    code, out, _ = command("compare", "first", "second", "--results", results)
    assert code == 0
    assert "wrn_40_2-vgg8 KD: not alike (cifar100, 240 epochs against cifar100, 100 epochs)" in out
    assert "74.50 ± 0.50 (3)" in out
    assert "+1.50" in out


def test_studies_without_confirmed_runs_and_single_ones(results: Path, command: Command) -> None:
    code, out, _ = command("compare", "third", "third", "--results", results)
    assert code == 2
    write_folder(results, "fourth", search(PAIR, 3))
    code, out, _ = command("compare", "third", "fourth", "--results", results)
    assert (code, out) == (0, "third, fourth: no configuration is confirmed yet\n")


def test_importances_by_both_measures(results: Path, asked: Callable[..., Any], command: Command) -> None:
    found = asked("importances", "third", "--results", results)
    assert (found["metric"], found["trials"]) == ("val/top1", 8)
    parameters = {row["parameter"]: row for row in found["importances"]}
    assert {"alpha", "beta", "scales"} <= set(parameters)
    for measure in ("fanova", "ped_anova"):
        assert sum(row[measure] for row in parameters.values()) == pytest.approx(1.0)
    code, out, _ = command("importances", "first", "--results", results)
    assert (code, "nothing to tell yet" in out) == (0, True)
