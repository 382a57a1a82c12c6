"""Phases as one searcher: one after the other, each to the end of its last trial, within its share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ray.tune.search import Searcher

from study.compute.fair_share import fair_share
from study.errors import StageFailed
from study.plan.trial import PlannedTrial
from study.tune.leaving import TunerExit
from study.tune.phases import Phase, TrialList
from study.tune.searcher import PhaseSearcher
from tests.study.tracking.test_uploader import record
from trainables.config import TrialConfig


def planned_trials(*seeds: int) -> list[PlannedTrial]:
    return [
        PlannedTrial(TrialConfig.from_dict({**record(0, 0).config, "seed": seed}), "confirm", "a-b", "KD")
        for seed in seeds
    ]


def seed_of(suggested: Any) -> int:
    seed: int = suggested["trial"]["seed"]
    return seed


def test_a_phase_begins_when_the_last_trial_of_the_one_before_has_ended() -> None:
    happened: list[str] = []

    def phases() -> Iterator[Phase]:
        happened.append("between")
        yield Phase(TrialList(planned_trials(3)))
        happened.append("after")

    feed = PhaseSearcher(Phase(TrialList(planned_trials(1, 2))), phases(), lambda: 8)
    assert [seed_of(feed.suggest(name)) for name in "ab"] == [1, 2]
    assert feed.suggest("c") is None
    feed.on_trial_complete("a")
    assert feed.suggest("c") is None
    assert happened == [], "what comes between two phases waits for the first to end"
    feed.on_trial_complete("b")
    assert seed_of(feed.suggest("c")) == 3
    assert happened == ["between"]
    feed.on_trial_complete("c")
    assert feed.suggest("d") == Searcher.FINISHED
    assert happened == ["between", "after"]
    assert feed.held is None


def test_a_phase_that_wants_something_done_first_ends_the_run() -> None:
    second = Phase(TrialList(planned_trials(2)), before=lambda: None)
    feed = PhaseSearcher(Phase(TrialList(planned_trials(1))), iter([second]), lambda: 8)
    assert seed_of(feed.suggest("a")) == 1
    feed.on_trial_complete("a")
    assert feed.suggest("b") == Searcher.FINISHED
    assert feed.held is second


def test_no_more_trials_run_at_once_than_are_given() -> None:
    most = 2
    feed = PhaseSearcher(Phase(TrialList(planned_trials(1, 2, 3, 4))), iter(()), lambda: most)
    assert [seed_of(feed.suggest(name)) for name in "ab"] == [1, 2]
    assert feed.suggest("c") is None
    most = 1
    feed.on_trial_complete("a")
    assert feed.suggest("c") is None, "another study came"
    feed.on_trial_complete("b")
    assert seed_of(feed.suggest("c")) == 3


def test_an_error_between_phases_leaves_the_run_as_it_is() -> None:
    def phases() -> Iterator[Phase]:
        raise StageFailed("no teacher")
        yield

    feed = PhaseSearcher(Phase(TrialList(planned_trials(1))), phases(), lambda: 8)
    feed.suggest("a")
    feed.on_trial_complete("a")
    with pytest.raises(TunerExit) as left:
        feed.suggest("b")
    assert isinstance(left.value.reason, StageFailed)


@pytest.mark.parametrize(
    ("slots", "studies", "expected"), [(4, 1, 4), (4, 2, 2), (5, 2, 3), (2, 3, 1), (1, 1, 1)]
)
def test_each_study_has_the_same_part_and_at_least_one(slots: int, studies: int, expected: int) -> None:
    assert fair_share(slots, lambda: studies)() == expected


def test_trials_that_are_few_share_the_cores_whatever_is_left_of_them() -> None:
    one, many = Phase(TrialList(planned_trials(1)), trials=1), Phase(TrialList(planned_trials(2)))
    feed = PhaseSearcher(one, iter([many]), lambda: 8, cores=8)
    assert feed.suggest("a")["threads"] == 8
    feed.on_trial_complete("a")
    assert feed.suggest("b")["threads"] <= 1, "a search fills the cores with trials"
    for cores, threads in (
        (8, 4),
        (0, 0),
    ):  # no cores are shared where a cluster's trials are on many machines
        left = Phase(TrialList(planned_trials(3)), trials=2)
        feed = PhaseSearcher(left, iter([]), lambda: 8, cores=cores)
        assert feed.suggest("c")["threads"] == threads
