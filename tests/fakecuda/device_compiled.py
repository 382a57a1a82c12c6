"""Compiled steps and teachers: compiled once in a process, network and loss apart, and recorded whole."""

from __future__ import annotations

import dataclasses

import pytest

from tests.fakecuda.counters import Counted, memory, refuse_captures
from tests.fakecuda.engines import engine, inputs, runtime, train
from trainables.config import LogitTerm, Method
from trainables.engine.compilation import compilation_seconds
from trainables.engine.process_cache import ProcessCache
from trainables.engine.runtime import CachePolicy, Runtime, TrialInputs

pytestmark = pytest.mark.slow

COMPILED_KERNELS = 160
"""Most kernels in the graph of a compiled step of resnet8."""

cache = ProcessCache()
said: list[str] = []


def compiled() -> Runtime:
    """Of a process that has trained other trials before."""
    policy = CachePolicy(1 << 32)
    return runtime(compile_mode="compiled", process_cache=cache, cache_policy=policy, log=said.append)


@pytest.fixture(scope="module")
def first() -> TrialInputs:
    """A trial that has made all that is compiled."""
    of = inputs(steps=8)
    built = engine(of, compiled())
    assert built.compiled is not None
    train(built, of.data)
    compilation_seconds()
    return of


def changed(of: TrialInputs, **training: object) -> TrialInputs:
    """The same trial under other settings of optimisation."""
    settings = dataclasses.replace(of.config.training, **training)  # type: ignore[arg-type]
    return dataclasses.replace(of, config=dataclasses.replace(of.config, training=settings))


def test_a_compiled_step_is_one_graph_of_few_kernels(first: TrialInputs) -> None:
    """What is built into the graph alone, as a weight decay, is recorded anew and not compiled."""
    with Counted() as counted:
        built = engine(changed(first, weight_decay=1e-3), compiled())
    assert counted.captures == 1
    assert 0 < counted.captured <= COMPILED_KERNELS
    train(built, first.data)
    with Counted() as counted:
        train(built, first.data)
    assert counted.graph_launches == 8
    assert counted.captures == 0
    assert said == []


def test_another_trial_and_a_resumed_one_capture_nothing(first: TrialInputs) -> None:
    train(engine(first, compiled()), first.data)
    before = memory()
    other = changed(first, lr=0.01)
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


def test_another_loss_does_not_compile_the_network_again(first: TrialInputs) -> None:
    method = Method(logit=LogitTerm(base="nkd", scales=(1, 2, 4)))
    other = dataclasses.replace(first, config=dataclasses.replace(first.config, method=method))
    built = engine(other, compiled())
    train(built, other.data)
    assert (cache.count("network"), cache.count("step")) == (1, 2)
    assert said == []


def test_a_refused_capture_is_said_and_the_trial_goes_on(first: TrialInputs) -> None:
    lines: list[str] = []
    refuse_captures(True)
    try:
        on = dataclasses.replace(compiled(), log=lines.append)
        built = engine(changed(first, momentum=0.8), on)
    finally:
        refuse_captures(False)
    assert built.compiled is not None
    (line,) = lines
    assert "is launched kernel by kernel: " in line
    train(built, first.data)
