"""Early stopping: the decisions are Ray's, and an earlier launch's reports count as if it had never ended."""

from __future__ import annotations

import random
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from ray.tune.schedulers import AsyncHyperBandScheduler, MedianStoppingRule

from study.search.early_stopping import AshaRule, HyperBandRule, StoppingRule, make_rule
from study.spec import ASHA, HyperBand, Median
from study.spec.rungs import rungs
from trainables.config import Training

EPOCHS = 27
TRAINING = Training(epochs=EPOCHS, milestones=(), precision="float32")
RULES: list[Any] = [
    ASHA(grace=3, reduction=3, window=1),
    ASHA(grace=1, reduction=2, window=1),
    HyperBand(grace=1, window=1),
    Median(grace=4),
]


def curves(count: int, seed: int) -> dict[str, list[float]]:
    """Made learning curves by key."""
    draw = random.Random(seed)
    made = {}
    for _ in range(count):
        top, speed = draw.uniform(20, 80), draw.uniform(0.05, 0.5)
        values = [top * (1 - (1 - speed) ** epoch) + draw.gauss(0, 2) for epoch in range(1, EPOCHS + 1)]
        made[f"{draw.getrandbits(64):016x}"] = values
    return made


def run(rule: StoppingRule, made: dict[str, list[float]], workers: int = 3, seed: int = 0) -> dict[str, int]:
    """Epochs each trial got, with ``workers`` of them at once and ends in a random order."""
    draw, waiting = random.Random(seed), list(made)
    running: dict[str, int] = {}
    got: dict[str, int] = {}
    while waiting or running:
        while waiting and len(running) < workers:
            running[waiting.pop(0)] = 0
        key = draw.choice(list(running))
        running[key] += 1
        epoch = running[key]
        if epoch == EPOCHS or rule.stops(key, made[key][:epoch]):
            got[key] = running.pop(key)
    return got


class Rays:
    """A scheduler of Ray's as a rule."""

    def __init__(self, scheduler: Any) -> None:
        self._scheduler = scheduler
        self._trials: dict[str, Any] = {}

    @property
    def judged(self) -> range:
        """Every epoch."""
        return range(EPOCHS)

    def learn(self, key: str, values: Any) -> None:
        """Ray's cannot."""
        raise NotImplementedError

    def stops(self, key: str, values: Sequence[float]) -> bool:
        """What Ray decides."""
        controller = SimpleNamespace(get_live_trials=list)
        if key not in self._trials:
            self._trials[key] = _Trial(key)
            self._scheduler.on_trial_add(controller, self._trials[key])
        found = self._scheduler.on_trial_result(
            controller, self._trials[key], {"epoch": len(values), "value": values[-1]}
        )
        return bool(found == "STOP")


class _Trial:
    def __init__(self, trial_id: str) -> None:
        self.trial_id = trial_id


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("stop", RULES, ids=lambda stop: type(stop).__name__)
def test_the_decisions_are_rays(stop: Any, seed: int) -> None:
    common: dict[str, Any] = {"time_attr": "epoch", "metric": "value", "mode": "max"}
    made = curves(30, seed)
    ours = make_rule(stop, TRAINING)
    if isinstance(stop, Median):
        rays = MedianStoppingRule(grace_period=stop.grace, min_samples_required=stop.min_trials, **common)
    else:
        rays = AsyncHyperBandScheduler(
            max_t=EPOCHS, grace_period=stop.grace, reduction_factor=stop.reduction, **common
        )
    if isinstance(
        ours, HyperBandRule
    ):  # Ray draws brackets at random: all trials of one bracket are compared
        first = {key: values for key, values in made.items() if ours._of(key) is ours._brackets[0]}
        assert 5 < len(first) < len(made)
        made = first
    assert ours is not None
    got = run(ours, made)
    assert got == run(Rays(rays), made)
    assert len(set(got.values())) > 1, "something is stopped, something is not"


@pytest.mark.parametrize("stop", RULES, ids=lambda stop: type(stop).__name__)
def test_what_was_learnt_counts_like_what_was_seen(stop: Any) -> None:
    made = curves(24, 7)
    before, after = dict(list(made.items())[:12]), dict(list(made.items())[12:])
    undisturbed, resumed = make_rule(stop, TRAINING), make_rule(stop, TRAINING)
    assert undisturbed is not None
    assert resumed is not None
    got = run(undisturbed, before)
    for key, epochs in got.items():
        resumed.learn(key, before[key][:epochs])
    assert run(resumed, after) == run(undisturbed, after)
    fresh = make_rule(stop, TRAINING)
    assert fresh is not None
    bad = {key: [0.0] * EPOCHS for key in made if key.startswith(("0", "1", "2"))}  # in any bracket
    assert set(run(fresh, dict(list(bad.items())[:1])).values()) == {EPOCHS}
    assert min(run(resumed, bad).values()) < EPOCHS, "what is stopped depends on history"


def test_a_rung_compares_means_of_the_epochs_before_it() -> None:
    """One lucky epoch at the rung no longer passes it, one unlucky one no longer ends the better trial."""
    steady, lucky, better = [50.0] * 8, [40.0] * 7 + [60.0], [60.0] * 7 + [49.0]
    for window, stopped in ((1, [False, False, True]), (4, [False, True, False])):
        rule = make_rule(ASHA(grace=8, reduction=2, window=window), TRAINING)
        assert rule is not None
        assert [
            rule.stops(key, values) for key, values in zip("abc", (steady, lucky, better), strict=True)
        ] == stopped


def test_brackets_share_trials_as_hyperband_does() -> None:
    rule = HyperBandRule(HyperBand(grace=1, reduction=3, brackets=3), TRAINING)
    counts = [0, 0, 0]
    draw = random.Random(0)
    for _ in range(3000):
        counts[rule._brackets.index(rule._of(f"{draw.getrandbits(64):016x}"))] += 1
    # rungs before 27 epochs: {1, 3, 9}, {3, 9}, {9}: 27/4 : 9/3 : 3/2
    whole = 27 / 4 + 9 / 3 + 3 / 2
    assert [count / 3000 for count in counts] == pytest.approx(
        [27 / 4 / whole, 3 / whole, 1.5 / whole], abs=0.03
    )


def test_a_grace_of_all_epochs_stops_nothing() -> None:
    rule = AshaRule(rungs(ASHA(grace=EPOCHS), TRAINING), 3)
    assert set(run(rule, curves(10, 1)).values()) == {EPOCHS}
    assert make_rule(None, TRAINING) is None
