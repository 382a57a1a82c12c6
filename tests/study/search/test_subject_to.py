"""Limits on costs and metrics: heeded by the sampler, never trained where known, never confirmed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from study.loading import load_space
from study.plan.plan import Plan
from study.plan.resolve import resolve
from study.search.objectives import Objectives
from study.spec import Search
from tests.study.driving import Driven
from trainables.config import ConfigError

Write = Callable[..., Path]
COST = "student/parameters"


def limited(space: Write, *overrides: str) -> Plan:
    """Two students, of which the larger is beyond the limit."""
    usual = ["pairs.0.student=resnet20", "search.stop=None", "budget.trials=4"]
    return resolve(load_space(space(), [*usual, f"search.subject_to={{'{COST}': 100000}}", *overrides]))


def test_what_is_known_to_be_beyond_a_limit_is_not_trained(space: Write, tmp_path: Path) -> None:
    driven = Driven(limited(space), tmp_path, InMemoryStorage())
    asked = []
    for number in range(4):
        asked.append(driven.ask(str(number)))
        driven.end(str(number), 40.0, 50.0 + number)
    assert driven.ask("4") is None
    assert [config.student for config in asked if config] == ["resnet8"] * 4
    trials = driven.searchers[0].study.get_trials()
    beyond = [trial for trial in trials if trial.params["pair"] == "resnet8-resnet20"]
    assert {trial.state for trial in beyond} <= {TrialState.PRUNED}
    for trial in trials:
        (over,) = trial.constraints.values()
        assert (over > 0) is (trial in beyond)
    assert driven.searchers[0].used() == 4


def test_what_comes_out_beyond_a_limit_does_not_win(space: Write, tmp_path: Path) -> None:
    plan = limited(space, "search.subject_to={'val/loss': 1.5}")
    driven = Driven(plan, tmp_path, InMemoryStorage())
    for number, (value, loss) in enumerate(((60.0, 2.0), (50.0, 1.0), (40.0, 1.2))):
        assert driven.ask(str(number)) is not None
        key = driven.planned_trials[str(number)].key
        for epoch in range(1, plan.epochs + 1):
            metrics = {"epoch": epoch, "val/top1": value, "val/loss": loss}
            driven.journal.report(key, metrics)
        driven.search.tell(str(number), metrics)
        driven.journal.end(key, "done")
    study = driven.searchers[0].study
    found = [round(trial.constraints["val/loss"], 6) for trial in study.get_trials()]
    assert found == [round(2 / 1.5 - 1, 6), round(1 / 1.5 - 1, 6), round(1.2 / 1.5 - 1, 6)]
    ranked = Objectives.of(plan).ranked(driven.history.of(plan.search_spaces[0]))
    assert [record.final["val/top1"] for record in ranked] == [50.0, 40.0]
    driven.close()
    again = Driven(plan, tmp_path, InMemoryStorage())  # Optuna's database is lost
    restored = [trial.constraints for trial in again.searchers[0].study.get_trials()[:3]]
    assert [round(each["val/loss"], 6) for each in restored] == found


@pytest.mark.parametrize(
    ("overrides", "complaint"),
    [
        (["search.pairs=each"], "search.subject_to: resnet20 has .* parameters, which is beyond it; leave"),
        ([f"search.subject_to={{'{COST}': 10}}"], "search.subject_to: .* no pair is within it"),
    ],
)
def test_limits_that_nothing_meets_are_refused(space: Write, overrides: list[str], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        limited(space, *overrides)


def test_limits_name_what_can_be_limited() -> None:
    with pytest.raises(ConfigError, match=r"subject_to: 'student/parameter' cannot be limited; did you mean"):
        Search(subject_to={"student/parameter": 1e6})  # type: ignore[dict-item]
    with pytest.raises(ConfigError, match=r"subject_to\.val/loss: 0 is not above 0"):
        Search(subject_to={"val/loss": 0})
