"""Compiled steps and teachers: captured once in a process, and eager where a capture is refused."""

from __future__ import annotations

import dataclasses

import pytest

from tests.fakecuda.counters import Counted, memory, refuse_captures
from tests.fakecuda.engines import engine, inputs, runtime, train
from trainables.engine.process_cache import ProcessCache
from trainables.engine.runtime import Runtime, TrialInputs

COMPILED_LAUNCHES = 90
"""Most kernels, graphs and copies within the device, that a compiled step of resnet8 puts into a stream."""

cache = ProcessCache()
said: list[str] = []


def compiled() -> Runtime:
    """Of a process that has trained other trials before."""
    return runtime(compile_mode="compiled", process_cache=cache, log=said.append)


@pytest.fixture(scope="module")
def first() -> TrialInputs:
    """A trial that has made all that is compiled."""
    of = inputs(steps=8)
    built = engine(of, compiled())
    assert built.compiled is not None
    train(built, of.data)
    return of


def test_a_compiled_step_is_a_few_launches(first: TrialInputs) -> None:
    built = engine(first, compiled())
    train(built, first.data)
    with Counted() as counted:
        train(built, first.data)
    assert (counted.launches + counted.graph_launches + counted.on_device) / 8 <= COMPILED_LAUNCHES
    assert counted.graph_launches >= 2 * 8, "forward and backward pass of each step"
    assert counted.captures == 0


def test_another_trial_and_a_resumed_one_capture_nothing(first: TrialInputs) -> None:
    before = memory()
    training = dataclasses.replace(first.config.training, lr=0.01)
    other = dataclasses.replace(first, config=dataclasses.replace(first.config, seed=5, training=training))
    with Counted() as counted:
        built = engine(other, compiled())
        train(built, other.data)
        state = built.student.network.state_dict(), built.optimizer.state_dict()
        resumed = engine(other, compiled())
        resumed.student.network.load_state_dict(state[0])
        resumed.optimizer.load_state_dict(state[1])
        resumed.train_epoch(other.data.train, 2, seed=5)
    assert resumed.compiled is built.compiled
    assert counted.captures == 0
    assert memory() == before
    assert said == []


def test_a_refused_capture_is_said_and_the_trial_runs_eager() -> None:
    lines: list[str] = []
    of = inputs()
    refuse_captures(True)
    try:
        built = engine(of, runtime(compile_mode="compiled", log=lines.append))
    finally:
        refuse_captures(False)
    assert built.compiled is None
    assert [line for line in lines if "runs eager" in line]
    train(built, of.data)
