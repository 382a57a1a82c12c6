"""How long a study takes: from made step times, so that nothing here depends on a machine's speed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from study.errors import UserError
from study.estimate.describe import describe_hours
from study.estimate.devices import Fleet, fleet_of, rate
from study.estimate.duration import estimated
from study.estimate.probe import StepTimes, measure_pair
from study.estimate.step_times import measured_times
from study.estimate.stopping_share import expected_share
from study.loading import load_space
from study.plan.expected import ExpectedTrials
from study.plan.plan import Plan
from study.plan.resolve import resolved
from study.spec.study import ASHA, HyperBand, Median, Pair
from trainables.config.training import Training
from trainables.data.raw import StreamedViews
from trainables.storage.run_store import RunStore

Write = Callable[..., Path]
CORE_TIMES = StepTimes(0.01, 0.002, 0.001, 0.02, 1e7, 2e7, "core")
YAML = Path(__file__).parents[3] / "cluster" / "aws.yaml"


@pytest.fixture
def plan(space: Write) -> Plan:
    """2 pairs, 2 epochs, 80 images to train on and 20 held out; 3 trials, and up to 2 x 4 to confirm."""
    file = space(
        **{'search=Search(pairs="search", stop=ASHA(grace=1, reduction=2))': "search=Search(stop=None)"}
    )
    return resolved(load_space(str(file)), str(file), lambda: "float32")


def times(plan: Plan, of: StepTimes = CORE_TIMES) -> dict[str, StepTimes]:
    return {pair.label: of for pair in plan.spec.each_pair}


def test_hours_are_images_times_seconds_by_stage(plan: Plan) -> None:
    found = {stage.name: stage for stage in estimated(plan, times(plan), Fleet(1, "core")).stages}
    assert found["teachers"].device_hours == pytest.approx(1 * 2 * 100 * 0.02 / 3600)
    trials = found["search"].trials
    assert trials == 3 * len(plan.search_spaces)
    least, most = (2 * (100 * (0.01 + looks * 0.002) + 20 * 0.001) / 3600 for looks in (0, 1))
    assert least < found["confirm"].trial <= most
    assert found["search"].hours == pytest.approx(trials * found["search"].trial)


def test_images_of_classes_left_out_take_no_time(plan: Plan) -> None:
    whole = estimated(plan, times(plan), Fleet(1, "core"))
    data = dataclasses.replace(plan.data, classes=5)
    few = dataclasses.replace(plan, data=data)
    assert len(plan.raw.classes) == 10
    assert estimated(few, times(few), Fleet(1, "core")).hours == pytest.approx(whole.hours / 2)


def test_trials_of_one_seed_ask_the_teacher_once(plan: Plan) -> None:
    """Of images that are read in each epoch; of counted views later epochs meet some again."""
    streamed = dataclasses.replace(plan.raw, augmentation=StreamedViews())
    counted, epochwise = (
        {s.name: s for s in estimated(p, times(p), Fleet(1, "core")).stages}["search"].trial
        for p in (plan, dataclasses.replace(plan, raw=streamed))
    )
    trials = sum(ExpectedTrials.of(plan).trials[stage] for stage in ("search", "confirm")) / 2
    looked = min(trials, 1 + plan.spec.confirm.looks[-1]) / trials
    assert 0 < looked < 1
    images = 100 * (0.01 + looked * 0.002) + 20 * 0.001
    assert epochwise == pytest.approx(0.8 * 2 * images / 3600)
    assert counted <= epochwise
    off = dataclasses.replace(plan.spec, resources=dataclasses.replace(plan.spec.resources, views="off"))
    unkept = dataclasses.replace(plan, spec=off)
    found = {s.name: s for s in estimated(unkept, times(plan), Fleet(1, "core")).stages}
    assert found["search"].trial > epochwise


def test_devices_share_the_trials_but_one_trial_is_not_split(plan: Plan) -> None:
    one, many = (estimated(plan, times(plan), Fleet(count, "core")) for count in (1, 1000))
    assert one.hours > many.hours
    for stage in many.stages:
        assert stage.hours == pytest.approx(stage.trial)


def test_other_devices_by_the_stated_factors(plan: Plan) -> None:
    gpu = StepTimes(0.01, 0.0, 0.001, 0.02, 1e7, 2e7, "NVIDIA L4")
    here, there = (estimated(plan, times(plan, gpu), Fleet(1, name)) for name in ("L4", "H100"))
    assert here.hours / there.hours == pytest.approx(rate("H100") / rate("L4"))
    assert not there.assumed
    guessed = estimated(plan, times(plan), fleet_of("8xL4"))
    assert guessed.assumed
    assert "data sheets" in describe_hours(guessed)


def test_a_cluster_has_a_price(plan: Plan) -> None:
    fleet = fleet_of(str(YAML))
    assert (fleet.count, fleet.device) == (8, "L4")
    assert fleet.price is not None
    assert 2 < fleet.price[0] < fleet.price[1] < 5, "as cluster/README.md has it"
    found = estimated(plan, times(plan), fleet)
    assert found.cost == pytest.approx((found.hours * fleet.price[0], found.hours * fleet.price[1]))
    assert "head m7i.xlarge, 8 x g6.xlarge spot" in describe_hours(found)
    assert "nobody looked them up" in describe_hours(found)


@pytest.mark.parametrize("text", ["8xL5", "", "0xL4", "none.yaml", "xL4"])
def test_what_is_no_device_is_one_line(text: str) -> None:
    with pytest.raises(UserError, match="--on") as told:
        fleet_of(text)
    assert "\n" not in str(told.value)


def test_a_pair_is_timed_once_for_each_machine_version_and_form(plan: Plan, tmp_path: Path) -> None:
    asked: list[str] = []
    said: list[str] = []

    def measure(plan: Plan, pair: Pair) -> StepTimes:
        asked.append(pair.label)
        return CORE_TIMES

    store = RunStore(tmp_path / "store")
    first = measured_times(plan, store, said.append, measure)
    assert measured_times(plan, store, said.append, measure) == first == times(plan)
    assert len(asked) == len(said) == len(plan.spec.each_pair)


def test_a_pair_really_is_timed_and_nothing_is_left(plan: Plan, tmp_path: Path) -> None:
    found = measure_pair(plan, plan.spec.pairs[0])
    assert found.device == "core"
    assert min(found.teacher_s, found.evaluated_s, found.teacher_training_s) > 0
    assert found.student_s >= 0
    assert found.multiply_adds > 1e6


def test_early_stopping_leaves_what_its_rule_lets_on() -> None:
    training = Training(epochs=8, schedule="cosine")
    assert expected_share(None, training, 20) == 1.0
    halving = expected_share(ASHA(grace=2, reduction=2), training, 200)
    assert 0.45 < halving < 0.65, "without a beginning 1/4 + 1/2 * 1/4 + 1/4 * 1/2 = 0.5"
    assert expected_share(ASHA(grace=2, reduction=4), training, 200) < halving
    for stop in (HyperBand(grace=2, reduction=2, brackets=2), Median(grace=2)):
        assert 0.2 < expected_share(stop, training, 50) < 1.0
