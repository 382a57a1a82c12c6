"""Whole batches: one CUDA graph a step, recorded once for all trials of a kind; evaluation; fallback."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from benchmarks import made
from tests.fakecuda.counters import Counted, memory, refuse_captures
from tests.fakecuda.engines import GPU, engine, inputs, runtime, train
from trainables.config import FeatureTerm, LogitTerm, Method
from trainables.engine.engine import Engine
from trainables.engine.evaluation import EVALUATION_BATCH, evaluate_due
from trainables.engine.kept_data import kept_data
from trainables.engine.process_cache import ProcessCache
from trainables.engine.runtime import CachePolicy, Runtime, TrialInputs

RECORDED_KERNELS = 320
"""Most kernels in the graph of an eager step of resnet8 under remembered views, augmentation included."""

ON_DEVICE = CachePolicy(1 << 32)
DECOUPLED = Method(logit=LogitTerm(scales=(1, 2), complementary_weight=2.0))
KINDS: dict[str, dict[str, Any]] = {
    "views": {"method": DECOUPLED},
    "plain": {"method": Method()},
    "live teacher": {"method": Method(features=(FeatureTerm(name="fitnet", weight=1.0),))},
    "two views": {"method": Method(logit=LogitTerm(base="crld", scales=(1, 2)))},
    "mixed images": {"method": Method(logit=LogitTerm(base="dkd")), "mixup": 0.8, "cutmix": 1.0},
}
RECORDED = KINDS | {
    "adamw": {"optimizer": "adamw", "lr": 0.001, "label_smoothing": 0.1},
    "dot": {"optimizer": "dot"},
    "clipped and averaged": {"clip_norm": 1.0, "ema_decay": 0.9},
    "batches in parts": {"batch_norm_parts": 2, "drop_last": True},
}
"""Kinds of step; the last ones differ in nothing that the log names."""


def short(method: Method | None = None, **given: Any) -> TrialInputs:
    """A trial too short to be worth compiling."""
    return inputs(method, **{"epochs": 2, **given})


def recording(**fields: Any) -> Runtime:
    """A process that trains trials one after the other."""
    return runtime(**{"compile_mode": "auto", "cache_policy": ON_DEVICE, **fields})


def is_recorded(built: Engine) -> bool:
    return built.whole is not None and built.whole.work.recorded


def second_epoch(kind: dict[str, Any], steps: int) -> Counted:
    """What an epoch asks for whose views are on the device."""
    of = short(**kind, steps=steps)
    built = engine(of, recording())
    assert is_recorded(built)
    train(built, of.data)
    with Counted() as counted:
        train(built, of.data)
    return counted


@pytest.mark.parametrize("name", RECORDED)
def test_a_step_is_one_launch_of_a_graph_and_nothing_else(name: str) -> None:
    few, many = (second_epoch(RECORDED[name], steps) for steps in (4, 12))
    assert many.graph_launches - few.graph_launches == 8
    for nothing in ("launches", "captures", "to_device", "to_host", "on_device", "synchronisations"):
        assert getattr(many, nothing) == getattr(few, nothing), nothing
    assert many.allocations == 0


def test_no_time_is_asked_of_what_is_part_of_a_graph() -> None:
    """An event recorded in a capture can be neither waited for nor read."""
    of = short(**KINDS["live teacher"])
    built = engine(of, recording())
    assert is_recorded(built)
    assert built.teacher is not None
    before = built.teacher.seconds
    train(built, of.data)
    assert built.teacher.seconds == before


def test_a_graph_has_at_most_a_stated_number_of_kernels() -> None:
    of = short()
    with Counted() as counted:
        engine(of, recording())
    assert counted.captures == 1
    assert 0 < counted.captured <= RECORDED_KERNELS


@pytest.mark.parametrize("name", RECORDED)
def test_other_trials_a_resumed_one_and_a_rebuilt_step_record_nothing(name: str) -> None:
    of, process = short(**RECORDED[name]), recording()
    for trial in (0, 1):  # the first computes what the second finds
        built = engine(another(of, trial) if trial else of, process)
        train(built, of.data)
    before = memory()
    with Counted() as counted:
        for trial in range(1, 4):
            built = engine(another(of, trial), process)
            train(built, of.data)
        state = built.student.state_dict(), built.optimizer.state_dict()
        resumed = engine(another(of, 3), process)
        resumed.student.load_state_dict(state[0])
        resumed.optimizer.load_state_dict(state[1])
        resumed.train_epoch(of.data.train, 2, seed=3)
    assert is_recorded(resumed)
    assert counted.captures == 0
    assert memory() == before, "memory is flat over trials"


def another(of: TrialInputs, seed: int) -> TrialInputs:
    """A trial that differs in numbers alone."""
    config, logit = of.config, of.config.method.logit
    if logit is not None:
        logit = dataclasses.replace(logit, alpha=0.1 * seed, warmup_epochs=seed)
    training = dataclasses.replace(config.training, lr=0.01 * seed, schedule="cosine")
    method = dataclasses.replace(config.method, ce_weight=1.0 / seed, logit=logit)
    return dataclasses.replace(
        of, config=dataclasses.replace(config, seed=seed, training=training, method=method)
    )


@pytest.mark.parametrize("method", [DECOUPLED, Method()], ids=["views", "plain"])
def test_a_searched_augmentation_takes_neither_memory_nor_recordings(method: Method) -> None:
    """The images lie on the device once, and each kind of step is recorded once, whatever trials ask for."""
    of, process = short(method), recording(cache_policy=CachePolicy("off"))
    raw = made.raw(24_000, EVALUATION_BATCH + 20)
    taken, captures = [], []
    asked: list[dict[str, Any]] = [{"augment_strength": strength} for strength in (1.0, 0.7, 0.4, 0.1, 0)]
    for data in [*asked, {"augment": "none"}, *asked[1:], {"augment": "none"}]:
        config = dataclasses.replace(
            of.config, data=dataclasses.replace(of.config.data, **data), test="every"
        )
        images = kept_data(process.process_cache, config.data, GPU, lambda: raw)
        with Counted() as counted:
            built = engine(dataclasses.replace(of, config=config, data=images), process)
            plan, _ = images.train.plan(config.training.batch_size, epoch=1).cut(4)
            built.train(images.train, plan, epoch=1, seed=0)
            evaluate_due(config, built.student.network, images, 1, process)
        assert is_recorded(built)
        taken.append(memory())
        captures.append(counted.captures)
    assert captures == [2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0], "a step and an evaluation, of two kinds"
    assert taken[1:5] == [taken[1]] * 4
    assert taken[6:] == [taken[6]] * 5
    assert max(taken) - taken[1] < raw.train_images.nbytes, "what was taken again is not the images"


def test_what_is_built_into_a_graph_is_recorded_anew_in_the_same_memory() -> None:
    of, process = short(), recording()
    train(engine(of, process), of.data)
    training = dataclasses.replace(of.config.training, weight_decay=1e-3)
    other = dataclasses.replace(of, config=dataclasses.replace(of.config, training=training))
    with Counted() as counted:
        train(engine(other, process), of.data)
    assert counted.captures == 1


def test_evaluation_is_a_graph_recorded_once() -> None:
    of, process = short(test_images=3 * EVALUATION_BATCH + 20), recording()
    of = dataclasses.replace(of, config=dataclasses.replace(of.config, test="every"))
    built = engine(of, process)
    network = built.student.network
    with Counted() as first:
        evaluate_due(of.config, network, of.data, 1, process)
    with Counted() as second:
        evaluate_due(of.config, network, of.data, 2, process)
    assert first.captures == 1
    assert (second.captures, second.graph_launches) == (0, 3)
    assert second.to_host == 2, "one number for each split"


@pytest.mark.parametrize("name", KINDS)
def test_a_refused_recording_is_said_in_a_line_and_steps_are_launched(name: str) -> None:
    lines: list[str] = []
    of = short(**KINDS[name])
    refuse_captures(True)
    try:
        built = engine(of, recording(log=lines.append))
    finally:
        refuse_captures(False)
    assert not is_recorded(built)
    (line,) = lines
    assert line.startswith(f"the step of resnet8 by {of.config.method.label} is launched kernel by kernel: ")
    train(built, of.data)


def test_a_loss_with_state_in_python_is_not_recorded() -> None:
    crd = FeatureTerm(name="crd", weight=1.0, options={"dim": 8, "negatives": 32})
    of = short(Method(features=(crd,)))
    built = engine(of, recording())
    with Counted() as counted:
        train(built, of.data)
    assert counted.captures == 0
    assert counted.graph_launches == 0


def test_a_kept_process_cache_holds_no_more_than_a_few_recordings() -> None:
    process = recording(process_cache=ProcessCache())
    for number in range(10):
        of = short(momentum=0.05 * number)
        engine(of, process)
    assert process.process_cache.count("recorded") == 8
